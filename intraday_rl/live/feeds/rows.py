"""Rows of a file as bars of one day: what a row cannot tell is a finding, never an exception."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.live.feeds.findings import Findings
from intraday_rl.live.feeds.fine_bar import COLUMNS, FineBar
from intraday_rl.live.feeds.grid import Grid
from intraday_rl.market.calendar import NEW_YORK, nanoseconds, utc
from intraday_rl.market.files import BarLabel
from intraday_rl.market.stamps import TIME_WITH_OFFSET
from intraday_rl.market.validation import starts_of

# What tables write where there is no number; a volume may be so.
_NOTHING = frozenset({"", "nan", "na", "n/a", "<na>", "null", "none"})
_DATE_FIRST = r"\s*\d{4}-?\d{2}"


def bars_of_day(
    table: pd.DataFrame,
    place: str,
    grid: Grid,
    label: BarLabel,
    timezone: str | None,
    findings: Findings,
) -> list[FineBar]:
    """The rows of the grid's New York date, in the table's order.

    `table` has `timestamp, open, high, low, close[, volume]`, as text or as numbers and times;
    `place` names it in findings; `timezone` is that of stamps without an offset.
    """
    stamps = _in_utc(table["timestamp"], place, timezone, findings)
    local = stamps.tz_convert(NEW_YORK).tz_localize(None).normalize()
    today = np.flatnonzero(nanoseconds(pd.DatetimeIndex(local)) == grid.session_ns)
    starts = nanoseconds(stamps[today])
    if label is BarLabel.end:
        opens, closes = np.array([grid.open_ns]), np.array([grid.close_ns])
        starts = starts_of(starts, opens, closes, grid.fine_ns)
    rows = table.iloc[today]
    readable, columns = np.ones(len(rows), np.bool_), []
    for name in COLUMNS:
        if name in rows.columns:
            values, bad = _numbers(rows[name])
        else:
            values, bad = np.full(len(rows), np.nan), np.zeros(len(rows), np.bool_)
        columns.append(values)
        if (bad & readable).any():
            _left_out(place, rows[name], bad & readable, f"{name} is not a number", findings)
        readable &= ~bad
    given = zip(utc(starts), *(column.tolist() for column in columns), strict=True)
    return [FineBar(*row) for row, good in zip(given, readable, strict=True) if good]


def _in_utc(
    column: pd.Series, place: str, timezone: str | None, findings: Findings
) -> pd.DatetimeIndex:
    """The stamps; NaT where there is none to be read."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return pd.DatetimeIndex(column).tz_convert("UTC")
    if column.dtype.kind == "M":
        wall = pd.DatetimeIndex(column)
        naive = np.ones(len(column), np.bool_)
        zoned = pd.DatetimeIndex([pd.NaT] * len(column), tz="UTC")
    else:
        text = column.astype("string").fillna("")
        text = text.where(text.str.match(_DATE_FIRST), "")  # else `now` would be a time
        without = text.str.replace(TIME_WITH_OFFSET, r"\1", regex=True)
        naive = (without == text).to_numpy(dtype=bool)
        wall, zoned = (_from_iso(text.where(naive, "")), _from_iso(text.where(~naive, "")))
        wall = wall.tz_localize(None)
    bad = np.asarray(wall.isna()) & np.asarray(zoned.isna())
    if bad.any():
        _left_out(place, column, bad, "the time stamp cannot be read", findings)
    if timezone is None:
        bare = naive & np.asarray(wall.notna())
        if bare.any():
            _left_out(place, column, bare, "no offset; set task.feed_timezone", findings)
        return zoned
    there = wall.tz_localize(timezone, ambiguous="NaT", nonexistent="NaT").tz_convert("UTC")
    return utc(np.where(naive, nanoseconds(there), nanoseconds(zoned)))


def _from_iso(text: pd.Series) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce"))


def _numbers(column: pd.Series) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The column's numbers, and where something else stands in their place."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    written = column.astype("string").fillna("").str.strip().str.casefold()
    return values, np.isnan(values) & ~written.isin(_NOTHING).to_numpy(dtype=bool)


def _left_out(
    place: str, column: pd.Series, bad: NDArray[np.bool_], reason: str, findings: Findings
) -> None:
    first = str(column.iloc[int(np.argmax(bad))])[:40]
    count = int(np.count_nonzero(bad))
    rows = "a row is" if count == 1 else f"{count} rows are"
    findings.say(f"{place}: {rows} left out: {first!r}: {reason}")
