"""Who calls a session's steps: a replay that jumps from moment to moment, or real time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas as pd

from intraday_rl.interruption import Interrupted
from intraday_rl.live.session import Session
from intraday_rl.live.watchdog import Watchdog, WatchdogThread

logger = logging.getLogger(__name__)

INTERRUPTED, FAILED = "interrupted", "failed"
LOOK_SECONDS = 1.0  # of the machine's clock, between two looks at what is expected
EXPECTING_SECONDS = 0.2  # likewise, while a bar or a fill is
FLATTEN_SECONDS = 30.0  # of the session's clock, for which an interrupted one tries to get flat

Show = Callable[[pd.Timestamp], None]


def replay(session: Session, watchdog: Watchdog) -> None:
    """Through every moment at which something can happen; the clock waits or jumps between them."""
    for moment in _moments(session, watchdog):
        session.clock.wait_until(moment)
        now = session.clock.now()
        session.step(now)
        watchdog.look(now)
        if session.is_over(now) and watchdog.flat_at is not None:
            return


def live(session: Session, watchdog: Watchdog, show: Show) -> None:
    """In real time, with the watchdog in a thread of its own; `show` tells how it stands.

    It ends when the watchdog has seen the broker agree that nothing is open.

    Neither a signal nor an error leaves a position behind: it is closed first, as far as the broker
    answers.
    """
    with WatchdogThread(watchdog, session.clock), _flat_before_it_ends(session):
        while True:
            now = session.clock.now()
            session.step(now)
            session.note_risk(now)
            show(now)
            if session.is_over(now) and watchdog.flat_at is not None:
                return
            session.clock.wait_until(_next(session, now))


def _next(session: Session, now: pd.Timestamp) -> pd.Timestamp:
    """The next bar's end exactly; before it only to look whether something has come."""
    seconds = EXPECTING_SECONDS if session.waits(now) else LOOK_SECONDS
    look = now + pd.Timedelta(seconds=seconds * session.clock.speed)
    later = session.day.bar_ends[session.day.bar_ends > now]
    return min(look, pd.Timestamp(later[0])) if len(later) else look


def _moments(session: Session, watchdog: Watchdog) -> list[pd.Timestamp]:
    """Ends of bars, the exit, and when a last bar that has not come is given up."""
    day = session.day
    grace = pd.Timedelta(seconds=session.options.bar_grace_seconds + 60.0)
    exits = [day.exit_at - watchdog.lead, day.exit_at, day.bar_ends[-1] + grace]
    return sorted({*map(pd.Timestamp, day.bar_ends), *exits})


@contextmanager
def _flat_before_it_ends(session: Session) -> Iterator[None]:
    try:
        yield
    except (Interrupted, Exception) as end:
        clock = session.clock
        session.desk.leave(INTERRUPTED if isinstance(end, Interrupted) else FAILED, clock.now())
        last = clock.now() + pd.Timedelta(seconds=FLATTEN_SECONDS)
        while not session.desk.flatten(None, clock.now()) and clock.now() < last:
            clock.wait_until(clock.now() + pd.Timedelta(seconds=EXPECTING_SECONDS * clock.speed))
        if session.desk.book.position:
            logger.error(
                "%s with %g shares of %s open: start the session again, or close them by hand",
                session.desk.book.leaving, session.desk.book.position, session.desk.symbol,
            )  # fmt: skip
        raise
