"""Flat at the cutoff, or when somebody asks: independent of policy and feed.

It reads the clock, what was asked of the agent, and the order desk; it asks no policy and no feed.
So it goes on when the policy raises, the feed hangs or the process has just begun again. Where what
was asked cannot be read, the cutoff holds all the same; and as nobody could stop the session then,
it ends by itself after a while.
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
STILL_OPEN = "long after the exit was due the broker has not confirmed that all is closed"
DEAF_AFTER = pd.Timedelta(seconds=60)
DEAF = "stops_unreadable"


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
    _deaf_since: pd.Timestamp | None = None

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
            reason = CUTOFF if now >= self.exit_at - self.lead else self._asked(now)
            if reason is None:
                return
            self.desk.leave(reason, now)
        try:
            # Sent before the boundary, or long after it, the exit cannot fill at its opening.
            in_time = pd.Timedelta(0) <= now - self.exit_at <= LATE_EXIT
            if self.desk.flatten(self.exit_at if in_time else None, now):
                self.flat_at = self.flat_at or now
            elif book.position != 0.0 or book.open_orders():
                self.flat_at = None
        finally:
            left = book.left_at or now
            if self.flat_at is None and now - left > self.desk.broker.patience + LATE_EXIT:
                self._alarm(STILL_OPEN, now)

    def _asked(self, now: pd.Timestamp) -> str | None:
        try:
            reason = self.asked()
            self._deaf_since = None
        except Exception as error:  # whatever is wrong with it, the session must be watched
            self._deaf_since = self._deaf_since or now
            if now - self._deaf_since < DEAF_AFTER:
                return None
            self._alarm(f"what the agent is told cannot be read ({error}): the session ends", now)
            return DEAF
        return reason

    def _alarm(self, text: str, now: pd.Timestamp) -> None:
        """Once, also when the process is begun again: somebody must look now."""
        if text not in self.desk.book.alarms:
            logger.error("%s", text)
            self.desk.note("alarm", now, text=text)


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
