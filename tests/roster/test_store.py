"""The table of agents: what is kept, what is refused, and what a session is told when it asks."""

from __future__ import annotations

import multiprocessing
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from intraday_rl.roster import store
from intraday_rl.roster.agent import AgentStatus
from intraday_rl.roster.store import (
    EMERGENCY_STOP,
    STOPPED,
    AgentBusy,
    AgentUnknown,
    Roster,
    TooManyAgents,
)

NOW, LATER = "2026-11-23T14:00:00+00:00", "2026-11-23T15:00:00+00:00"
WORDS = ("task=paper", "task.model=champion")
AT_ONCE = 40


@pytest.fixture
def roster(tmp_path) -> Roster:
    return Roster(tmp_path)


def make(roster: Roster, *names: str, starts: bool = False) -> None:
    for name in names:
        roster.create(name, {"name": name}, WORDS, auto_restart=True, now=NOW)
        if starts:
            roster.start(name, once=False, now=NOW)


def test_a_new_agent_is_stopped_and_keeps_what_it_was_given(roster):
    made = roster.create("alpha", {"risk": {"x": 1}}, WORDS, auto_restart=False, now=NOW)
    assert made == roster.get("alpha") == Roster(roster.folder).get("alpha")
    assert (made.status, made.once, made.auto_restart) == (AgentStatus.stopped, False, False)
    assert (made.payload, made.words, made.created_at) == ({"risk": {"x": 1}}, WORDS, NOW)
    assert (made.session, made.updated_at, made.pid, made.restarts) == (None, None, None, 0)
    assert roster.sessions("alpha") == roster.folder / "alpha"


def test_a_name_is_taken_once_and_there_is_room_for_so_many(roster, monkeypatch):
    make(roster, "beta", "alpha")
    assert [agent.name for agent in roster.all()] == ["alpha", "beta"]
    with pytest.raises(AgentBusy, match="an agent alpha already"):
        make(roster, "alpha")
    monkeypatch.setattr(store, "MOST_AGENTS", 2)
    with pytest.raises(TooManyAgents, match="2 agents already"):
        make(roster, "gamma")
    with pytest.raises(AgentBusy):
        make(roster, "alpha")


def test_whoever_is_not_there_is_unknown_to_every_method(roster):
    for act in (
        lambda: roster.get("nobody"),
        lambda: roster.start("nobody", once=False, now=NOW),
        lambda: roster.stop("nobody"),
        lambda: roster.remove("nobody"),
        lambda: roster.emergency_stop("nobody", "why", NOW),
    ):
        with pytest.raises(AgentUnknown, match="nobody"):
            act()
    assert roster.last_stop() == 0


def test_starting_forgets_the_error_the_halt_and_the_restarts(roster):
    make(roster, "alpha")
    roster.emergency_stop("alpha", "why", NOW)
    roster.process("alpha", None, None, 9)
    roster.failed("alpha", "status 3: no bars")
    failed = roster.get("alpha")
    assert (failed.status, failed.error, failed.halt_reason) == (
        AgentStatus.error, "status 3: no bars", "why",
    )  # fmt: skip
    started = roster.start("alpha", once=True, now=LATER)
    assert (started.status, started.once, started.started_at) == (AgentStatus.running, True, LATER)
    assert (started.error, started.halted_at, started.halt_reason) == (None, None, None)
    assert started.restarts == 0
    assert not roster.start("alpha", once=False, now=LATER).once


def test_an_agent_is_removed_only_when_it_is_stopped_and_its_process_gone(roster):
    make(roster, "alpha", starts=True)
    with pytest.raises(AgentBusy, match="at work"):
        roster.remove("alpha")
    roster.process("alpha", 17, 1.5, 0)
    roster.stop("alpha")
    with pytest.raises(AgentBusy, match="wait until it is flat"):
        roster.remove("alpha")
    roster.process("alpha", None, None, 1)  # it died: its session is yet to be closed
    with pytest.raises(AgentBusy, match="wait until it is flat"):
        roster.remove("alpha")
    roster.process("alpha", None, None, 0)
    (roster.sessions("alpha") / "2026-11-23").mkdir(parents=True)
    roster.remove("alpha")
    assert roster.all() == []
    assert (roster.sessions("alpha") / "2026-11-23").is_dir()


def test_a_running_session_is_asked_nothing_and_a_stopped_one_to_end(roster):
    make(roster, "alpha", starts=True)
    assert roster.asked("alpha", 0) is None
    roster.stop("alpha")
    assert roster.asked("alpha", 0) == STOPPED
    roster.start("alpha", once=True, now=LATER)
    assert roster.asked("alpha", 0) is None
    roster.failed("alpha", "why")
    assert roster.asked("alpha", 0) == STOPPED


def test_a_session_of_no_agent_in_the_table_ends_only_with_everything(roster):
    make(roster, "alpha", starts=True)
    assert roster.asked("typed", 0) is None
    roster.emergency_stop("alpha", "why", NOW)
    assert roster.asked("typed", 0) is None
    roster.emergency_stop(None, "why", NOW)
    assert roster.asked("typed", 0) == EMERGENCY_STOP


