"""Time as a session meets it."""

from __future__ import annotations

import time
from typing import Protocol

import pandas as pd


class Clock(Protocol):
    """What time it is (UTC), and waiting for another."""

    def now(self) -> pd.Timestamp:
        """The present."""
        ...

    def wait_until(self, moment: pd.Timestamp) -> None:
        """Return when `moment` has come; at once if it has."""
        ...


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
