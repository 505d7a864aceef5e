"""Whole commands that are ended from outside, and what the same command then makes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from intraday_rl.records import RunFolder, read_json

pytestmark = pytest.mark.slow("survive")
ROOT = Path(__file__).parents[2]
JOB = [
    "data.start=2021-01-04", "data.end=2022-01-31", "windows=auto", "windows.train_size=6 months",
    "windows.test_size=3 months", "windows.validation_sessions=40", "agent.net_arch=[32,32]",
    "agent.total_timesteps=4000", "agent.learning_starts=400", "agent.eval_freq=1000",
    "agent.compile=never", "checkpoints.every=400", "parallel.workers=2",
]  # fmt: skip


def start(outputs: Path, *overrides: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "experiments/run.py", *JOB, f"paths.outputs={outputs}", *overrides],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def results(outputs: Path) -> dict[str, bytes]:
    paths = outputs.glob("runs/*/folds/*/seed=*/*")
    kept = ("result.json", "ledger.parquet", "validation.parquet")
    return {str(p.relative_to(outputs)): p.read_bytes() for p in sorted(paths) if p.name in kept}


def runs_in_mlflow(outputs: Path) -> Counter[tuple[str, str]]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{outputs / 'mlflow.db'}")
    experiments = [one.experiment_id for one in client.search_experiments()]
    found = client.search_runs(experiments)
    return Counter((run.data.tags["kind"], run.info.status) for run in found)


def checkpoints(outputs: Path) -> list[Path]:
    return list(outputs.glob("folds/*/checkpoints/step=*"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    outputs = tmp_path_factory.mktemp("undisturbed")
    process = start(outputs, "tracking=none")
    assert process.wait() == 0
    return results(outputs)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_checkpoints_marks_mlflow_and_the_same_command_goes_on(
    tmp_path, undisturbed, number, status
):
    process = start(tmp_path)
    until(lambda: checkpoints(tmp_path), process)
    process.send_signal(number)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert err.splitlines()[-1].startswith(f"interrupted by {number.name}; the same command goes")
    assert "Traceback" not in err
    assert checkpoints(tmp_path)
    assert runs_in_mlflow(tmp_path) == {("parent", "KILLED"): 1, ("fold", "KILLED"): 2}
    process = start(tmp_path)
    _out, err = process.communicate()
    assert process.returncode == 0, err
    assert "going on from" in err
    assert results(tmp_path) == undisturbed
    assert runs_in_mlflow(tmp_path) == {("parent", "FINISHED"): 1, ("fold", "FINISHED"): 2}
    assert not checkpoints(tmp_path)


def test_a_worker_that_is_killed_costs_nothing_but_a_warning(tmp_path, undisturbed):
    process = start(tmp_path, "tracking=none")
    until(lambda: checkpoints(tmp_path), process)
    workers = [
        child for child in psutil.Process(process.pid).children()
        if "spawn_main" in " ".join(child.cmdline())
    ]  # fmt: skip
    workers[0].kill()
    _out, err = process.communicate()
    assert process.returncode == 0, err
    assert "a worker process died" in err
    assert results(tmp_path) == undisturbed


def test_workers_end_with_their_parent_and_their_leases_with_them(tmp_path):
    process = start(tmp_path, "tracking=none")
    until(lambda: checkpoints(tmp_path), process)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    _gone, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    from intraday_rl.records import WorkFolder
    from intraday_rl.research.lease import is_held

    assert not any(is_held(WorkFolder(path)) for path in (tmp_path / "folds").iterdir())


def test_two_shells_with_the_same_job_train_each_fold_once(tmp_path, undisturbed):
    first, second = start(tmp_path), start(tmp_path)
    errors = [process.communicate()[1] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], errors
    assert results(tmp_path) == undisturbed
    assert runs_in_mlflow(tmp_path) == {("parent", "FINISHED"): 1, ("fold", "FINISHED"): 2}
    lines = [line for text in errors for line in text.splitlines()]
    trained = [line for line in lines if "decisions, validation Sharpe" in line]
    assert len(trained) == 2 * 4  # two folds, four looks each


def test_a_kill_while_mlflow_is_written_leaves_every_run_once(tmp_path, undisturbed):
    """The curves of the first child are there, its end is not."""
    process = start(tmp_path)
    folder = lambda: next(tmp_path.glob("runs/*"), None)  # noqa: E731
    until(lambda: folder() and RunFolder(folder()).verdict.is_file(), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert read_json(RunFolder(folder()).verdict)["folds_failed"] == 0
    process = start(tmp_path)
    _out, err = process.communicate()
    assert process.returncode == 0, err
    assert results(tmp_path) == undisturbed
    assert runs_in_mlflow(tmp_path) == {("parent", "FINISHED"): 1, ("fold", "FINISHED"): 2}
