"""The lockbox counts every look at a real test window once, whatever happens afterwards."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from intraday_rl.config import compose_plan, reload, saved
from intraday_rl.errors import ConfigError
from intraday_rl.outcome import Context, Outcome
from intraday_rl.records import RunFolder, read_json
from intraday_rl.research import fold_result, walk_forward
from intraday_rl.research.lockbox import FILE, Lockbox, Look

SMALL = [
    "tracking=none",
    "parallel.workers=1",
    "windows=auto",
    "windows.train_size=2 months",
    "windows.test_size=1 month",
    "windows.step=10 years",
    "windows.validation_sessions=20",
]
LEARNED = [
    "agent=sac",
    "agent.net_arch=[8]",
    "agent.batch_size=32",
    "agent.total_timesteps=64",
    "agent.learning_starts=32",
    "agent.eval_freq=64",
    "agent.n_envs=8",
]


def look(number: int, symbol: str = "SPY", first: str = "2021-01-04", last: str = "2021-12-31"):
    return Look(
        fold_key=f"{number:016x}", symbol=symbol, first_session=first, last_session=last,
        bar_source="parquet", bar_minutes=15, data_fingerprint="f", world="w",
        trial=f"t{number // 3}", seed=number % 3,
    )  # fmt: skip


def record_some(state: str, offset: int, start: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    box = Lockbox(Path(state))
    for number in range(offset, offset + 20):
        box.record(look(number))
        box.record(look(number))


def test_eight_processes_count_at_once_and_lose_nothing(tmp_path):
    context = multiprocessing.get_context("fork")
    start = context.Event()
    # Neighbours share half of their looks.
    workers = [
        context.Process(target=record_some, args=(str(tmp_path), 10 * number, start))
        for number in range(8)
    ]
    for worker in workers:
        worker.start()
    start.set()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 8
    found = Lockbox(tmp_path).looks("SPY", "2021-01-04", "2021-12-31")
    assert found.window == 90
    assert found.trials == 30


def test_a_window_is_counted_by_its_symbol_and_its_sessions(tmp_path):
    box = Lockbox(tmp_path)
    box.record(look(0))
    box.record(look(1, symbol="QQQ"))
    box.record(look(2, first="2021-06-01", last="2021-06-30"))
    box.record(look(3, first="2022-01-03", last="2022-12-30"))
    year = box.looks("SPY", "2021-01-04", "2021-12-31")
    assert (year.window, year.overlapping) == (1, 1)
    month = box.looks("SPY", "2021-06-01", "2021-06-30")
    assert (month.window, month.overlapping) == (1, 1)
    assert box.looks("IWM", "2021-01-04", "2021-12-31").window == 0


def test_asking_creates_nothing(tmp_path):
    assert Lockbox(tmp_path / "none").looks("SPY", "2021-01-04", "2021-12-31").window == 0
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes anywhere")
def test_a_state_folder_that_cannot_be_written_is_refused_by_its_key(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match=r"paths\.state"):
        Lockbox(tmp_path / "state").prepare()


def test_a_state_folder_that_is_a_file_is_refused_by_its_key(tmp_path):
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(ConfigError, match=r"paths\.state"):
        Lockbox(tmp_path / "state").prepare()


Run = Callable[..., tuple[Outcome, RunFolder]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A walk-forward of one tiny window, without report and plots."""

    def carry_out(*overrides: str) -> tuple[Outcome, RunFolder]:
        places = [f"paths.outputs={tmp_path / 'outputs'}", f"paths.state={tmp_path / 'state'}"]
        plan = compose_plan([*SMALL, *places, *overrides])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(walk_forward, "write_report", lambda *_: None)
            patch.setattr(walk_forward, "write_fold_plots", lambda *_: None)
            outcome = walk_forward.run(plan, Context(saved(plan), ["intraday-rl"], reload))
        return outcome, RunFolder.of(plan.paths.outputs, str(outcome.run_key))

    return carry_out


@pytest.fixture
def real(real_data: Path) -> list[str]:
    """Real bars."""
    path = real_data / "SPY_15min_2018_2025.parquet"
    return ["symbol=SPY", "data=parquet", f"data.path={path}", "data.bar_label=start"]


def looks_of(folder: RunFolder) -> tuple[int, int]:
    (looks,) = read_json(folder.verdict)["test_window_looks"].values()
    return looks["window"], looks["trials"]


@pytest.mark.slow("sweep")
def test_real_looks_of_learned_agents_count_once_and_outlive_the_outputs(run, real, tmp_path):
    _, folder = run(*real, *LEARNED)
    assert looks_of(folder) == (1, 1)
    run(*real, *LEARNED, "force=true")
    _, folder = run(*real, "agent=hold")
    assert looks_of(folder) == (1, 1), "a repetition and a baseline add none"
    shutil.rmtree(tmp_path / "outputs")
    _, folder = run(*real, *LEARNED, "seeds=[0,1]")
    assert looks_of(folder) == (2, 1)


@pytest.mark.slow("truth")
def test_synthetic_bars_are_never_counted(run, tmp_path):
    _, folder = run(*LEARNED, "data.start=2018-01-02", "data.end=2018-06-15")
    assert read_json(folder.verdict)["test_window_looks"] == {}
    assert not (tmp_path / "state").exists()


@pytest.mark.slow("truth")
def test_a_look_is_on_record_before_the_test_is_read(run, real, tmp_path, monkeypatch):
    def crash(*_: object) -> None:
        with closing(sqlite3.connect(tmp_path / "state" / FILE)) as connection:
            assert connection.execute("SELECT COUNT(*) FROM looks").fetchone() == (1,)
        raise OSError("the machine went down while the test was read")

    monkeypatch.setattr(fold_result, "_test", crash)
    outcome, folder = run(*real, *LEARNED)
    assert outcome.code == 1
    assert "went down" in next(folder.path.rglob("error.txt")).read_text("utf-8")
    assert looks_of(folder) == (1, 1)


def test_a_fold_that_dies_in_training_has_looked_at_nothing(run, real, monkeypatch):
    def die(*_: object) -> None:
        raise RuntimeError("no convergence")

    monkeypatch.setattr(fold_result, "fit", die)
    outcome, folder = run(*real, *LEARNED)
    assert outcome.code == 1
    assert looks_of(folder) == (0, 0)
