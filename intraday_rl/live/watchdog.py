"""Flat at the cutoff, or when somebody asks: independent of policy and feed.

It reads the clock, what was asked of the agent, and the order desk; it asks no policy and no feed.
So it goes on when the policy raises, the feed hangs or the process has just begun again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from intraday_rl.live.clock import Clock
from intraday_rl.live.order_desk import OrderDesk

logger = logging.getLogger(__name__)

CUTOFF, FLATTEN = "cutoff", "flatten"
LOOK_SECONDS = 1.0  # of the session's clock
SHORTEST_LOOK_SECONDS = 0.1  # of the machine's: a fast clock must not keep it busy
LEAVING_SECONDS = 5.0
LATE_EXIT = pd.Timedelta(seconds=60)
STILL_OPEN = "a position is open after the exit was due, and the broker takes no order to close it"


@dataclass(slots=True)
class Watchdog:
    """`asked`: why the session is to end now, such as an emergency stop; None = it is not.

    `flat_at`: since when the broker agrees that nothing is open; None = it does not, or was not
    asked yet.
    """

    desk: OrderDesk
    exit_at: pd.Timestamp
    lead: pd.Timedelta
    asked: Callable[[], str | None]
    flat_at: pd.Timestamp | None = None
    _failed: str | None = None

    def look(self, now: pd.Timestamp) -> None:
        """Begin to leave if it is time, then one step towards flat; never raises."""
        try:
            self._look(now)
            self._failed = None
        except Exception as error:  # whatever it is, the next look must come
            if str(error) != self._failed:
                self._failed = str(error)
                logger.exception("watchdog: trying again")

    def next_look(self, now: pd.Timestamp, speed: float) -> pd.Timestamp:
        """When to look again: each second, and exactly when the exit is due."""
        step = pd.Timedelta(seconds=max(LOOK_SECONDS, SHORTEST_LOOK_SECONDS * speed))
        due = self.exit_at - self.lead
        return due if now < due < now + step else now + step

    def _look(self, now: pd.Timestamp) -> None:
        book = self.desk.book
        if book.closed:
            return
        if book.leaving is None:
            reason = self.asked()
            if reason is None and now >= self.exit_at - self.lead:
                reason = CUTOFF
            if reason is None:
                return
            self.desk.leave(reason, now)
        # Sent before the boundary, or long after it, the exit cannot fill at its opening.
        in_time = pd.Timedelta(0) <= now - self.exit_at <= LATE_EXIT
        if self.desk.flatten(self.exit_at if in_time else None, now):
            self.flat_at = self.flat_at or now
        elif book.position != 0.0 or book.open_orders():
            self.flat_at = None
            if now - self.exit_at > LATE_EXIT and book.position and not self.desk.has_exit():
                self._alarm(now)

    def _alarm(self, now: pd.Timestamp) -> None:
        """Once, also when the process is begun again: somebody must look now."""
        if STILL_OPEN not in self.desk.book.alarms:
            logger.error("%s", STILL_OPEN)
            self.desk.note("alarm", now, text=STILL_OPEN)


@dataclass(slots=True)
class WatchdogThread:
    """A watchdog that looks by itself."""

    watchdog: Watchdog
    clock: Clock
    _leaving: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> WatchdogThread:
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        assert self._thread is not None
        self._thread.join(LEAVING_SECONDS)

    def _run(self) -> None:
        while not self._leaving.is_set():
            now = self.clock.now()
            self.watchdog.look(now)
            self.clock.wait_until(self.watchdog.next_look(now, self.clock.speed), self._leaving)
