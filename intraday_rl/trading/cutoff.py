"""When everything is sold, and what price an order gets."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum

import pandas as pd

from intraday_rl.errors import ConfigError, check_range

NEW_YORK = "America/New_York"
CLOCK = "%H:%M"


class Fill(Enum):
    """What price an order gets, from the bar k at whose end it is decided."""

    next_open = "next_open"  # open of bar k+1
    next_close = "next_close"  # close of bar k+1
    close = "close"  # close of bar k: same-bar, for comparison only


@dataclass(slots=True, kw_only=True)
class Cutoff:
    """Flat by min(`latest_time` New York, close − `minutes_before_close`).

    | field | unit | |
    |---|---|---|
    | `latest_time` | New York time | by the clock, as 15:45; null = relative to the close alone |
    | `minutes_before_close` | minutes | of the session's own close, half days included |
    """

    latest_time: str | None = "15:45"
    minutes_before_close: int = 15

    def __post_init__(self) -> None:
        check_range("minutes_before_close", self.minutes_before_close, 0, 380)
        if self.latest_time is not None:
            try:
                dt.datetime.strptime(self.latest_time, CLOCK)  # noqa: DTZ007 - a wall clock
            except ValueError:
                raise ConfigError(
                    "latest_time",
                    self.latest_time,
                    'must be a quoted time such as "15:45", or null',
                ) from None

    def times(self, calendar: pd.DataFrame) -> pd.Series:
        """Cutoff (UTC) of each session in `calendar` (index session; columns open, close)."""
        cutoff = calendar["close"] - pd.Timedelta(minutes=self.minutes_before_close)
        if self.latest_time is not None:
            clock = dt.datetime.strptime(self.latest_time, CLOCK)  # noqa: DTZ007 - a wall clock
            wall = pd.DatetimeIndex(calendar.index) + pd.Timedelta(
                hours=clock.hour, minutes=clock.minute
            )
            latest = pd.Series(wall.tz_localize(NEW_YORK).tz_convert("UTC"), index=calendar.index)
            cutoff = cutoff.where(cutoff < latest, latest)
        early = cutoff <= calendar["open"]
        if early.any():
            raise ConfigError(
                "env.cutoff.latest_time",
                self.latest_time,
                f"is before the open of session {calendar.index[early][0].date()}; choose it later",
            )
        return cutoff
