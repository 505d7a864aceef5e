"""Processes of jobs: begun once, found again, ended with their whole group, never mistaken.

The jobs here are small scripts in place of the entry script.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from intraday_rl.errors import ConfigError
from intraday_rl.events import VARIABLE, tell
from intraday_rl.jobs import process
from intraday_rl.jobs.job import Job, JobState, Order
from intraday_rl.jobs.process import adopt, begin, find
from intraday_rl.jobs.progress import Progress
from intraday_rl.jobs.store import JobStore
from intraday_rl.jobs.supervisor import Supervisor

TELLS = """
import json, os, sys, time
def tell(**said):
    with open(os.environ["INTRADAY_RL_EVENTS"], "a") as lines:
        lines.write(json.dumps({"time": "2026-01-01T00:00:00+00:00", **said}) + "\\n")
"""
DONE = TELLS + "print('a result'); tell(event='run', run_key='abc'); tell(event='ended', status=0)"
REFUSED = TELLS + "print('no'); tell(event='ended', status=2, error='symbol=x: no'); sys.exit(2)"
CRASHED = "raise SystemExit('broken')"
INTERRUPTED_ONCE = TELLS + (
    "first = not os.path.exists('seen'); open('seen', 'w').close(); status = 143 if first else 0\n"
    "tell(event='ended', status=status); sys.exit(status)"
)
SLEEPS = "import time; print('begun', flush=True); time.sleep(600)"
DEAF = (
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import signal, time;"
    " signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'])\n"
    "print(child.pid, flush=True); time.sleep(600)"
)


@pytest.fixture
def store(tmp_path, monkeypatch) -> JobStore:
    """Jobs whose first word is a script."""
    monkeypatch.setattr(process, "command_of", lambda words: [sys.executable, "-c", words[0]])
    monkeypatch.chdir(tmp_path)
    return JobStore(tmp_path / "jobs")


def submitted(store: JobStore, script: str) -> str:
    return store.submit(Order("test", {}, (script,)), most_queued=8)[0].id


def looked(supervisor: Supervisor, store: JobStore, until: Callable[[], bool]) -> None:
    """Look until something is so; half a minute is a failure."""
    deadline = time.monotonic() + 30
    while not until():
        assert time.monotonic() < deadline, store.newest(8)
        supervisor.look()
        time.sleep(0.02)


def finished(store: JobStore, job_id: str) -> Job:
    supervisor = Supervisor(store, 1, 1.0)
    looked(supervisor, store, lambda: known(store, job_id).state.is_over)
    return known(store, job_id)


def known(store: JobStore, job_id: str) -> Job:
    job = store.get(job_id)
    assert job is not None
    return job


def log_of(store: JobStore, job_id: str) -> str:
    log = store.log(job_id)
    return log.read_text() if log.is_file() else ""


def test_a_job_that_ends_well_is_done_with_its_run_and_its_log(store):
    job = finished(store, submitted(store, DONE))
    assert (job.state, job.exit_status, job.error) == (JobState.done, 0, None)
    assert (job.run_key, job.log_tail, job.starts) == ("abc", ("a result",), 1)
    assert job.ended_at is not None


def test_a_refused_job_says_why_and_a_crashed_one_its_last_line(store):
    refused = finished(store, submitted(store, REFUSED))
    assert (refused.state, refused.exit_status) == (JobState.failed, 2)
    assert refused.error == "symbol=x: no"
    crashed = finished(store, submitted(store, CRASHED))
    assert (crashed.state, crashed.error) == (JobState.failed, "broken")


def test_a_job_that_a_signal_ended_goes_on_with_the_same_command(store):
    job = finished(store, submitted(store, INTERRUPTED_ONCE))
    assert (job.state, job.starts) == (JobState.done, 2)


def test_workers_of_zero_leave_the_queue_alone(store):
    job_id = submitted(store, DONE)
    Supervisor(store, 0, 1.0).look()
    assert known(store, job_id).state is JobState.queued


def test_cancelling_ends_the_whole_group_also_one_that_is_deaf_to_sigterm(store):
    job_id = submitted(store, DEAF)
    supervisor = Supervisor(store, 1, 0.5)
    looked(supervisor, store, lambda: log_of(store, job_id).endswith("\n"))
    grandchild = psutil.Process(int(log_of(store, job_id)))
    leader = known(store, job_id).pid
    store.cancel(job_id)
    looked(supervisor, store, lambda: known(store, job_id).state.is_over)
    assert known(store, job_id).state is JobState.cancelled
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE
    assert not psutil.pid_exists(leader)


def test_a_new_supervisor_adopts_what_runs_and_its_end_is_told_by_the_job(store, tmp_path):
    script = TELLS + "\nwhile not os.path.exists('go'): time.sleep(0.02)\n" + DONE
    job_id = submitted(store, script)
    first = Supervisor(store, 1, 1.0)
    looked(first, store, lambda: known(store, job_id).pid is not None)
    with Supervisor(store, 1, 1.0):  # the first is forgotten, as after kill -9
        (tmp_path / "go").touch()
        deadline = time.monotonic() + 30
        while not known(store, job_id).state.is_over:
            first._watched[job_id].child.popen.poll()  # a parent that was killed reaps nobody
            assert time.monotonic() < deadline
            time.sleep(0.05)
    job = known(store, job_id)
    assert (job.state, job.exit_status, job.starts) == (JobState.done, 0, 1)


def test_an_adopted_job_that_is_killed_while_it_is_watched_has_failed_as_any_other(store):
    job_id = submitted(store, SLEEPS)
    first = Supervisor(store, 1, 1.0)
    looked(first, store, lambda: "begun" in log_of(store, job_id))
    child = first._watched[job_id].child
    with Supervisor(store, 1, 1.0):
        child.process.kill()
        child.popen.wait()
        deadline = time.monotonic() + 30
        while not known(store, job_id).state.is_over:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    job = known(store, job_id)
    assert (job.state, job.exit_status, job.starts) == (JobState.failed, None, 1)
    assert "was killed" in job.error


def test_a_process_that_nobody_wrote_down_is_found_and_not_begun_twice(store, tmp_path):
    """The server was killed between beginning the process and writing its number down."""
    script = TELLS + "\nwhile not os.path.exists('go'): time.sleep(0.02)\n" + DONE
    job_id = submitted(store, script)
    store.claim()
    child = begin((script,), store.log(job_id), store.events(job_id), job_id)
    assert known(store, job_id).pid is None
    with Supervisor(store, 2, 1.0):
        assert known(store, job_id).pid == child.pid
        (tmp_path / "go").touch()
        deadline = time.monotonic() + 30
        while not known(store, job_id).state.is_over:
            child.popen.poll()  # a parent that was killed reaps nobody
            assert time.monotonic() < deadline
            time.sleep(0.05)
    job = known(store, job_id)
    assert (job.state, job.starts) == (JobState.done, 1)
    assert log_of(store, job_id) == "a result\n"


def test_a_worker_is_not_taken_for_the_process_of_its_job(store):
    """What a job begins has its environment, also in a session of its own."""
    script = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
        " start_new_session=True)\n"
        "print('begun', flush=True); time.sleep(600)"
    )
    job_id = submitted(store, script)
    child = begin((script,), store.log(job_id), store.events(job_id), job_id)
    try:
        deadline = time.monotonic() + 30
        while "begun" not in log_of(store, job_id):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        found = find(job_id)
        assert found is not None
        assert found.pid == child.pid
        assert find("0" * 32) is None
    finally:
        child.kill()
        child.popen.wait()


def test_a_job_whose_process_is_gone_is_queued_again(store):
    job_id = submitted(store, SLEEPS)
    first = Supervisor(store, 1, 1.0)
    looked(first, store, lambda: "begun" in log_of(store, job_id))
    child = first._watched[job_id].child
    child.process.kill()
    child.popen.wait()
    second = Supervisor(store, 0, 1.0)
    with second:
        assert known(store, job_id).state is JobState.queued


def test_a_foreign_process_with_the_recorded_number_is_neither_adopted_nor_ended(store):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as foreign:
        started = psutil.Process(foreign.pid).create_time()
        assert adopt(foreign.pid, started) is not None
        assert adopt(foreign.pid, started - 60.0) is None
        job_id = submitted(store, DONE)
        store.claim()
        store.begun(job_id, foreign.pid, started - 60.0)
        store.cancel(job_id)
        with Supervisor(store, 0, 0.0):
            assert known(store, job_id).state is JobState.cancelled
        assert foreign.poll() is None
        foreign.communicate(b"\n")


def test_two_servers_do_not_look_after_one_queue(store):
    with (
        Supervisor(store, 0, 1.0),
        pytest.raises(ConfigError, match="another server"),
        Supervisor(store, 0, 1.0),
    ):
        pass


def test_a_job_does_not_see_the_servers_token(store, monkeypatch):
    monkeypatch.setenv("INTRADAY_RL_TOKEN", "secret")
    script = "import os; print(os.environ.get('INTRADAY_RL_TOKEN'))"
    job = finished(store, submitted(store, script))
    assert job.log_tail == ("None",)


def test_progress_is_the_mean_over_fits_and_half_a_line_is_waited_for(tmp_path, monkeypatch):
    file = tmp_path / "events.jsonl"
    monkeypatch.setenv(VARIABLE, str(file))
    tell("fits", fits=[{"window": "a", "seed": 0}, {"window": "a", "seed": 1}])
    tell("progress", window="a", seed=0, done=50, total=100, validation_sharpe=None)
    progress = Progress(file)
    progress.read()
    assert progress.share == 0.25
    with file.open("a") as lines:
        lines.write('{"event": "fold", "window": "a"')
    assert not progress.read()
    with file.open("a") as lines:
        lines.write(', "seed": 1, "status": "finished", "time": "2026-01-01T00:00:00+00:00"}\n')
    progress.read()
    assert progress.share == 0.75
    tell("fold", window="a", seed=0, status="stopped")  # by a signal: it is not done
    progress.read()
    assert progress.share == 0.75
    assert json.dumps(progress.shown(), allow_nan=False)


def test_a_share_is_never_more_than_all_and_what_ended_well_is_done(tmp_path, monkeypatch):
    file = tmp_path / "events.jsonl"
    monkeypatch.setenv(VARIABLE, str(file))
    progress = Progress(file)
    tell("run", run_key="abc")
    progress.read()
    assert progress.shown() is None  # nothing is fitted yet
    tell("fits", fits=[{"window": "a", "seed": 0}, {"window": "b", "seed": 0}])
    tell("progress", window="a", seed=0, done=112, total=100)
    progress.read()
    assert progress.shown()["share"] == 0.5
    assert progress.shown()["fits"][0]["done"] == 100
    tell("ended", status=0, error=None)
    progress.read()
    assert progress.shown()["share"] == 1.0


def test_what_a_job_told_while_no_server_was_there_is_known_to_the_next_one(store):
    script = TELLS + (
        "tell(event='run', run_key='abc'); tell(event='fits', fits=[{'window': 'a', 'seed': 0}])\n"
        "tell(event='ended', status=0)"
    )
    job_id = submitted(store, script)
    store.claim()
    child = begin((script,), store.log(job_id), store.events(job_id), job_id)
    store.begun(job_id, child.pid, child.started)
    child.popen.wait()
    with Supervisor(store, 0, 1.0):
        job = known(store, job_id)
    assert (job.state, job.run_key, job.progress["share"]) == (JobState.done, "abc", 1.0)


def test_nothing_is_told_where_nobody_listens(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    tell("run", run_key="abc")
    assert os.listdir() == []
    monkeypatch.setenv(VARIABLE, str(tmp_path / "no" / "such" / "folder"))
    tell("run", run_key="abc")
    assert Path(tmp_path).is_dir()
