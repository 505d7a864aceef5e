"""What lies under `paths.outputs` is told truly, and only what nothing needs may go."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from filelock import FileLock

from intraday_rl.config import compose_plan, reload, saved
from intraday_rl.outcome import Context
from intraday_rl.records import RunFolder, WorkFolder, read_json, write_json
from intraday_rl.research.housekeeping import clean, status
from intraday_rl.research.housekeeping.survey import State, survey
from intraday_rl.research.lease import leased

pytestmark = pytest.mark.slow("survive")


def carry_out(task, outputs, *overrides):
    plan = compose_plan(
        [f"task={task.__name__.rpartition('.')[2]}", f"paths.outputs={outputs}", "tracking=none",
         *overrides]
    )  # fmt: skip
    return task.run(plan, Context(saved(plan), [], reload))


def begun(outputs: Path, key: str, *places: str) -> RunFolder:
    """A run that has said what it will do, and no more."""
    folder = RunFolder.of(str(outputs), key)
    keys = {place: f"{key}-{number}" for number, place in enumerate(places)}
    write_json(folder.data, {"symbol": "TQQQ", "fold_keys": keys})
    return folder


def work_of(outputs: Path, key: str) -> WorkFolder:
    work = WorkFolder.of(str(outputs), key)
    work.path.mkdir(parents=True, exist_ok=True)
    return work


def everything(outputs: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(outputs.rglob("*")) if path.is_file()}


@pytest.fixture
def outputs(job, tmp_path) -> Path:
    """A finished run, one that failed, one that died and one that was stopped."""
    job("agent=flat")
    outputs = tmp_path / "outputs"
    failed = begun(outputs, "failed", "2021/seed=0")
    error = failed.fold("2021").seed(0).error
    error.parent.mkdir(parents=True)
    error.write_text("Traceback\nValueError: planted\n")
    died = begun(outputs, "died", "2021/seed=0", "2022/seed=0")
    holder = {"host": "gone", "process": 7, "started": "2026-01-01"}
    write_json(work_of(outputs, "died-0").lease, holder)
    os.utime(work_of(outputs, "died-0").lease, (0, 0))
    (died.path / ".verdict.json.0123").write_text("half")
    begun(outputs, "stopped", "2021/seed=0")
    (work_of(outputs, "stopped-0").checkpoints / "step=500").mkdir(parents=True)
    return outputs


def test_every_fold_is_shown_as_it_stands_with_its_reason(outputs, capsys):
    before = everything(outputs)
    assert carry_out(status, outputs, "format=json").code == 0
    assert everything(outputs) == before
    runs = {run["run_key"]: run for run in json.loads(capsys.readouterr().out)["runs"]}
    states = {key: run["state"] for key, run in runs.items() if len(key) < 16}
    assert states == {"failed": "failed", "died": "stale", "stopped": "stopped"}
    (finished,) = (run for key, run in runs.items() if len(key) == 16)
    assert finished["state"] == "finished"
    assert {fold["state"] for fold in finished["folds"].values()} == {"finished"}
    assert runs["failed"]["folds"]["2021/seed=0"]["reason"] == "ValueError: planted"
    assert "process 7 on gone died" in runs["died"]["folds"]["2021/seed=0"]["reason"]
    assert runs["died"]["folds"]["2022/seed=0"]["state"] == "open"
    assert runs["stopped"]["folds"]["2021/seed=0"]["reason"] == "checkpoint at 500 decisions"


def test_a_fold_that_a_process_holds_is_running(outputs):
    with leased(work_of(outputs, "stopped-0"), None):
        states = {run.folder.key: run.state for run in survey(outputs)}
    assert states["stopped"] is State.running


def test_clean_says_what_would_go_and_changes_nothing_until_told_to(outputs, capsys):
    work_of(outputs, "nobody's")
    before = everything(outputs)
    carry_out(clean, outputs)
    assert everything(outputs) == before
    said = capsys.readouterr().out
    assert "would go: folds/nobody's (no run needs it)" in said
    assert "would go: runs/died/.verdict.json.0123 (half written)" in said
    assert "runs/failed" not in said  # touched just now
    carry_out(clean, outputs, "task.apply=true")
    assert not (outputs / "folds/nobody's").exists()
    assert not (outputs / "runs/died/.verdict.json.0123").exists()
    assert (outputs / "folds/stopped-0/checkpoints/step=500").is_dir()


def test_how_old_an_unfinished_run_may_be_is_asked_for(outputs):
    a_day_ago = time.time() - 86_400
    for path in outputs.rglob("*"):
        os.utime(path, (a_day_ago, a_day_ago))
    carry_out(clean, outputs, "task.apply=true", "task.older_than_days=2")
    assert (outputs / "runs/failed").is_dir()
    carry_out(clean, outputs, "task.apply=true", "task.older_than_days=0.5")
    assert not (outputs / "runs/failed").exists()


def test_old_unfinished_runs_go_finished_and_held_folds_never(outputs):
    (finished,) = (run for run in survey(outputs) if run.state is State.finished)
    long_ago = time.time() - 40 * 86_400
    for path in outputs.rglob("*"):
        os.utime(path, (long_ago, long_ago))
    kept = everything(finished.folder.path)
    with leased(work_of(outputs, "stopped-0"), None):
        carry_out(clean, outputs, "task.apply=true")
    assert everything(finished.folder.path) == kept
    assert {run.folder.key for run in survey(outputs)} == {finished.folder.key, "stopped"}
    assert (outputs / "folds/stopped-0/checkpoints/step=500").is_dir()
    assert not (outputs / "folds/died-0").exists()
    keys = read_json(finished.folder.data)["fold_keys"].values()
    assert all((outputs / "folds" / key / "finished.json").is_file() for key in keys)


def test_finished_folds_of_an_old_unfinished_run_stay(job, tmp_path):
    _, folder = job("agent=flat")
    finished, failed = sorted(folder.path.glob("folds/*/seed=0"))
    (failed / "result.json").unlink()
    (failed / "error.txt").write_text("ValueError: planted\n")
    outputs = tmp_path / "outputs"
    long_ago = time.time() - 40 * 86_400
    for path in outputs.rglob("*"):
        os.utime(path, (long_ago, long_ago))
    kept = everything(finished)
    carry_out(clean, outputs, "task.apply=true")
    assert everything(finished) == kept
    assert not failed.exists()


def test_a_run_whose_summary_is_being_written_is_running_and_left_alone(outputs):
    (folder,) = (run.folder for run in survey(outputs) if run.folder.key == "died")
    with FileLock(folder.lock):
        states = {run.folder.key: run.state for run in survey(outputs)}
        carry_out(clean, outputs, "task.apply=true")
    assert states["died"] is State.running
    assert (folder.path / ".verdict.json.0123").is_file()
