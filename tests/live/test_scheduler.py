"""Sessions are begun before the open, watched over and begun again; one agent's end is its own.

The sessions here are small scripts in place of the entry script: they keep a journal as a session
does, and end as the test wants.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import psutil
import pytest

from intraday_rl.jobs import process
from intraday_rl.live.days import unclosed
from intraday_rl.live.scheduler import MOST_RESTARTS, Scheduler
from intraday_rl.roster.agent import AgentStatus
from intraday_rl.roster.store import Roster
from tests.live.simulated.clock import SimulatedClock

MONDAY = date(2022, 3, 14)  # the first after a change of the clocks
LINES = """
import json, os, pathlib, sys, time
words = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
day = words["task.day"].strip("'")
file = pathlib.Path(words["folder"]) / words["task.agent"] / day / "journal.jsonl"
file.parent.mkdir(parents=True, exist_ok=True)
def write(event):
    number = len(file.read_text().splitlines()) if file.exists() else 0
    with file.open("a") as lines:
        lines.write(json.dumps({"number": number, "event": event, "time": "2022-03-14T13:00Z",
            "equity": 1.0, "moment_a": 0.0, "moment_b": 0.0, "stops_before": 0}) + "\\n")
(file.parent / "seen").open("a").write(json.dumps(words) + "\\n")
opened = file.exists() and file.stat().st_size
"""
PLAYS = "write('opened'); write('closed')"
OPENS_AND_DIES = "opened or write('opened'); sys.exit(1)"
DIES_ONCE = "if not opened:\n    write('opened'); sys.exit(1)\nwrite('closed')"
REFUSED = "print('task.model=latest: no such model'); sys.exit(2)"
SLEEPS = "opened or write('opened'); time.sleep(600)"


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="America/New_York").tz_convert("UTC")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(at("2022-03-14 09:00"))


@pytest.fixture
def roster(tmp_path, monkeypatch) -> Roster:
    def command_of(words):
        return [sys.executable, "-c", LINES + words[0], *words[1:], f"folder={tmp_path / 'live'}"]

    monkeypatch.setattr(process, "command_of", command_of)
    return Roster(tmp_path / "live")


@pytest.fixture
def scheduler(roster, clock):
    made = Scheduler(roster, clock, ["task.clock.speed=60.0"])
    yield made
    for child in made._children.values():
        child.ask_to_end()
        child.kill()


def agent(roster: Roster, name: str, script: str, *, auto_restart: bool = True, once=False) -> None:
    roster.create(name, {}, [script], auto_restart=auto_restart, now="2022-03-13T00:00Z")
    roster.start(name, once=once, now="2022-03-13T00:00Z")


def looked(scheduler: Scheduler, until: Callable[[], bool]) -> None:
    """Look, each time a minute of pauses later, until something is so."""
    deadline = time.monotonic() + 30.0
    seconds = scheduler._looked
    while not until():
        assert time.monotonic() < deadline, scheduler.roster.all()
        seconds += 60.0
        scheduler.look(seconds)
        time.sleep(0.02)
    scheduler._looked = seconds


def ended(scheduler: Scheduler) -> None:
    """Wait for the process of the one agent, without looking."""
    (child,) = scheduler._children.values()
    assert child.popen is not None
    child.popen.wait(20.0)


def seen(roster: Roster, name: str, day: date = MONDAY) -> list[dict]:
    """The words of every process that was begun for this session."""
    file = roster.sessions(name) / str(day) / "seen"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_session_is_begun_a_quarter_of_an_hour_before_the_open_and_not_earlier(
    scheduler, roster, clock
):
    agent(roster, "alpha", PLAYS)
    clock.set(at("2022-03-14 09:14:59"))
    scheduler.look(0.0)
    assert roster.get("alpha").pid is None
    clock.set(at("2022-03-14 09:15"))
    scheduler.look(1.0)
    assert roster.get("alpha").pid is not None
    looked(scheduler, lambda: roster.get("alpha").pid is None)
    (words,) = seen(roster, "alpha")
    assert words["task.day"] == "'2022-03-14'"
    assert words["task.flatten"] == "false"
    assert words["task.clock.speed"] == "60.0"


def test_a_session_that_is_over_is_not_played_again_and_the_next_days_is(scheduler, roster, clock):
    agent(roster, "alpha", PLAYS)
    clock.set(at("2022-03-14 09:20"))
    looked(scheduler, lambda: bool(seen(roster, "alpha")) and roster.get("alpha").pid is None)
    for text in ("2022-03-14 11:00", "2022-03-14 16:30", "2022-03-15 09:14"):
        clock.set(at(text))
        scheduler.look(scheduler._looked)
        assert roster.get("alpha").pid is None
    clock.set(at("2022-03-15 09:16"))
    looked(scheduler, lambda: bool(seen(roster, "alpha", date(2022, 3, 15))))
    assert len(seen(roster, "alpha")) == 1


def test_no_session_is_begun_on_a_holiday_or_for_an_agent_that_is_stopped(scheduler, roster, clock):
    agent(roster, "alpha", PLAYS)
    clock.set(at("2022-04-15 10:00"))  # Good Friday
    scheduler.look(0.0)
    assert roster.get("alpha").pid is None
    roster.stop("alpha")
    clock.set(at("2022-04-18 10:00"))
    scheduler.look(1.0)
    assert roster.get("alpha").pid is None


def test_a_process_that_died_is_begun_again_after_a_pause_and_the_session_ends(
    scheduler, roster, clock
):
    agent(roster, "alpha", DIES_ONCE)
    clock.set(at("2022-03-14 10:00"))
    scheduler.look(0.0)
    ended(scheduler)
    scheduler.look(0.1)
    assert roster.get("alpha").restarts == 1
    scheduler.look(0.9)
    assert roster.get("alpha").pid is None  # it pauses
    looked(scheduler, lambda: len(seen(roster, "alpha")) == 2)
    looked(scheduler, lambda: roster.get("alpha").pid is None)
    assert seen(roster, "alpha")[1]["task.flatten"] == "false"
    assert roster.get("alpha").restarts == 0
    assert roster.get("alpha").status is AgentStatus.running


def test_without_auto_restart_a_session_that_died_is_only_closed(scheduler, roster, clock):
    agent(roster, "alpha", DIES_ONCE, auto_restart=False)
    clock.set(at("2022-03-14 10:00"))
    looked(scheduler, lambda: len(seen(roster, "alpha")) == 2)
    assert seen(roster, "alpha")[1]["task.flatten"] == "true"


def test_a_session_that_dies_again_and_again_becomes_an_error_and_is_still_tried_to_be_closed(
    scheduler, roster, clock
):
    agent(roster, "alpha", OPENS_AND_DIES)
    clock.set(at("2022-03-14 10:00"))
    looked(scheduler, lambda: roster.get("alpha").status is AgentStatus.error)
    assert roster.get("alpha").restarts > MOST_RESTARTS
    assert "status 1" in roster.get("alpha").error
    count = len(seen(roster, "alpha"))
    looked(scheduler, lambda: len(seen(roster, "alpha")) > count)
    assert seen(roster, "alpha")[-1]["task.flatten"] == "true"


def test_what_is_refused_is_an_error_at_once_and_says_why(scheduler, roster, clock):
    agent(roster, "alpha", REFUSED)
    clock.set(at("2022-03-14 10:00"))
    looked(scheduler, lambda: roster.get("alpha").status is AgentStatus.error)
    assert "no such model" in roster.get("alpha").error
    assert len(seen(roster, "alpha")) == 1


def test_one_agents_failure_does_not_stop_another(scheduler, roster, clock):
    agent(roster, "alpha", REFUSED)
    agent(roster, "beta", PLAYS)
    (roster.sessions("gamma") / str(MONDAY)).mkdir(parents=True)
    (roster.sessions("gamma") / str(MONDAY) / "journal.jsonl").write_text("no journal\n")
    agent(roster, "gamma", PLAYS)
    clock.set(at("2022-03-14 10:00"))
    looked(scheduler, lambda: len(seen(roster, "beta")) == 1)
    assert roster.get("beta").status is AgentStatus.running


def test_an_agent_that_plays_once_is_stopped_when_its_session_is_over(scheduler, roster, clock):
    agent(roster, "alpha", PLAYS, once=True)
    clock.set(at("2022-03-14 10:00"))
    looked(scheduler, lambda: roster.get("alpha").status is AgentStatus.stopped)
    assert len(seen(roster, "alpha")) == 1


def test_a_session_that_was_left_open_days_ago_is_closed_also_for_a_stopped_agent(
    scheduler, roster, clock
):
    agent(roster, "alpha", DIES_ONCE)
    clock.set(at("2022-03-14 10:00"))
    scheduler.look(0.0)
    ended(scheduler)
    roster.stop("alpha")
    clock.set(at("2022-03-16 11:00"))
    looked(scheduler, lambda: len(seen(roster, "alpha")) == 2)
    assert seen(roster, "alpha")[1]["task.flatten"] == "true"


def test_a_scheduler_that_was_away_finds_the_sessions_that_go_on(scheduler, roster, clock):
    agent(roster, "alpha", SLEEPS)
    clock.set(at("2022-03-14 10:00"))
    scheduler.look(0.0)
    pid = roster.get("alpha").pid
    other = Scheduler(Roster(roster.folder), clock)
    other.look(0.0)
    assert other._children["alpha"].pid == pid
    assert roster.get("alpha").pid == pid
    looked(other, lambda: bool(unclosed(roster.sessions("alpha"), date(2022, 3, 15))))
    psutil.Process(pid).kill()
    looked(other, lambda: roster.get("alpha").pid not in (None, pid))
    scheduler._children |= other._children
    assert roster.get("alpha").restarts == 1


def test_a_session_played_once_that_ended_while_the_scheduler_was_away_is_over(
    scheduler, roster, clock
):
    """Nobody saw its status: that it is over stands in its journal."""
    agent(roster, "alpha", PLAYS, once=True)
    clock.set(at("2022-03-14 10:00"))
    scheduler.look(0.0)
    ended(scheduler)
    other = Scheduler(Roster(roster.folder), clock)
    other.look(0.0)
    assert roster.get("alpha").status is AgentStatus.stopped
    assert roster.get("alpha").restarts == 0
    for seconds in (60.0, 120.0):
        other.look(seconds)
    assert len(seen(roster, "alpha")) == 1


def test_whoever_watches_over_sessions_loads_nothing_that_plays_them():
    """The scheduler is a thread of the server, which stays small beside what trains."""
    code = (
        "import sys, intraday_rl.live.scheduler, intraday_rl.entry.serving;"
        "print([name for name in ('numba', 'torch', 'mlflow') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_its_thread_looks_by_itself_and_ends_with_it(roster, clock, tmp_path):
    agent(roster, "alpha", PLAYS)
    clock.set(at("2022-03-14 10:00"))
    journal: Path = roster.sessions("alpha") / str(MONDAY) / "journal.jsonl"
    with Scheduler(roster, clock) as scheduler:
        deadline = time.monotonic() + 20.0
        while not (journal.exists() and "closed" in journal.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert not scheduler._thread.is_alive()
