"""Lengths of time as people write them, `4 months` or `20 sessions`, and how dates move by them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from intraday_rl.errors import ConfigError

# No data reach further, and dates stay inside what nanosecond stamps can hold.
EARLIEST, LATEST = date(1970, 1, 1), date(2099, 12, 31)
LONGEST_DAYS = 30 * 366

_UNITS = {  # written unit: (unit counted in, how many of it)
    "year": ("months", 12),
    "month": ("months", 1),
    "week": ("days", 7),
    "day": ("days", 1),
    "session": ("sessions", 1),
}


@dataclass(frozen=True, slots=True)
class Offset:
    """A length in months, calendar days and exchange sessions; lengths add and multiply."""

    months: int = 0
    days: int = 0
    sessions: int = 0

    def __add__(self, other: Offset) -> Offset:
        return Offset(
            self.months + other.months, self.days + other.days, self.sessions + other.sessions
        )

    def __mul__(self, times: int) -> Offset:
        return Offset(self.months * times, self.days * times, self.sessions * times)

    def at_most_days(self) -> int:
        """Calendar days that the length surely does not exceed."""
        return self.months * 31 + self.days + (self.sessions * 2 + 10 if self.sessions else 0)


def parse_offset(key: str, text: str) -> Offset:
    """Reads `<count> <unit>`; the unit may be singular or plural.

    >>> parse_offset("test_size", "1 year"), parse_offset("step", "20 sessions")
    (Offset(months=12, days=0, sessions=0), Offset(months=0, days=0, sessions=20))
    """
    count, _, written = str(text).strip().lower().partition(" ")
    unit = _UNITS.get(written.strip().removesuffix("s"))
    if unit is None or not (count.isascii() and count.isdigit()) or int(count) < 1:
        remedy = "must be a count and a unit: '4 months', '1 year', '2 weeks', '20 sessions'"
        raise ConfigError(key, text, remedy)
    name, factor = unit
    offset = Offset(**{name: int(count) * factor})
    if offset.at_most_days() > LONGEST_DAYS:
        raise ConfigError(key, text, f"must not be longer than {LONGEST_DAYS} days")
    return offset


def shift(start: date, offset: Offset, expected: Sequence[date]) -> date:
    """`start` moved by months, then days, then sessions; an end of month stays inside its month.

    Sessions are counted from the first of `expected` (in order) on or after the date reached.

    >>> str(shift(date(2025, 1, 31), Offset(months=1), []))
    '2025-02-28'
    """
    reached = (pd.Timestamp(start) + pd.DateOffset(months=offset.months)).date()
    reached += timedelta(days=offset.days)
    if offset.sessions:
        reached = expected[bisect_left(expected, reached) + offset.sessions]
    return reached


def parse_date(key: str, text: str) -> date:
    """Reads an ISO date."""
    try:
        day = date.fromisoformat(text)
    except (TypeError, ValueError):
        raise ConfigError(key, text, "must be a date such as '2018-01-01'") from None
    if not EARLIEST <= day <= LATEST:
        raise ConfigError(key, text, f"must lie between {EARLIEST} and {LATEST}")
    return day
