"""Sessions as processes: on files that grow, killed, watched over by the scheduler."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from intraday_rl.config import compose_plan
from intraday_rl.entry.job import run_plan
from intraday_rl.live.scheduler import Scheduler
from intraday_rl.roster.agent import AgentStatus
from intraday_rl.roster.store import EMERGENCY_STOP, Roster
from intraday_rl.trading.ledger import read_ledger
from tests.live.conftest import BARS, WINDOW
from tests.live.rehearsal import FastDay

pytestmark = pytest.mark.slow("sessions")
# A day of the model's training: no backtest opens its account, so that all begin with a new one.
DAY, HALF_DAY = date(2021, 5, 12), date(2021, 11, 26)


@pytest.fixture
def fast_day(trained, tmp_path):
    """Makes days that begin shortly before the open, or later; with a state of their own."""

    def make(start: str = "09:20", speed: float = 120.0, day: date = DAY) -> FastDay:
        folder = tmp_path / "bars"
        folder.mkdir(exist_ok=True)
        return FastDay(folder, trained[0], tmp_path / "state", day, f"{day} {start}", speed)

    return make


def journal_of(day: FastDay, agent: str) -> list[dict]:
    file = day.state / "live" / agent / str(day.day) / "journal.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def content_of(day: FastDay, agent: str) -> dict:
    return json.loads((day.outputs / "paper" / agent / str(day.day) / "session.json").read_text())


def sound(day: FastDay, agent: str) -> list[str]:
    """What a session must be, however often it was killed; sentences, none if all is well."""
    entries, content = journal_of(day, agent), content_of(day, agent)
    orders = [one for one in entries if one["event"] == "order"]
    decided = [one["bar_end"] for one in orders if one["purpose"] == "decision"]
    broker_file = day.state / "live" / agent / str(day.day) / "paper_broker.jsonl"
    at_broker = [json.loads(line) for line in broker_file.read_text().splitlines()]
    accepted = {
        one["order"]["client_id"]: one["order"]["shares"]
        for one in at_broker
        if one["event"] == "accepted"
    }
    filled = {one["client_id"] for one in at_broker if one["event"] == "filled"}
    heard = {
        one["client_id"] for one in entries if one["event"] == "report" and one["state"] == "filled"
    }
    checks = {
        "an order for each decision at most": len(decided) == len(set(decided)),
        "no number twice": [one["number"] for one in entries] == list(range(len(entries))),
        "every fill is heard of": filled == heard,
        "no order that is not written down": set(accepted) <= {one["client_id"] for one in orders},
        "flat at the broker": sum(accepted[one] for one in filled) == 0.0,
        "flat": content["exit"]["shares_after"] == 0.0,
        # What a process takes to begin again is minutes of a fast clock.
        "at the cutoff": 0.0 <= (content["exit"]["seconds_after_due"] or 0.0) <= 45.0 * day.speed,
        "closed": entries[-1]["event"] == "closed",
    }
    return [what for what, holds in checks.items() if not holds]


def test_a_session_on_growing_files_has_the_ledger_of_its_replay(trained, fast_day):
    outputs, key = trained
    day = fast_day()
    overrides = [
        *BARS, "task=paper", f"task.model='{key}/{WINDOW}/seed=0'", f"task.day='{DAY}'",
        f"paths.outputs={outputs}",
    ]  # fmt: skip
    assert run_plan(compose_plan(overrides), overrides).code == 0
    (replayed,) = (outputs / "paper").glob(f"{DAY}-*/ledger.parquet")
    with day.writing():
        assert day.begin(key, "files").wait(400.0) == 0
    assert sound(day, "files") == []
    content = content_of(day, "files")
    assert content["skipped"] == {}
    assert content["in_sample"]
    ledger = read_ledger(outputs / "paper" / "files" / str(DAY) / "ledger.parquet")
    pd.testing.assert_frame_equal(ledger, read_ledger(replayed), check_exact=True)
    with closing(sqlite3.connect(outputs / "mlflow.db")) as store:
        runs = store.execute("SELECT name, status FROM runs WHERE name LIKE 'session files%'")
        assert runs.fetchall() == [(f"session files {DAY}", "FINISHED")]


def test_the_same_command_again_only_shows_what_the_session_came_to(trained, fast_day):
    _, key = trained
    day = fast_day("12:35", 120.0, HALF_DAY)
    with day.writing():
        assert day.begin(key, "twice").wait(200.0) == 0
        before = journal_of(day, "twice")
        assert day.begin(key, "twice").wait(100.0) == 0
    assert journal_of(day, "twice") == before
    assert (day.folder / "twice.log").read_text().count("flat at 12:45 New York") == 2
    assert {one["reason"] for one in before if one["event"] == "skipped"} <= {
        "outside_trading_window", "late", "stale_data",
    }  # fmt: skip


def test_a_session_killed_at_twenty_moments_is_flat_at_the_cutoff_and_loses_nothing(
    trained, fast_day
):
    _, key = trained
    day = fast_day(speed=60.0)
    random = np.random.default_rng(7)
    journal = day.state / "live" / "killed" / str(DAY) / "journal.jsonl"

    def written() -> int:
        return journal.stat().st_size if journal.exists() else 0

    kills = 0
    with day.writing():
        process, before = day.begin(key, "killed"), written()
        while kills < 20:
            deadline = time.monotonic() + 60.0
            while written() == before and process.poll() is None:  # until it has begun
                assert time.monotonic() < deadline
                time.sleep(0.005)
            if process.poll() is not None:
                break
            time.sleep(float(random.uniform(0.0, 1.5)))
            process.kill()
            process.wait()
            kills += 1
            process, before = day.begin(key, "killed"), written()
        assert process.wait(500.0) == 0
    assert sound(day, "killed") == []
    assert kills == 20
    events = [one["event"] for one in journal_of(day, "killed")]
    assert events.count("restarted") >= 19
    assert events.count("decision") > 0


def test_a_session_begun_again_a_minute_before_the_cutoff_is_flat_at_it(trained, fast_day):
    _, key = trained
    day = fast_day("14:20", 60.0)
    exit_at = pd.Timestamp(f"{DAY} 15:45", tz="America/New_York")
    with day.writing():
        process = day.begin(key, "late")
        day.clock.wait_until(exit_at - pd.Timedelta(minutes=12))
        process.kill()
        process.wait()
        # It takes a process some minutes of this clock to begin.
        day.clock.wait_until(exit_at - pd.Timedelta(minutes=7))
        assert day.begin(key, "late").wait(300.0) == 0
    assert sound(day, "late") == []
    assert content_of(day, "late")["exit"]["shares_closed"] != 0.0


def test_the_scheduler_plays_two_agents_and_an_emergency_stop_ends_one(trained, fast_day):
    outputs, key = trained
    day = fast_day("09:05", 180.0)
    roster = Roster(day.state / "live")
    for name in ("alpha", "beta"):
        roster.create(name, {}, day.words(key), auto_restart=True, now=day.anchor)
        roster.start(name, once=True, now=day.anchor)
    scheduler = Scheduler(roster, day.clock, day.clock_words())
    stop_at = pd.Timestamp(f"{DAY} 12:10", tz="America/New_York")
    killed = False
    with day.writing(), scheduler:
        deadline = time.monotonic() + 500.0
        while not all(agent.status is AgentStatus.stopped for agent in roster.all()) or any(
            agent.pid is not None for agent in roster.all()
        ):
            assert time.monotonic() < deadline, roster.all()
            beta = roster.get("beta")
            if day.clock.now() >= stop_at and beta.halted_at is None:
                roster.emergency_stop("beta", "a test", str(day.clock.now()))
            if not killed and day.clock.now() >= stop_at:
                pid = roster.get("alpha").pid
                if pid is not None:
                    os.kill(pid, 9)
                    killed = True
            time.sleep(0.1)
    assert killed
    assert sound(day, "alpha") == []
    assert content_of(day, "alpha")["exit"]["reason"] == "cutoff"
    beta = content_of(day, "beta")
    assert beta["exit"]["reason"] == EMERGENCY_STOP
    assert beta["exit"]["shares_after"] == 0.0
    left = next(one for one in journal_of(day, "beta") if one["event"] == "leaving")
    assert abs(pd.Timestamp(left["time"]) - stop_at) < pd.Timedelta(minutes=15)
    for agent in ("alpha", "beta"):
        folder: Path = outputs / "paper" / agent / str(DAY)
        assert {"session.json", "report.html", "ledger.parquet", "journal.jsonl"} <= {
            file.name for file in folder.iterdir()
        }
        session = roster.get(agent).session
        assert session is not None
        assert session["state"] == "closed"
