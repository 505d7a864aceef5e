"""Interrupted fits go on from their checkpoint to the same last bit; finished ones are reused."""

from __future__ import annotations

import os
import signal

import pytest

from intraday_rl.errors import FoldFailed
from intraday_rl.interruption import Interrupted, listening
from intraday_rl.records import WorkFolder, read_json
from intraday_rl.research import fit, fold_work
from intraday_rl.research.checkpoints import Checkpoints

# Long enough for learning to have begun, evaluations and several checkpoints.
LONGER = [
    "agent=sac",
    "agent.net_arch=[8]",
    "agent.batch_size=32",
    "agent.total_timesteps=640",
    "agent.learning_starts=64",
    "agent.eval_freq=160",
    "agent.n_envs=8",
    "checkpoints.every=100",
]


def contents(folder):
    """What a finished seed must have, byte by byte; the plan names the run's own settings."""
    names = ("result.json", "ledger.parquet", "validation.parquet", "evaluation.log")
    found = {}
    for seed in sorted(folder.path.glob("folds/*/seed=*")):
        for path in [*(seed / name for name in names), *sorted((seed / "bundle").iterdir())]:
            if path.name not in ("plan.yaml", "sb3.zip"):  # a zip carries the time of day
                found[str(path.relative_to(folder.path))] = path.read_bytes()
    return found


def work_folders(folder):
    return sorted((folder.path.parents[1] / "folds").iterdir())


def interrupt_after(count, monkeypatch):
    """Ctrl-C comes right after so many checkpoints have been written."""
    left = iter(range(count))
    write = Checkpoints.write

    def write_then_interrupt(self, step, files):
        write(self, step, files)
        if next(left, None) == count - 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(fit.Checkpoints, "write", write_then_interrupt)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, job_in):
    return contents(job_in(tmp_path_factory.mktemp("undisturbed"), *LONGER)[1])


@pytest.mark.slow("survive")
@pytest.mark.parametrize("checkpoints_before", [1, 4])
def test_an_interrupted_fit_goes_on_to_the_same_last_bit(
    job, undisturbed, monkeypatch, checkpoints_before
):
    interrupt_after(checkpoints_before, monkeypatch)
    with listening(), pytest.raises(Interrupted) as interrupted:
        job(*LONGER)
    assert interrupted.value.status == 130
    resumed = []
    restore = fold_work.fold_result

    def note(one, dataset, folder, conduct):
        resumed.append(conduct.checkpoints.newest())
        return restore(one, dataset, folder, conduct)

    monkeypatch.setattr(fold_work, "fold_result", note)
    outcome, folder = job(*LONGER)
    assert outcome.code == 0
    assert resumed[0] is not None
    assert contents(folder) == undisturbed
    for work in work_folders(folder):
        assert WorkFolder(work).finished.is_file()
        assert not WorkFolder(work).checkpoints.exists()


@pytest.mark.slow("survive")
def test_a_damaged_checkpoint_is_dropped_with_a_warning(
    job, undisturbed, monkeypatch, caplog, tmp_path
):
    interrupt_after(1, monkeypatch)
    with listening(), pytest.raises(Interrupted):
        job(*LONGER)
    monkeypatch.undo()
    (kept,) = (tmp_path / "outputs" / "folds").glob("*/checkpoints/step=*")
    (kept / "replay.npz").write_bytes(b"half")
    _, folder = job(*LONGER)
    assert "training from the start" in caplog.text
    assert contents(folder) == undisturbed


@pytest.mark.slow("survive")
def test_one_more_seed_and_a_later_day_reuse_what_is_unaffected(job, monkeypatch):
    _, first = job("agent=random")
    done = []
    carry_out = fold_work.fold_result

    def note(one, *rest):
        done.append((one.window.name, one.seed))
        return carry_out(one, *rest)

    monkeypatch.setattr(fold_work, "fold_result", note)
    _, second = job("agent=random", "seeds=[0,1]")
    assert second.key != first.key
    assert {seed for _, seed in done} == {1}
    reused = [read_json(path) for path in second.path.glob("folds/*/seed=0/reused_from.json")]
    assert [one["run_key"] for one in reused] == [first.key] * 2
    same = contents(second)
    assert {name: same[name] for name in contents(first)} == contents(first)
    done.clear()
    job("agent=random", "seeds=[0,1]", "data.end=2022-02-10")
    assert done == []


@pytest.mark.slow("survive")
def test_force_neither_reuses_nor_resumes(job, monkeypatch):
    _, folder = job("agent=random")
    before = contents(folder)
    done = []
    carry_out = fold_work.fold_result
    monkeypatch.setattr(
        fold_work, "fold_result", lambda *words: done.append(1) or carry_out(*words)
    )
    _, again = job("agent=random", "force=true")
    assert len(done) == 2
    assert contents(again) == before


def test_fail_fast_leaves_the_folds_behind_the_first_failure(job, monkeypatch):
    def fail(*_):
        raise ValueError("planted failure")

    monkeypatch.setattr(fold_work, "fold_result", fail)
    outcome, folder = job("agent=hold", "fail_fast=true")
    assert outcome.code == 1
    errors = [path.parent.parent.name for path in folder.path.glob("folds/*/seed=0/error.txt")]
    assert len(errors) == 1


def test_a_fold_is_refused_when_the_code_changed_after_its_key_was_made(job, monkeypatch):
    monkeypatch.setattr(fold_work, "code_hash", lambda: "other code")
    with pytest.raises(FoldFailed, match="the code changed while the job ran"):
        job("agent=flat")
