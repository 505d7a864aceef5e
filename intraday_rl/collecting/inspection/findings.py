"""What the numbers of an inspection mean, in plain words."""

from __future__ import annotations

from itertools import groupby

import pandas as pd

from intraday_rl.collecting.inspection.comparison import Comparison
from intraday_rl.loading import EQUAL_OPEN_LIMIT

# Below these two recordings are of the same trades; above, something else was recorded.
_SAME_CORRELATION, _SAME_LEVEL = 0.95, 0.002


def comparison_lines(found: Comparison) -> list[str]:
    """Every finding of a comparison, worst first."""
    lines = [_shift_line(*run, found.bar_minutes) for run in _runs(found.shifts) if run[0] != 0]
    if not any(found.shifts.values()):
        lines.append("the same clock: no shift of its stamps fits better")
    for day, factor in found.level_steps.items():
        lines.append(
            f"from {day} on its level is {factor:.4f} of what it was before, beside ours: one side "
            "is adjusted for a split or a dividend and the other is not"
        )
    if abs(found.level_ratio - 1) > _SAME_LEVEL:
        lines.append(f"its prices are {found.level_ratio:.4f} of ours (median)")
    if found.return_correlation < _SAME_CORRELATION:
        lines.append(
            f"returns correlate by {found.return_correlation:.3f} only: other trades, another "
            "symbol, or damaged bars"
        )
    median, most = found.return_difference_bps
    lines.append(
        f"{found.bars_common} bars of {found.bar_minutes} min in common, {found.bars_only_here} "
        f"only here, {found.bars_only_there} only there; returns differ by {median:.2f} bps "
        f"(median), {most:.1f} bps (99 %), correlation {found.return_correlation:.4f}"
    )
    return lines


def _runs(shifts: dict[str, int]) -> list[tuple[int, list[str]]]:
    return [
        (shift, [month for month, _ in run])
        for shift, run in groupby(shifts.items(), key=lambda one: one[1])
    ]


def _shift_line(shift: int, months: list[str], bar_minutes: int) -> str:
    span = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
    size = f"{abs(shift)} minutes {'later' if shift > 0 else 'earlier'}"
    if abs(shift) == bar_minutes:
        why = "a bar's length: one side is stamped by the start, the other by the end"
    elif shift % 60 == 0:
        why = "whole hours: the time zone is wrong, or summer time"
    else:
        why = "the zone and the label may both be wrong"
    return f"{span}: its stamps are {size}, {why}"


def months_of_concern(months: pd.DataFrame) -> list[str]:
    """A line for each month that is not whole, and the span built from closes."""
    lines = []
    for month, row in months.iterrows():
        absent = int(row["sessions_expected"] - row["sessions_found"])
        if absent or row["bars_missing"]:
            lines.append(
                f"{month}: {absent} sessions absent, {int(row['sessions_short'])} short, "
                f"{int(row['bars_missing'])} bars missing"
            )
    closes = list(months.index[months["equal_open_share"] > EQUAL_OPEN_LIMIT])
    if closes:
        lines.append(
            f"{len(closes)} months from {closes[0]} to {closes[-1]}: bars open at the previous "
            "close, built from closes; the next open is no later price than the close just seen"
        )
    return lines
