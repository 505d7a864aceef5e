"""Time as a session meets it: the machine's own, or a replay's."""

from __future__ import annotations

import time
from typing import Protocol

import pandas as pd

from intraday_rl.market.stamps import now

LONGEST_SLEEP_SECONDS = 1.0  # a clock that was set, or a signal, is noticed within it


class Clock(Protocol):
    """What time it is (UTC), and waiting for another."""

    def now(self) -> pd.Timestamp:
        """The present."""
        ...

    def wait_until(self, moment: pd.Timestamp) -> None:
        """Return when `moment` has come; at once if it has."""
        ...


class ExchangeClock:
    """The machine's clock; it must be set by the network's time, as exchanges' are."""

    def now(self) -> pd.Timestamp:
        return now()

    def wait_until(self, moment: pd.Timestamp) -> None:
        while (left := (moment - self.now()).total_seconds()) > 0:
            time.sleep(min(left, LONGEST_SLEEP_SECONDS))


class ReplayClock:
    """Begins at `start` and runs `speed` times as fast as the machine's; null = it jumps."""

    def __init__(self, start: pd.Timestamp, speed: float | None = None) -> None:
        self._present, self._speed = start, speed

    def now(self) -> pd.Timestamp:
        return self._present

    def wait_until(self, moment: pd.Timestamp) -> None:
        left = (moment - self._present).total_seconds()
        if left <= 0:
            return
        if self._speed is not None:
            time.sleep(left / self._speed)
        self._present = moment
