"""Months of the store, and which of their sessions are over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pandas as pd

from intraday_rl.market.calendar import sessions

# After a session's close some vendors still deliver its last bars; free plans lag by a quarter of
# an hour.
OVER_AFTER = pd.Timedelta(minutes=45)


def months_between(first: date, last: date) -> Iterator[str]:
    """Every month with a day from `first` to `last`: 2018-01, 2018-02, ..."""
    for period in pd.period_range(first, last, freq="M"):
        yield str(period)


def bounds(month: str) -> tuple[date, date]:
    """First and last day of a month."""
    period = pd.Period(month, freq="M")
    return period.start_time.date(), period.end_time.date()


def sessions_over(month: str, now: pd.Timestamp) -> tuple[pd.DataFrame, bool]:
    """The month's sessions that are over at `now`, and whether those are all it has."""
    table = sessions(*bounds(month))
    over = table[table["close"] + OVER_AFTER <= now]
    return over, len(over) == len(table)


def last_session_over(now: pd.Timestamp) -> date:
    """The last session that is over at `now`."""
    table = sessions((now - timedelta(days=10)).date(), now.date())
    return pd.Timestamp(table.index[table["close"] + OVER_AFTER <= now][-1]).date()
