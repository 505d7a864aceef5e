"""Several jobs that start at once on a fresh SQLite store (MLflow alone loses most of them)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from intraday_rl.tracking import MlflowTracking, open_tracker

WORKER = Path(__file__).with_name("concurrent_worker.py")
PROJECT = Path(__file__).parents[2]


def start_together(outputs: Path, count: int, writes: int) -> None:
    """Run `count` fresh interpreters on one store; fail with the stderr of those that died."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    processes = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(outputs), str(number), str(count), str(writes)],
            env=environment,
            cwd=outputs.parent,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    reports = [process.communicate(timeout=240)[1] for process in processes]
    died = [text for process, text in zip(processes, reports, strict=True) if process.returncode]
    assert not died, "\n".join(died)


def check_runs(outputs: Path, count: int, writes: int) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(MlflowTracking().store_uri(outputs))
    experiment = client.get_experiment_by_name("intraday_rl")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.params["number"] for run in runs) == [str(k) for k in range(count)]
    for run in runs:
        assert run.info.status == "FINISHED"
        assert len(client.get_metric_history(run.info.run_id, "write")) == writes
        assert len(client.get_metric_history(run.info.run_id, "train/reward")) == 10 * writes


@pytest.mark.slow("tracking")
def test_four_processes_that_start_together_on_a_fresh_store_all_log(tmp_path: Path) -> None:
    start_together(tmp_path / "outputs", count=4, writes=5)
    check_runs(tmp_path / "outputs", count=4, writes=5)


@pytest.mark.slow("tracking")
@pytest.mark.parametrize("repetition", range(2))
def test_eight_processes_that_start_together_and_write_much_all_log(
    tmp_path: Path, repetition: int
) -> None:
    start_together(tmp_path / "outputs", count=8, writes=60)
    check_runs(tmp_path / "outputs", count=8, writes=60)


@pytest.mark.slow("tracking")
def test_threads_of_one_process_log_to_their_own_runs(store: Path) -> None:
    tracker = open_tracker(MlflowTracking(), store)
    run_ids = [tracker.start_run(f"thread {k}", {}, {}) for k in range(3)]

    def log(run_id: str, value: float) -> None:
        for step in range(5):
            tracker.log_metrics(run_id, {"value": value}, step=step)

    threads = [
        threading.Thread(target=log, args=(run_id, float(k))) for k, run_id in enumerate(run_ids)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    from mlflow import MlflowClient

    client = MlflowClient(MlflowTracking().store_uri(store))
    for k, run_id in enumerate(run_ids):
        history = client.get_metric_history(run_id, "value")
        assert [metric.value for metric in history] == [float(k)] * 5
