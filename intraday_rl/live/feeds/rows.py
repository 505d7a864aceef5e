"""Rows of a file as bars of one day: what a row cannot tell is a finding, never an exception."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from intraday_rl.live.feeds.findings import Findings
from intraday_rl.live.feeds.fine_bar import COLUMNS, FineBar
from intraday_rl.live.feeds.grid import Grid
from intraday_rl.market.calendar import NEW_YORK, nanoseconds, utc
from intraday_rl.market.files import BarLabel
from intraday_rl.market.stamps import TIME_WITH_OFFSET
from intraday_rl.market.validation import starts_of

# What tables write where there is no number; a volume may be so.
_NOTHING = frozenset({"", "nan", "na", "n/a", "<na>", "nat", "null", "none"})
_NUMBER = re.compile(r"[-+.\dA-Za-z]+", re.ASCII)  # float also takes 1_000 and other digits
_DATE_FIRST, _WITH_OFFSET = re.compile(r"\s*\d{4}-?\d{2}", re.ASCII), re.compile(TIME_WITH_OFFSET)


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
    today = np.flatnonzero(nanoseconds(local) == grid.session_ns)
    starts = nanoseconds(stamps[today])
    if label is BarLabel.end:
        opens, closes = np.array([grid.open_ns]), np.array([grid.close_ns])
        starts = starts_of(starts, opens, closes, grid.fine_ns)
    rows = table.iloc[today]
    columns = [
        rows[name].tolist() if name in rows.columns else [math.nan] * len(rows) for name in COLUMNS
    ]
    bars = []
    for start, *values in zip(utc(starts), *columns, strict=True):
        numbers = []
        for name, value in zip(COLUMNS, values, strict=True):
            number = _number(value)
            if number is None:
                _left_out(place, [value], f"{name} is not a number", findings)
                break
            numbers.append(number)
        else:
            bars.append(FineBar(start, *numbers))
    return bars


def _in_utc(
    column: pd.Series, place: str, timezone: str | None, findings: Findings
) -> pd.DatetimeIndex:
    """The stamps; NaT where there is none to be read."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return pd.DatetimeIndex(column).tz_convert("UTC")
    none = utc(np.full(len(column), pd.NaT.value))
    if column.dtype.kind == "M":
        naive, zoned, wall = np.ones(len(column), np.bool_), none, pd.DatetimeIndex(column)
    else:
        texts = [str(value) for value in column.tolist()]
        naive = np.array([not _WITH_OFFSET.search(text) for text in texts], np.bool_)
        zoned = none if naive.all() else _from_iso(texts)
        wall = (_from_iso(texts) if naive.any() else none).tz_localize(None)
    bad = np.asarray(np.where(naive, wall.isna(), zoned.isna()), np.bool_)
    _left_out(place, column[bad].tolist(), "the time stamp cannot be read", findings)
    if timezone is None:
        bare = naive & ~bad
        _left_out(place, column[bare].tolist(), "no offset; set task.feed_timezone", findings)
        there = none
    else:
        there = wall.tz_localize(timezone, ambiguous="NaT", nonexistent="NaT")
    return utc(np.where(naive, nanoseconds(there), nanoseconds(zoned)))


def _from_iso(texts: list[str]) -> pd.DatetimeIndex:
    # A text that begins otherwise may still be a time to pandas: `now` is.
    dated = [text if _DATE_FIRST.match(text) else "" for text in texts]
    return pd.DatetimeIndex(pd.to_datetime(dated, format="ISO8601", utc=True, errors="coerce"))


def _number(value: Any) -> float | None:
    """The number; NaN where nothing stands in its place, None where something else does."""
    text = str(value).strip()
    if text.casefold() in _NOTHING:
        return math.nan
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _left_out(place: str, shown: Sequence[Any], reason: str, findings: Findings) -> None:
    if shown:
        rows = "a row is" if len(shown) == 1 else f"{len(shown)} rows are"
        findings.say(f"{place}: {rows} left out: {str(shown[0])[:40]!r}: {reason}")
