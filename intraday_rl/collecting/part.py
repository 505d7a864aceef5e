"""One month of a series: rows as a vendor or a file gave them, made into what the store keeps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.collecting.months import sessions_over
from intraday_rl.market.bars import PRICES
from intraday_rl.market.calendar import MINUTE_NS, expected_bars, nanoseconds, open_close_ns
from intraday_rl.market.catalogue import (
    PART_COLUMNS,
    Part,
    PartState,
    fingerprint_of_rows,
)

# A session with fewer of its bars was cut short; minutes without a trade have no bar at any vendor.
WHOLE_SHARE = 0.9
ASKED_AGAIN_AFTER = pd.Timedelta(hours=20)


def tidy(rows: pd.DataFrame) -> pd.DataFrame:
    """The store's columns in its order and types, sorted by time; identical rows once.

    `timestamp` is a bar's start with a zone. A column `volume` that is absent is unknown.
    """
    names = [*PART_COLUMNS, *(("split_factor",) if "split_factor" in rows.columns else ())]
    stamps = pd.DatetimeIndex(rows["timestamp"]).tz_convert("UTC").as_unit("ns")
    columns: dict[str, object] = {"timestamp": stamps}
    for name in names[1:]:
        given = rows[name] if name in rows.columns else pd.Series(np.nan, index=rows.index)
        columns[name] = pd.to_numeric(given).to_numpy(dtype=np.float64, na_value=np.nan)
    frame = pd.DataFrame(columns)
    return frame.drop_duplicates().sort_values("timestamp", kind="stable").reset_index(drop=True)


def month_of(
    rows: pd.DataFrame,
    month: str,
    bar_minutes: int,
    now: pd.Timestamp,
    adjusted_through: str | None,
) -> tuple[pd.DataFrame, Part] | None:
    """The rows of the month's sessions that are over at `now`, and what they are; None if none.

    Left out and counted: rows off the grid of their session's bars, rows no bar can be (a price
    that is no positive number, high below low, open or close outside of them, negative volume)
    and both of two different rows for one bar. Rows outside the sessions are not counted.
    """
    table, is_over = sessions_over(month, now)
    frame = tidy(rows)
    opens, closes = open_close_ns(table)
    stamps = nanoseconds(frame["timestamp"])
    place = np.searchsorted(opens, stamps, side="right") - 1
    inside = (place >= 0) & (stamps < closes[place] if len(closes) else False)
    frame, stamps, place = frame[inside], stamps[inside], place[inside]
    good = possible(frame) & ~frame["timestamp"].duplicated(keep=False).to_numpy()
    good &= (stamps - opens[place]) % (bar_minutes * MINUTE_NS) == 0
    frame = frame[good].reset_index(drop=True)
    if frame.empty:
        return None
    expected = expected_bars(opens, closes, bar_minutes * MINUTE_NS)
    found = np.bincount(place[good], minlength=len(table))
    days = table.index[found > 0]
    whole = bool((found >= WHOLE_SHARE * expected).all())
    state = PartState.open
    if is_over:
        state = PartState.complete if whole else PartState.short
    part = Part(
        state=state,
        first_session=str(days[0].date()),
        last_session=str(days[-1].date()),
        sessions_expected=len(table),
        sessions_found=len(days),
        bars=len(frame),
        left_out=int(np.count_nonzero(~good)),
        adjusted_through=adjusted_through,
        fetched_at=now.isoformat(timespec="seconds"),
        fingerprint=fingerprint_of_rows(frame),
    )
    return frame, part


def possible(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each row can be a bar."""
    prices = frame[list(PRICES)].to_numpy()
    low, high = frame["low"].to_numpy(), frame["high"].to_numpy()
    good: NDArray[np.bool_] = (
        np.isfinite(prices).all(axis=1) & (prices > 0).all(axis=1) & (high >= low)
    )
    for name in ("open", "close"):
        good &= (frame[name].to_numpy() >= low) & (frame[name].to_numpy() <= high)
    volume = frame["volume"].to_numpy()
    good &= ~(volume < 0) & ~np.isinf(volume)
    return good


def settled(part: Part, before: Part | None) -> Part:
    """A short month that was the same when it was asked for a day ago is all there is."""
    if before is None or part.state is not PartState.short:
        return part
    again = pd.Timestamp(part.fetched_at) - pd.Timestamp(before.fetched_at) >= ASKED_AGAIN_AFTER
    if before.fingerprint == part.fingerprint and before.state in (
        PartState.short,
        PartState.settled,
    ):
        if again or before.state is PartState.settled:
            return replace(part, state=PartState.settled)
        return replace(part, fetched_at=before.fetched_at)  # the day counts from the first answer
    return part
