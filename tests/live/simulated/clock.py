"""Time that only the simulation moves, and may make jump."""

from __future__ import annotations

import threading

import pandas as pd


class SimulatedClock:
    """Shows what it was set to."""

    speed = 1.0

    def __init__(self, start: pd.Timestamp) -> None:
        self._now = start

    def now(self) -> pd.Timestamp:
        return self._now

    def set(self, moment: pd.Timestamp) -> None:
        self._now = moment

    def wait_until(self, moment: pd.Timestamp, leaving: threading.Event | None = None) -> None:
        raise AssertionError("a simulated session is stepped, it never waits")
