"""Time as a session meets it: every other file of this room is handed a clock."""

from __future__ import annotations

import threading
import time
from typing import Protocol

import pandas as pd

from intraday_rl.market.calendar import NEW_YORK
from intraday_rl.tasks import Rehearsal

LONGEST_WAIT_SECONDS = 1.0  # the machine's clock may be set meanwhile


class Clock(Protocol):
    """What time it is (UTC), and waiting for another."""

    @property
    def speed(self) -> float:
        """Seconds of this clock in a second of the machine's."""
        ...

    def now(self) -> pd.Timestamp:
        """The present."""
        ...

    def wait_until(self, moment: pd.Timestamp, leaving: threading.Event | None = None) -> None:
        """Return when `moment` has come, or somebody sets `leaving`; at once if it has."""
        ...


class ExchangeClock:
    """The machine's clock, or one that ran off from it at an anchor with another speed.

    Processes that share start, anchor and speed share the time, also one that begins later.
    """

    def __init__(
        self,
        start: pd.Timestamp | None = None,
        anchor: pd.Timestamp | None = None,
        speed: float = 1.0,
    ) -> None:
        self._anchor = _machine() if anchor is None else anchor
        self._start = self._anchor if start is None else start
        self._speed = speed

    @property
    def speed(self) -> float:
        return self._speed

    def now(self) -> pd.Timestamp:
        return self._start + (_machine() - self._anchor) * self._speed

    def wait_until(self, moment: pd.Timestamp, leaving: threading.Event | None = None) -> None:
        pause = threading.Event() if leaving is None else leaving
        while (left := (moment - self.now()).total_seconds()) > 0:
            if pause.wait(min(left / self._speed, LONGEST_WAIT_SECONDS)):
                return


class ReplayClock:
    """Begins at `start` and runs `speed` times as fast as the machine's; null = it jumps."""

    def __init__(self, start: pd.Timestamp, speed: float | None = None) -> None:
        self._present, self._pace = start, speed

    @property
    def speed(self) -> float:
        return self._pace or 1.0

    def now(self) -> pd.Timestamp:
        return self._present

    def wait_until(self, moment: pd.Timestamp, leaving: threading.Event | None = None) -> None:
        left = (moment - self._present).total_seconds()
        if left <= 0:
            return
        if self._pace is not None:
            time.sleep(left / self._pace)
        self._present = moment


def clock_of(rehearsal: Rehearsal) -> ExchangeClock:
    """The real clock, or the one that a rehearsal shares."""
    if rehearsal.start is None:
        return ExchangeClock()
    start = pd.Timestamp(rehearsal.start)
    start = start.tz_localize(NEW_YORK) if start.tzinfo is None else start
    anchor = None if rehearsal.anchor is None else pd.Timestamp(rehearsal.anchor)
    if anchor is not None and anchor.tzinfo is None:
        anchor = anchor.tz_localize("UTC")
    return ExchangeClock(start.tz_convert("UTC"), anchor, rehearsal.speed)


def _machine() -> pd.Timestamp:
    return pd.Timestamp(time.time_ns(), unit="ns", tz="UTC")
