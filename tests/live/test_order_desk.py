"""Every order is written down before it goes out, and followed until its end is known."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

from intraday_rl.live.book import SessionBook
from intraday_rl.live.brokers.broker import (
    BrokerUnavailable,
    Order,
    OrderRefused,
    OrderState,
    Report,
)
from intraday_rl.live.journal import Journal
from intraday_rl.live.order_desk import MISMATCH, UNWRITTEN, OrderDesk

NOON = pd.Timestamp("2022-03-14 16:00", tz="UTC")
BAR = pd.Timestamp("2022-03-14 15:45", tz="UTC")


def after(seconds: float) -> pd.Timestamp:
    return NOON + pd.Timedelta(seconds=seconds)


@dataclass
class ScriptedBroker:
    """Answers as the test says; `journal_seen`: what was on the disk when an order arrived."""

    journal: Path
    says: dict[str, Report] = field(default_factory=dict)
    held: float = 0.0
    submitted: list[Order] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    journal_seen: list[str] = field(default_factory=list)
    refuses: str | None = None
    silent: bool = False
    tells_position: bool = True
    name = "scripted"
    turns: bool = True
    patience = pd.Timedelta(seconds=20)

    def check(self) -> None:
        if self.silent:
            raise BrokerUnavailable("no answer")

    def submit(self, order: Order) -> Report:
        self.submitted.append(order)
        self.journal_seen.append(self.journal.read_text())
        self.check()
        if self.refuses:
            raise OrderRefused(self.refuses)
        return self.says.setdefault(order.client_id, Report(order.client_id, OrderState.open))

    def find(self, client_id: str) -> Report | None:
        self.check()
        return self.says.get(client_id)

    def cancel(self, client_id: str) -> None:
        self.check()
        self.cancelled.append(client_id)

    def position(self) -> float:
        self.check()
        if not self.tells_position:
            raise BrokerUnavailable("positions: 500")
        return self.held

    def fill(self, client_id: str, shares: float, price: float, state: str = "filled") -> None:
        self.says[client_id] = Report(client_id, OrderState(state), shares, price, NOON)
        self.held = sum(report.filled for report in self.says.values())

    def close(self) -> None:
        """Nothing is held."""

    def look(self, *_: object) -> None:
        """It has a market of its own."""


@pytest.fixture
def desk(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    with journal:
        yield OrderDesk(journal, SessionBook(), ScriptedBroker(journal.file), "SPY", "t")


def events(desk: OrderDesk) -> list[str]:
    return [entry["event"] for entry in desk.journal.read()]


def test_an_order_is_on_the_disk_before_it_goes_out(desk):
    desk.order(100.0, BAR, NOON)
    written = [json.loads(line) for line in desk.broker.journal_seen[0].splitlines()]
    assert [one["event"] for one in written] == ["order"]
    assert written[0]["client_id"] == desk.broker.submitted[0].client_id
    assert events(desk) == ["order", "report"]


def test_an_unanswered_order_that_arrived_is_found_and_not_sent_again(desk):
    desk.broker.silent = True
    desk.order(100.0, BAR, NOON)
    desk.broker.silent = False
    desk.broker.fill("t-001", 100.0, 50.0)
    desk.poll(after(3))
    assert desk.book.position == 100.0
    assert len(desk.broker.submitted) == 1


def test_an_unanswered_order_that_nobody_knows_is_lost_after_a_while_and_never_sent_again(desk):
    desk.broker.silent = True
    desk.order(100.0, BAR, NOON)
    desk.broker.silent = False
    desk.poll(after(9))
    assert not desk.book.orders["t-001"].lost
    assert not desk.clear(after(9))
    desk.poll(after(10))
    assert desk.book.orders["t-001"].lost
    assert desk.clear(after(10))
    assert len(desk.broker.submitted) == 1


def test_an_unanswered_exit_is_sent_again_under_the_same_id_until_it_is_answered(desk):
    desk.order(100.0, BAR, NOON)
    desk.broker.fill("t-001", 100.0, 50.0)
    desk.broker.silent = True
    assert not desk.flatten(None, after(60))
    assert [one.client_id for one in desk.broker.submitted] == ["t-001"]  # its fill is not known
    desk.broker.silent = False
    desk.poll(after(61))
    desk.broker.silent = True
    assert not desk.flatten(None, after(62))
    desk.book.orders["t-001"].report = desk.broker.says["t-001"]
    desk.broker.silent = False
    for second in (63, 64):
        desk.flatten(None, after(second))
    exits = [one for one in desk.broker.submitted if one.shares < 0]
    assert {one.client_id for one in exits} == {"t-002"}
    desk.broker.fill("t-002", -100.0, 51.0)
    assert desk.flatten(None, after(65))
    assert desk.book.position == 0.0


def test_an_exit_that_never_arrived_is_sent_as_soon_as_the_broker_answers_however_late(desk):
    held(desk, 100.0)
    desk.broker.silent = True
    for second in (10, 25, 40, 70):
        assert not desk.flatten(None, after(second))
    desk.broker.silent = False
    desk.flatten(None, after(71))
    assert desk.broker.submitted[-1].client_id == "t-002"
    assert desk.broker.submitted[-1].shares == -100.0
    desk.broker.fill("t-002", -100.0, 50.0)
    assert desk.flatten(None, after(72))


def test_a_full_disk_holds_up_no_exit_and_leaves_the_journal_whole(desk, monkeypatch):
    held(desk, 100.0)
    write = desk.journal.write

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk.journal, "write", full)
    desk.leave("cutoff", after(1))
    desk.flatten(None, after(1))
    desk.broker.fill("t-002", -100.0, 50.0)
    assert desk.flatten(None, after(2))
    monkeypatch.setattr(desk.journal, "write", write)
    desk.note("finding", after(3), text="room again")
    again = SessionBook.of(desk.journal.read())
    assert (again.position, again.leaving) == (0.0, "cutoff")


def test_what_was_filled_never_becomes_less(desk):
    desk.order(100.0, BAR, NOON)
    desk.broker.fill("t-001", 60.0, 50.0, "open")
    desk.poll(after(1))
    desk.broker.says["t-001"] = Report("t-001", OrderState.open, 40.0, 50.0)
    desk.poll(after(2))
    assert desk.book.position == 60.0
    before = len(desk.journal.read())
    desk.broker.fill("t-001", 60.0, 50.0, "open")
    desk.poll(after(3))
    assert len(desk.journal.read()) == before  # the same news twice is one line


def test_an_open_order_is_ended_before_another_one_goes_out(desk):
    desk.order(100.0, BAR, NOON)
    assert not desk.clear(after(900))
    assert desk.broker.cancelled == ["t-001"]
    desk.broker.fill("t-001", 30.0, 50.0, "cancelled")
    assert desk.clear(after(901))
    assert desk.book.position == 30.0


def test_an_exit_that_stays_open_is_replaced_by_one_for_the_rest(desk):
    desk.order(100.0, BAR, NOON)
    desk.broker.fill("t-001", 100.0, 50.0)
    desk.flatten(None, after(1))
    desk.broker.fill("t-002", -40.0, 50.0, "open")
    desk.flatten(None, after(10))
    assert desk.broker.cancelled == []
    desk.flatten(None, after(21))
    assert desk.broker.cancelled == ["t-002"]
    desk.broker.fill("t-002", -40.0, 50.0, "cancelled")
    desk.flatten(None, after(22))
    assert desk.broker.submitted[-1].shares == -60.0


def held(desk: OrderDesk, shares: float) -> None:
    """A position from an order of the bar before."""
    desk.order(shares, BAR - pd.Timedelta(minutes=15), NOON - pd.Timedelta(minutes=15))
    desk.broker.fill("t-001", shares, 50.0)
    desk.poll(NOON)


def test_through_zero_in_two_steps_where_the_broker_takes_no_such_order(desk):
    desk.broker.turns = False
    held(desk, 100.0)
    desk.order(-150.0, BAR, NOON)
    assert [one.shares for one in desk.broker.submitted] == [100.0, -100.0]
    desk.poll(after(1))
    assert len(desk.broker.submitted) == 2  # the first step is not done
    desk.broker.fill("t-002", -100.0, 50.0)
    desk.poll(after(2))
    assert [one.shares for one in desk.broker.submitted] == [100.0, -100.0, -50.0]
    desk.broker.fill("t-003", -50.0, 50.0)
    desk.poll(after(3))
    assert len(desk.broker.submitted) == 3
    assert desk.book.position == -50.0
    assert desk.book.fills()[BAR].shares == -150.0


def test_the_second_step_is_left_out_when_it_is_late_or_the_first_failed(desk):
    desk.broker.turns = False
    held(desk, 100.0)
    desk.order(-150.0, BAR, NOON)
    desk.broker.fill("t-002", -60.0, 50.0, "cancelled")
    desk.poll(after(2))
    assert len(desk.broker.submitted) == 2
    desk.broker.fill("t-002", -100.0, 50.0)
    desk.book.orders["t-002"].report = desk.broker.says["t-002"]
    desk.poll(after(61))
    assert len(desk.broker.submitted) == 2


def test_a_refused_order_is_final_and_the_reason_is_kept(desk):
    desk.broker.refuses = "insufficient buying power"
    desk.order(100.0, BAR, NOON)
    report = desk.book.orders["t-001"].report
    assert (report.state, report.reason) == (OrderState.rejected, "insufficient buying power")
    assert desk.clear(after(1))


def test_nothing_is_opened_once_the_session_leaves(desk):
    desk.leave("emergency_stop", NOON)
    desk.leave("cutoff", after(5))
    desk.order(100.0, BAR, after(6))
    assert desk.broker.submitted == []
    assert desk.book.leaving == "emergency_stop"


def test_a_position_that_no_order_explains_is_closed_and_ends_the_session(desk):
    desk.broker.held = 25.0
    assert not desk.agrees(NOON)
    assert desk.book.leaving is None  # fills and positions travel by two ways
    assert not desk.agrees(after(5))
    assert desk.book.leaving == MISMATCH
    desk.flatten(None, after(6))
    assert desk.broker.submitted[-1].shares == -25.0


def held_long(desk, shares: float = 100.0) -> None:
    """A filled decision."""
    desk.order(shares, BAR, NOON)
    sent = next(iter(desk.book.orders.values()))
    desk.broker.says[sent.order.client_id] = Report(
        sent.order.client_id, OrderState.filled, shares, 50.0, NOON
    )
    desk.broker.held = shares
    assert desk.clear(NOON)
    assert desk.agrees(NOON)


@pytest.mark.parametrize("trouble", ["silent", "refuses"])
def test_what_somebody_closed_by_hand_is_not_opened_again_by_a_late_exit(desk, trouble):
    held_long(desk)
    setattr(desk.broker, trouble, "no")
    for seconds in range(1, 40):
        assert not desk.flatten(None, after(seconds))
    desk.broker.held = 0.0  # by telephone
    for seconds in range(40, 50):
        desk.flatten(None, after(seconds))
    setattr(desk.broker, trouble, None)
    tried = len(desk.broker.submitted)
    flat = [desk.flatten(None, after(seconds)) for seconds in range(50, 70)]
    assert flat[-1]
    assert len(desk.broker.submitted) == tried
    assert desk.book.position == 0.0
    assert any("our fills add up to 100" in text for text in desk.book.alarms)


def test_an_exit_that_never_arrived_is_sent_again_while_the_shares_are_there(desk):
    held_long(desk)
    desk.broker.silent = True
    desk.flatten(None, after(1))
    desk.broker.silent = False
    desk.flatten(None, after(60))
    first, second = desk.broker.submitted[-2:]
    assert first == second
    assert first.shares == -100.0


def begun_again(desk) -> OrderDesk:
    """The desk of the next process: what it knows is in the journal."""
    book = SessionBook.of(desk.journal.read())
    return OrderDesk(desk.journal, book, desk.broker, "SPY", "t")


def test_what_was_closed_by_hand_before_a_restart_is_not_opened_again(desk):
    held_long(desk)
    again = begun_again(desk)
    again.broker.held = 0.0
    again.leave("flatten", after(1))
    tried = len(again.broker.submitted)
    flat = [again.flatten(None, after(seconds)) for seconds in range(1, 12)]
    assert flat[-1]
    assert len(again.broker.submitted) == tried
    assert again.book.adjusted == -100.0


def test_a_broker_that_tells_no_position_holds_up_the_first_exit_of_a_restart_for_seconds(desk):
    held_long(desk)
    again = begun_again(desk)
    again.broker.tells_position = False
    for seconds in range(1, 16):
        again.flatten(None, after(seconds))
    assert len(again.broker.submitted) == 1
    again.flatten(None, after(16))
    assert again.broker.submitted[-1].shares == -100.0


def test_a_broker_that_tells_no_position_holds_up_no_exit_of_a_process_that_agreed_before(desk):
    held_long(desk)
    desk.broker.tells_position = False
    desk.flatten(None, after(1))
    assert desk.broker.submitted[-1].shares == -100.0


@pytest.mark.parametrize("trouble", ["silent", "refuses"])
def test_a_broker_that_tells_no_position_does_not_hold_up_a_second_exit_for_ever(desk, trouble):
    held_long(desk)
    setattr(desk.broker, trouble, "no")
    for seconds in range(1, 13):
        desk.flatten(None, after(seconds))
    setattr(desk.broker, trouble, None)
    desk.broker.tells_position = False
    before = len(desk.broker.submitted)
    for seconds in range(13, 40):
        desk.flatten(None, after(seconds))
    assert len(desk.broker.submitted) > before
    assert {one.shares for one in desk.broker.submitted[before:]} == {-100.0}


def test_two_differences_that_each_settle_are_not_one_that_stays(desk):
    held_long(desk)
    desk.broker.held = 0.0  # the fill has not reached the positions yet
    assert not desk.agrees(after(0))
    desk.broker.held = 50.0  # a quarter of an hour later another one has not
    assert not desk.agrees(after(900))
    assert desk.book.leaving is None
    desk.broker.held = 100.0
    assert desk.agrees(after(902))
    desk.broker.held = 50.0
    assert not desk.agrees(after(1_800))
    assert not desk.agrees(after(1_806))
    assert desk.book.leaving == MISMATCH


def test_a_disk_that_takes_nothing_ends_the_day_and_sends_no_decision(desk, monkeypatch):
    held_long(desk)
    write = desk.journal.write

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk.journal, "write", full)
    sent = len(desk.broker.submitted)
    desk.order(50.0, BAR, after(1))
    assert len(desk.broker.submitted) == sent
    assert desk.book.leaving == UNWRITTEN
    desk.flatten(None, after(2))
    assert desk.broker.submitted[-1].shares == -100.0
    monkeypatch.setattr(desk.journal, "write", write)
    desk.note("finding", after(3), text="room again")
    again = SessionBook.of(desk.journal.read())
    assert (again.leaving, len(again.orders)) == (UNWRITTEN, 3)


def test_after_a_restart_the_book_is_what_the_journal_says(desk):
    desk.order(100.0, BAR, NOON)
    desk.broker.fill("t-001", 100.0, 50.25)
    desk.poll(after(1))
    again = SessionBook.of(desk.journal.read())
    assert again.orders == desk.book.orders
    assert again.fills() == desk.book.fills()
    assert again.position == 100.0


def test_a_finding_about_the_brokers_health_holds_for_a_while(desk):
    lasts = pd.Timedelta(seconds=10)
    assert desk.trouble(NOON, lasts) is None
    desk.broker.silent = True
    assert desk.trouble(after(9), lasts) is None
    assert desk.trouble(after(10), lasts) == "no answer"
    desk.broker.silent = False
    assert desk.trouble(after(19), lasts) == "no answer"
    assert desk.trouble(after(20), lasts) is None
