"""Where the bars of one session lie in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from intraday_rl.errors import ConfigError, DataError, check_range
from intraday_rl.market.calendar import MINUTE_NS, open_close_ns, sessions


@dataclass(frozen=True, slots=True)
class Grid:
    """Traded bars are numbered from 0; fine bars are named by their start. All in UTC nanoseconds.

    The last bar of either length is short where the length does not divide the session.
    """

    session_ns: int
    open_ns: int
    close_ns: int
    bar_ns: int
    fine_ns: int

    @classmethod
    def of(cls, day: date, bar_minutes: int, feed_bar_minutes: int) -> Grid:
        """Raises `DataError` if there is no session, `ConfigError` if the bars do not divide."""
        check_range("feed_bar_minutes", feed_bar_minutes, 1)
        if bar_minutes % feed_bar_minutes:
            remedy = f"must divide data.bar_minutes={bar_minutes}"
            raise ConfigError("task.feed_bar_minutes", feed_bar_minutes, remedy)
        table = sessions(day, day)
        if table.empty:
            raise DataError(f"{day} is no session of the exchange")
        (opened,), (closed,) = open_close_ns(table)
        midnight = pd.Timestamp(day).as_unit("ns").value
        return cls(
            midnight, int(opened), int(closed), bar_minutes * MINUTE_NS,
            feed_bar_minutes * MINUTE_NS,
        )  # fmt: skip

    @property
    def count(self) -> int:
        """How many traded bars the session holds."""
        return self.number(self.close_ns - 1) + 1

    def number(self, ns: int) -> int:
        """The traded bar that a moment lies in."""
        return (ns - self.open_ns) // self.bar_ns

    def first_from(self, ns: int) -> int:
        """The first traded bar that starts then or later."""
        return max(-((self.open_ns - ns) // self.bar_ns), 0)

    def start(self, number: int) -> int:
        return self.open_ns + number * self.bar_ns

    def end(self, number: int) -> int:
        return min(self.start(number + 1), self.close_ns)

    def last_fine(self, number: int) -> int:
        """Start of the last fine bar inside a traded one."""
        start, end = self.start(number), self.end(number)
        return start + (end - start - 1) // self.fine_ns * self.fine_ns

    def fine_end(self, start_ns: int) -> int:
        return min(start_ns + self.fine_ns, self.close_ns)

    def newest_fine(self, now_ns: int) -> int | None:
        """Start of the fine bar that ended last by `now_ns`; None before the first has."""
        last = self.last_fine(self.count - 1)
        if now_ns >= self.close_ns:
            return last
        ended = (now_ns - self.open_ns) // self.fine_ns
        return self.open_ns + (ended - 1) * self.fine_ns if ended > 0 else None
