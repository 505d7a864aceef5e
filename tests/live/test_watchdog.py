"""Flat at the cutoff, whatever policy, feed or process do."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import date

import pandas as pd
import pytest

from intraday_rl.live.book import SessionBook
from intraday_rl.live.brokers.broker import BrokerUnavailable
from intraday_rl.live.clock import ExchangeClock
from intraday_rl.live.driving import FAILED, live
from intraday_rl.live.watchdog import CUTOFF, DEAF, STILL_OPEN, Watchdog, WatchdogThread
from intraday_rl.roster.store import EMERGENCY_STOP

ORDINARY, HALF_DAY = date(2021, 8, 11), date(2021, 11, 26)


@pytest.fixture
def playing(backtest, tmp_path):
    """A session with its journal open, its first decisions taken, and a long position."""

    def begin(day: date, decisions: int = 3):
        session = backtest.session(day, tmp_path)
        session.policy = Always(1.0)
        stack.append(session)
        session.desk.journal.__enter__()
        for bar_end in session.day.bar_ends[: decisions + 1]:
            session.clock.wait_until(bar_end)
            session.step(session.clock.now())
        assert session.desk.book.position > 0.0
        return session

    stack: list = []
    yield begin
    for session in stack:
        session.desk.journal.__exit__(None, None, None)
        session.broker.close()


class Always:
    """The same action at every bar."""

    def __init__(self, action: float) -> None:
        self.action = action

    def predict(self, observation) -> float:
        return self.action

    def begin_session(self) -> None:
        """Nothing is kept."""


def watchdog_of(session, asked=lambda: None, lead: float = 0.0) -> Watchdog:
    return Watchdog(session.desk, session.day.exit_at, pd.Timedelta(seconds=lead), asked)


@pytest.mark.parametrize(("day", "time"), [(ORDINARY, "15:45"), (HALF_DAY, "12:45")])
def test_the_exit_goes_out_at_the_cutoff_and_not_before(playing, day, time):
    session = playing(day)
    watchdog = watchdog_of(session)
    watchdog.look(session.day.exit_at - pd.Timedelta(seconds=1))
    assert session.desk.book.leaving is None
    watchdog.look(session.day.exit_at)
    assert session.desk.book.leaving == CUTOFF
    (sent,) = [one for one in session.desk.book.orders.values() if one.bar_end is None]
    assert f"{sent.sent_at.tz_convert('America/New_York'):%H:%M}" == time
    assert sent.order.shares == -session.desk.book.position


def test_it_asks_neither_policy_nor_feed(playing):
    session = playing(ORDINARY)
    session.policy = session.feed = None  # whoever asks them fails
    watchdog = watchdog_of(session)
    session.clock.wait_until(session.day.exit_at + pd.Timedelta(minutes=16))
    now = session.clock.now()
    watchdog.look(now)
    watchdog.look(now)
    assert session.desk.book.position == 0.0
    assert watchdog.flat_at is not None


def test_an_emergency_stop_flattens_at_once_then_halts(playing):
    session = playing(ORDINARY)
    watchdog = watchdog_of(session, lambda: EMERGENCY_STOP)
    now = session.clock.now() + pd.Timedelta(seconds=100)
    session.clock.wait_until(now)
    watchdog.look(now)
    watchdog.look(now)
    assert session.desk.book.position == 0.0
    assert session.desk.book.leaving == EMERGENCY_STOP
    before = len(session.desk.book.orders)
    for bar_end in session.day.bar_ends[5:12]:
        session.clock.wait_until(bar_end)
        session.step(session.clock.now())
    assert len(session.desk.book.orders) == before
    assert session.is_over(session.clock.now())


def test_a_session_begun_again_after_the_cutoff_is_closed_at_the_first_look(playing):
    session = playing(ORDINARY)
    late = session.day.cutoff + pd.Timedelta(minutes=40)
    session.clock.wait_until(late)
    watchdog = watchdog_of(session)
    watchdog.look(late)
    session.step(late)
    watchdog.look(late)
    assert session.desk.book.position == 0.0
    assert session.desk.book.exited_at() == late  # nothing is booked at a price of the past


def test_an_error_in_a_look_does_not_end_the_looking(playing):
    session = playing(ORDINARY)
    watchdog = watchdog_of(session)
    submit, session.broker.submit = session.broker.submit, None
    watchdog.look(session.day.exit_at)
    assert session.desk.book.position != 0.0
    session.broker.submit = submit
    session.clock.wait_until(session.day.exit_at + pd.Timedelta(minutes=20))
    for _ in range(3):
        watchdog.look(session.clock.now())
    assert session.desk.book.position == 0.0


def test_a_broker_that_takes_no_exit_is_an_alarm_after_its_patience_and_a_minute_and_only_once(
    playing,
):
    session = playing(ORDINARY)
    watchdog = watchdog_of(session)
    submit = session.broker.submit

    def refuse(order):
        raise BrokerUnavailable("no answer")

    session.broker.submit = refuse
    session.broker.patience = pd.Timedelta(seconds=20)  # of a broker that fills at once
    due = session.day.exit_at
    for seconds in (0, 79):
        watchdog.look(due + pd.Timedelta(seconds=seconds))
    assert STILL_OPEN not in session.desk.book.alarms
    for seconds in (81, 82, 200):
        watchdog.look(due + pd.Timedelta(seconds=seconds))
    assert session.desk.book.alarms.count(STILL_OPEN) == 1
    again = SessionBook.of(session.desk.journal.read())  # as a process that is begun again has it
    assert again.alarms == session.desk.book.alarms
    session.broker.submit = submit
    session.clock.wait_until(due + pd.Timedelta(minutes=20))
    for _ in range(3):
        watchdog.look(session.clock.now())
    assert session.desk.book.position == 0.0


@pytest.mark.parametrize("trouble", ["never fills", "falls silent after accepting"])
def test_an_exit_that_was_accepted_and_comes_to_nothing_is_an_alarm(playing, trouble):
    session = playing(ORDINARY)
    watchdog = watchdog_of(session)
    due = session.day.exit_at
    watchdog.look(due)
    (sent,) = [one for one in session.desk.book.orders.values() if one.bar_end is None]
    assert sent.report is not None
    session.broker.cancel = lambda client_id: None
    if trouble != "never fills":

        def silent(*_: object) -> None:
            raise BrokerUnavailable("no answer")

        session.broker.find = session.broker.position = silent
    session.broker.patience = pd.Timedelta(minutes=5)
    for minutes in range(1, 8):
        watchdog.look(due + pd.Timedelta(minutes=minutes))
    assert STILL_OPEN in session.desk.book.alarms


def test_what_was_asked_cannot_be_read_and_the_cutoff_holds_all_the_same(playing):
    session = playing(ORDINARY)

    def locked() -> str:
        raise sqlite3.OperationalError("database is locked")

    watchdog = watchdog_of(session, locked)
    watchdog.look(session.day.exit_at - pd.Timedelta(seconds=5))
    assert session.desk.book.leaving is None
    watchdog.look(session.day.exit_at)
    assert session.desk.book.leaving == CUTOFF
    assert [one for one in session.desk.book.orders.values() if one.bar_end is None]


def test_a_session_that_nobody_could_stop_any_more_ends_by_itself_after_a_minute(playing):
    session = playing(ORDINARY)

    def locked() -> str:
        raise sqlite3.OperationalError("database is locked")

    watchdog = watchdog_of(session, locked)
    noon = session.clock.now()
    watchdog.look(noon)
    watchdog.asked = lambda: None  # it was a moment's trouble
    watchdog.look(noon + pd.Timedelta(seconds=50))
    watchdog.asked = locked
    for seconds in (55, 114):
        watchdog.look(noon + pd.Timedelta(seconds=seconds))
    assert session.desk.book.leaving is None
    watchdog.look(noon + pd.Timedelta(seconds=115))
    assert session.desk.book.leaving == DEAF
    assert any("database is locked" in text for text in session.desk.book.alarms)


def test_an_error_that_nobody_foresaw_closes_what_is_open_before_it_is_shown(playing):
    session = playing(ORDINARY)
    session.clock = session.broker._clock = ExchangeClock(session.clock.now(), speed=60.0)
    watchdog = watchdog_of(session)

    def fails(now: pd.Timestamp) -> None:
        raise RuntimeError("unforeseen")

    with pytest.raises(RuntimeError, match="unforeseen"):
        live(session, watchdog, fails)
    assert session.desk.book.leaving == FAILED
    assert session.desk.book.position == 0.0


def test_an_exit_that_waits_for_its_price_is_no_alarm(playing):
    """The paper broker knows the opening only when the bar has come."""
    session = playing(ORDINARY)
    watchdog = watchdog_of(session)
    for minutes in (0, 2, 14):
        watchdog.look(session.day.exit_at + pd.Timedelta(minutes=minutes))
    assert session.desk.book.position != 0.0
    assert session.desk.book.alarms == []


def test_it_looks_exactly_when_the_exit_is_due(playing):
    session = playing(ORDINARY)
    watchdog = watchdog_of(session, lead=5.0)
    due = session.day.exit_at - pd.Timedelta(seconds=5)
    before = due - pd.Timedelta(milliseconds=300)
    assert watchdog.next_look(before, speed=1.0) == due
    assert watchdog.next_look(due, speed=1.0) == due + pd.Timedelta(seconds=1)


def test_a_policy_and_a_feed_that_hang_do_not_hold_up_the_exit(playing):
    """In real threads: the session's own is stuck in its policy while the cutoff passes."""
    session = playing(ORDINARY)
    stuck, free = threading.Event(), threading.Event()

    class Hanging(Always):
        def predict(self, observation) -> float:
            stuck.set()
            free.wait(30.0)
            return 1.0

    session.policy = Hanging(1.0)
    session.options.late_decision_seconds = 3_600.0  # in fast time a busy machine is late
    last_decision = session.day.decision_ends[-1]
    session.clock = session.broker._clock = ExchangeClock(
        last_decision - pd.Timedelta(seconds=30), speed=900.0
    )
    session.began = session.clock.now()
    watchdog = watchdog_of(session)
    thread = threading.Thread(target=live, args=(session, watchdog, lambda now: None), daemon=True)
    thread.start()
    assert stuck.wait(20.0)
    deadline = time.monotonic() + 30.0
    while session.desk.book.position != 0.0 or session.desk.book.leaving is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert session.desk.book.leaving == CUTOFF
    exits = [one for one in session.desk.book.orders.values() if one.bar_end is None]
    assert exits[0].sent_at - session.day.exit_at < pd.Timedelta(seconds=5 * 900)
    free.set()
    thread.join(30.0)
    assert not thread.is_alive()


def test_its_thread_ends_when_the_session_does(playing):
    session = playing(ORDINARY)
    thread = WatchdogThread(watchdog_of(session), ExchangeClock())
    with thread:
        running = thread._thread
    assert running is not None
    assert not running.is_alive()
