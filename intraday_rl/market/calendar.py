"""The New York Stock Exchange's sessions: when the market was open, and when it closed early.

Every rule about time asks this table: holidays, special closures, 13:00 half days and both
changes of the clocks come from `exchange_calendars` (XNYS), never from a rule written here.
"""

from __future__ import annotations

import warnings
from datetime import date
from functools import lru_cache

import exchange_calendars  # type: ignore[import-untyped, unused-ignore]
import numpy as np
import pandas as pd
from numpy.typing import NDArray

EXCHANGE = "XNYS"
NEW_YORK = "America/New_York"
MINUTE_NS = 60 * 10**9
FULL_SESSION_MINUTES = 390

# One table serves all requests inside it, so that the calendar is built once a process. The span
# is fixed rather than "today plus a year": the same question has the same answer on every day.
_FIRST_YEAR, _LAST_YEAR = 1990, 2039


def sessions(first: date, last: date) -> pd.DataFrame:
    """The exchange's sessions from `first` to `last`, both included.

    | part | type | meaning |
    |---|---|---|
    | index `session` | datetime64[ns], naive midnight | the New York date |
    | `open`, `close` | datetime64[ns, UTC] | 09:30 and 16:00 New York, 13:00 on a half day |
    | `half_day` | bool | the exchange closed early |

    Empty when no session lies in the span. Source: `exchange_calendars`, calendar XNYS.
    """
    table = _table(min(first.year, _FIRST_YEAR), max(last.year, _LAST_YEAR))
    return table.loc[pd.Timestamp(first) : pd.Timestamp(last)].copy()


def expected_bars(
    opens_ns: NDArray[np.int64], closes_ns: NDArray[np.int64], bar_ns: int
) -> NDArray[np.int64]:
    """Bars of length `bar_ns` a session holds; the last one is short where they do not divide."""
    return -((opens_ns - closes_ns) // bar_ns)


def open_close_ns(table: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Opens and closes of a table of `sessions` as UTC nanoseconds."""
    return nanoseconds(table["open"]), nanoseconds(table["close"])


def nanoseconds(stamps: pd.Series | pd.DatetimeIndex) -> NDArray[np.int64]:
    """Nanoseconds since 1970 of a column of stamps (UTC if they have a zone, else as written)."""
    return pd.DatetimeIndex(stamps).as_unit("ns").asi8


def utc(ns: NDArray[np.int64]) -> pd.DatetimeIndex:
    """The inverse of `nanoseconds` for stamps with a zone: datetime64[ns, UTC]."""
    return pd.DatetimeIndex(ns.astype("datetime64[ns]")).tz_localize("UTC")


@lru_cache(maxsize=4)
def _table(first_year: int, last_year: int) -> pd.DataFrame:
    with warnings.catch_warnings():
        # exchange_calendars reads zoned columns through `.values`, which pandas 3.1 deprecates.
        warnings.filterwarnings(
            "ignore", "Series.values returning an ndarray that drops", DeprecationWarning
        )
        exchange = exchange_calendars.get_calendar(
            EXCHANGE, start=f"{first_year}-01-01", end=f"{last_year}-12-31"
        )
        schedule = exchange.schedule
    index = pd.DatetimeIndex(schedule.index).as_unit("ns")
    return pd.DataFrame(
        {
            "open": pd.DatetimeIndex(schedule["open"]).as_unit("ns"),
            "close": pd.DatetimeIndex(schedule["close"]).as_unit("ns"),
            "half_day": index.isin(exchange.early_closes),
        },
        index=pd.DatetimeIndex(index.to_numpy(), name="session"),
    )
