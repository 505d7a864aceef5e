"""Coverage: how much of what the exchange traded is in the bars, and how it was recorded."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from intraday_rl.errors import DataError
from intraday_rl.market.bars import Bars
from intraday_rl.market.calendar import MINUTE_NS, expected_bars, open_close_ns, sessions

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the bars hold of the exchange's sessions in a span of dates.

    | field | meaning |
    |---|---|
    | `sessions_expected` | sessions of the exchange in the span |
    | `sessions_found` | of these, with at least one bar |
    | `sessions_short` | of the found, with at least one bar missing |
    | `half_days` | of the found, closed early by the exchange |
    | `bars_missing` | in the found sessions; absent sessions are not counted bar by bar |
    | `has_volume` | every bar of the span has a known volume |
    | `equal_open_share` | share of bars whose open equals the close of the bar before |
    | `missing_sessions` | the first few dates without a bar |

    Each session's first bar is left out of `equal_open_share`. Near 1 the bars were built from
    closes, and a fill at the next open is a fill at the close that was just seen.
    """

    sessions_expected: int
    sessions_found: int
    sessions_short: int
    half_days: int
    bars_missing: int
    has_volume: bool
    equal_open_share: float
    missing_sessions: list[str]

    def as_dict(self) -> dict[str, object]:
        """Plain values, as JSON takes them."""
        return dataclasses.asdict(self)


def coverage(bars: Bars, first: date, last: date) -> Coverage:
    """Coverage of the span from `first` to `last`, both included."""
    part = bars.between(first, last)
    table = bars_by_session(part, first, last)
    found = table[table["found"] > 0]
    absent = table.index[table["found"] == 0]
    return Coverage(
        sessions_expected=len(table),
        sessions_found=len(found),
        sessions_short=int((found["missing"] > 0).sum()),
        half_days=int(found["half_day"].sum()),
        bars_missing=int(found["missing"].sum()),
        has_volume=part.has_volume(),
        equal_open_share=_equal_open_share(part),
        missing_sessions=[str(day.date()) for day in absent[:_SHOWN]],
    )


def bars_by_session(bars: Bars, first: date, last: date) -> pd.DataFrame:
    """Every session of the exchange in the span: `half_day`, bars `expected, found, missing`."""
    table = sessions(first, last)
    opens, closes = open_close_ns(table)
    expected = expected_bars(opens, closes, bars.bar_minutes * MINUTE_NS)
    counts = bars.frame.groupby("session").size()
    found = counts.reindex(table.index, fill_value=0).to_numpy(dtype=np.int64)
    return pd.DataFrame(
        {
            "half_day": table["half_day"],
            "expected": expected,
            "found": found,
            "missing": expected - found,
        },
        index=table.index,
    )


def holes(bars: Bars) -> tuple[str, ...]:
    """Notes on absent sessions and missing bars between the first and the last session."""
    table = _own_span(bars)
    absent = table.index[table["found"] == 0]
    short = table[(table["found"] > 0) & (table["missing"] > 0)]
    notes: tuple[str, ...] = ()
    if len(absent):
        verb = "session is" if len(absent) == 1 else "sessions are"
        notes += (f"{len(absent)} {verb} absent: {_days(absent)}",)
    if len(short):
        notes += (f"{int(short['missing'].sum())} bars are missing in {_counts(short)}",)
    return notes


def without_bad_sessions(bars: Bars, max_missing_bars: int, file: str, *, drop: bool) -> Bars:
    """Refuse the bars, or drop the sessions, that miss more than `max_missing_bars` bars."""
    table = _own_span(bars)
    bad = table[(table["found"] > 0) & (table["missing"] > max_missing_bars)]
    if len(bad) == 0:
        return bars
    limit = f"more than {max_missing_bars} bars missing in"
    found = int((table["found"] > 0).sum())
    hint = (
        ""
        if 2 * len(bad) < found
        else "; check data.timezone, data.bar_label and that bars have one length"
    )
    if not drop:
        raise DataError(
            f"{file}: {limit} {_counts(bad)}{hint}; data.on_bad_session=drop leaves them out, "
            "data.max_missing_bars sets the limit"
        )
    if len(bad) == found:
        raise DataError(f"{file}: {limit} {_counts(bad)}: no session is left{hint}")
    kept = bars.frame[~bars.frame["session"].isin(bad.index)].reset_index(drop=True)
    return replace(
        bars, frame=kept, notes=(*bars.notes, f"dropped, {limit} {_counts(bad, len(bad))}")
    )


def _own_span(bars: Bars) -> pd.DataFrame:
    index = bars.session_index()
    return bars_by_session(bars, index[0].date(), index[-1].date())


def _equal_open_share(bars: Bars) -> float:
    """0 when no session has two bars."""
    frame = bars.frame
    later = np.ones(len(frame), dtype=bool)
    later[bars.session_starts()] = False
    at = np.flatnonzero(later)
    if len(at) == 0:
        return 0.0
    open_, close = frame["open"].to_numpy(), frame["close"].to_numpy()
    return float(np.mean(open_[at] == close[at - 1]))


def _days(index: pd.Index) -> str:
    shown = ", ".join(str(day.date()) for day in index[:_SHOWN])
    return shown + (", ..." if len(index) > _SHOWN else "")


def _counts(short: pd.DataFrame, shown: int = _SHOWN) -> str:
    listed = [
        f"{pd.Timestamp(day).date()} ({missing} of {expected})"
        for day, missing, expected in zip(
            short.index[:shown], short["missing"][:shown], short["expected"][:shown], strict=True
        )
    ]
    more = ", ..." if len(short) > shown else ""
    plural = "session" if len(short) == 1 else "sessions"
    return f"{len(short)} {plural}: {', '.join(listed)}{more}"