def test_an_emergency_stop_of_one_leaves_the_others_alone(roster):
    make(roster, "alpha", "beta", starts=True)
    assert roster.emergency_stop("alpha", "prices look wrong", LATER) == ["alpha"]
    halted = roster.get("alpha")
    assert (halted.status, halted.halted_at) == (AgentStatus.stopped, LATER)
    assert halted.halt_reason == "prices look wrong"
    assert roster.asked("alpha", 0) == EMERGENCY_STOP
    assert roster.asked("beta", 0) is None
    assert roster.get("beta").status is AgentStatus.running


def test_an_emergency_stop_of_all_means_everyone_and_asking_again_changes_nothing(roster):
    make(roster, "alpha", "beta", starts=True)
    for _ in range(2):
        assert roster.emergency_stop(None, "why", LATER) == ["alpha", "beta"]
        assert {agent.status for agent in roster.all()} == {AgentStatus.stopped}
        assert {roster.asked(name, 0) for name in ("alpha", "beta")} == {EMERGENCY_STOP}
    assert Roster(roster.folder).emergency_stop(None, "why", LATER) == ["alpha", "beta"]


def test_a_stop_goes_on_for_the_session_that_it_met_and_not_for_the_next(roster):
    make(roster, "alpha", starts=True)
    before = roster.last_stop()
    roster.emergency_stop(None, "why", NOW)
    roster.start("alpha", once=False, now=LATER)
    assert roster.asked("alpha", before) == EMERGENCY_STOP
    assert roster.asked("alpha", roster.last_stop()) is None


def test_a_halted_agent_is_halted_whenever_its_session_began(roster):
    make(roster, "alpha", starts=True)
    roster.emergency_stop("alpha", "why", NOW)
    assert roster.asked("alpha", roster.last_stop()) == EMERGENCY_STOP


def test_news_of_a_session_bears_the_machines_time(roster):
    make(roster, "alpha")
    roster.show("alpha", {"time": "2018-03-14 13:35:00+00:00", "position": 3.0})
    shown = roster.get("alpha")
    assert shown.session == {"time": "2018-03-14 13:35:00+00:00", "position": 3.0}
    age = datetime.now(UTC) - datetime.fromisoformat(shown.updated_at)
    assert timedelta(0) <= age < timedelta(minutes=1)
    roster.show("nobody", {"position": 1.0})
    with pytest.raises(ValueError, match="JSON"):
        roster.show("alpha", {"equity": float("nan")})


def test_a_change_that_fails_half_way_leaves_the_table_as_it_was(roster):
    """The stop is written down and every agent halted, or neither."""
    make(roster, "alpha", "beta", starts=True)
    with sqlite3.connect(roster.folder / "agents.sqlite") as rows:
        rows.execute(
            "CREATE TRIGGER fails BEFORE UPDATE ON agents WHEN OLD.name = 'beta' "
            "BEGIN SELECT RAISE(ABORT, 'disk'); END"
        )
    rows.close()
    with pytest.raises(sqlite3.DatabaseError):
        roster.emergency_stop(None, "why", NOW)
    assert roster.last_stop() == 0
    assert roster.get("alpha").status is AgentStatus.running


def create_many(folder: Path, whose: str, barrier: object) -> None:
    """In a process of its own: agents that both want, and news of one."""
    roster = Roster(folder)
    barrier.wait()  # type: ignore[attr-defined]
    for place in range(AT_ONCE):
        try:
            roster.create(f"agent-{place}", {"by": whose}, WORDS, auto_restart=True, now=NOW)
        except AgentBusy:
            roster.start(f"agent-{place}", once=False, now=NOW)
        roster.show("agent-0", {"by": whose, "place": place})


def test_two_processes_make_each_agent_once_and_lose_nothing(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(2)
    both = [
        spawn.Process(target=create_many, args=(tmp_path, whose, barrier))
        for whose in ("one", "other")
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    agents = Roster(tmp_path).all()
    assert len(agents) == AT_ONCE
    # Whoever came second found it taken, and started it.
    assert {agent.status for agent in agents} == {AgentStatus.running}
    assert Roster(tmp_path).get("agent-0").session["place"] == AT_ONCE - 1


def stop_everything(folder: Path, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    for place in range(AT_ONCE):
        Roster(folder).emergency_stop(None, f"stop {place}", LATER)


def test_stops_and_news_at_the_same_time_do_not_undo_each_other(tmp_path):
    roster = Roster(tmp_path)
    make(roster, "alpha", starts=True)
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(2)
    process = spawn.Process(target=stop_everything, args=(tmp_path, barrier))
    process.start()
    barrier.wait(120)
    for place in range(AT_ONCE):
        roster.show("alpha", {"place": place})
        roster.process("alpha", 17, 1.5, place)
    process.join(120)
    found = roster.get("alpha")
    assert (found.status, found.halt_reason) == (AgentStatus.stopped, f"stop {AT_ONCE - 1}")
    assert (found.session, found.pid, found.restarts) == ({"place": AT_ONCE - 1}, 17, AT_ONCE - 1)
    assert roster.last_stop() == AT_ONCE
