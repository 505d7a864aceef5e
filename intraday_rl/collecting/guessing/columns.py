"""Which column of a stranger's table is which."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import pandas as pd

from intraday_rl.errors import DataError
from intraday_rl.market.bars import PRICES

_NAMES: dict[str, tuple[str, ...]] = {
    "timestamp": (
        "timestamp", "datetime", "time", "date", "ts", "t", "barstart", "barend", "starttime",
        "endtime", "begin", "dateandtime", "datetimeutc", "timestamputc", "timeutc", "bartime",
    ),
    "open": ("open", "o", "openprice", "priceopen", "first"),
    "high": ("high", "h", "highprice", "pricehigh", "max"),
    "low": ("low", "l", "lowprice", "pricelow", "min"),
    "close": ("close", "c", "closeprice", "priceclose", "last"),
    "volume": ("volume", "v", "vol", "shares", "tradedvolume"),
    "split_factor": ("splitfactor",),
    "symbol": ("symbol", "ticker", "sym", "instrument"),
}  # fmt: skip
_OPTIONAL = ("volume", "split_factor", "symbol")
# 1990 to 2039 as an epoch: which power of a second a whole number of them is.
_EPOCH_UNITS: dict[Literal["s", "ms", "us", "ns"], float]
_EPOCH_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_EPOCH_FROM, _EPOCH_TO = 6.3e8, 2.2e9


def renamed(
    table: pd.DataFrame, given: Mapping[str, str], file: str
) -> tuple[pd.DataFrame, list[str]]:
    """The table under our names with a RangeIndex, and what was found, in plain words.

    A time index counts as a column; a date and a time of day in two columns are put together; an
    epoch becomes a time in UTC, since its size tells its unit. `DataError` where a column is
    missing or two could be meant: `task.columns` says which.
    """
    if not isinstance(table.index, pd.RangeIndex):
        name = table.index.name or "timestamp"
        table = table.reset_index(drop=name in table.columns, names=[name])
    plain = {column: re.sub(r"[^a-z0-9]", "", str(column).casefold()) for column in table.columns}
    chosen: dict[str, pd.Series] = {}
    said: list[str] = []
    for ours, names in _NAMES.items():
        if ours in given:
            matches = [column for column in table.columns if column == given[ours]]
        else:
            matches = [column for column, text in plain.items() if text in names]
        if ours == "timestamp" and ours not in given and len(matches) > 1:
            together = _date_and_time(table, {plain[column]: column for column in matches})
            if together is not None:
                chosen[ours], words = together
                said.append(words)
                continue
            exact = [column for column in matches if plain[column] in ("timestamp", "datetime")]
            matches = exact if len(exact) == 1 else matches
        if len(matches) == 1:
            chosen[ours] = table[matches[0]]
            if str(matches[0]) != ours:
                said.append(f"{ours} is {matches[0]}")
        elif matches:
            shown = ", ".join(map(str, matches))
            raise DataError(
                f"{file}: {ours} may be {shown}; say which by +task.columns.{ours}=<column>"
            )
        elif ours not in _OPTIONAL or ours in given:
            shown = ", ".join(map(str, table.columns))
            raise DataError(
                f"{file}: no column for {ours} among {shown}; name it by "
                f"+task.columns.{ours}=<column>"
            )
    stamps, epoch = _from_epoch(chosen["timestamp"])
    chosen["timestamp"] = stamps
    frame = pd.DataFrame({name: column.reset_index(drop=True) for name, column in chosen.items()})
    assert set(PRICES) <= set(frame.columns)
    return frame, [*said, *epoch]


def _date_and_time(table: pd.DataFrame, by_name: Mapping[str, str]) -> tuple[pd.Series, str] | None:
    """`2021-11-26` and `09:30[:00]` in two columns, as one."""
    if set(by_name) != {"date", "time"}:
        return None
    day, time = table[by_name["date"]].astype(str), table[by_name["time"]].astype(str)
    if not time.str.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?").all():
        return None
    words = f"timestamp is {by_name['date']} and {by_name['time']} together"
    return day.str.slice(0, 10) + " " + time.str.zfill(5), words


def _from_epoch(stamps: pd.Series) -> tuple[pd.Series, list[str]]:
    if not pd.api.types.is_numeric_dtype(stamps) or stamps.isna().any() or stamps.empty:
        return stamps, []
    for unit, size in _EPOCH_UNITS.items():
        seconds = stamps.astype("float64") / size
        if seconds.between(_EPOCH_FROM, _EPOCH_TO).all():
            times = pd.to_datetime(stamps.to_numpy(), unit=unit, utc=True)
            return pd.Series(times), [f"timestamp is an epoch in {unit}"]
    return stamps, []
