"""Whole jobs, small: one year of synthetic bars, two folds, nothing recorded in MLflow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from intraday_rl.config import compose_plan, reload, saved
from intraday_rl.outcome import Context, Outcome
from intraday_rl.records import RunFolder
from intraday_rl.research import final_fit, walk_forward
from intraday_rl.tasks import FinalFit

SMALL = [
    "data.start=2021-01-04",
    "data.end=2022-01-31",
    "windows=auto",
    "windows.train_size=6 months",
    "windows.test_size=3 months",
    "windows.validation_sessions=40",
    "tracking=none",
    "parallel.workers=1",
]
TINY_SAC = [
    "agent=sac",
    "agent.net_arch=[8]",
    "agent.batch_size=32",
    "agent.total_timesteps=320",
    "agent.learning_starts=64",
    "agent.eval_freq=160",
    "agent.n_envs=8",
]

Job = Callable[..., tuple[Outcome, RunFolder]]


def run_job(outputs: Path, *overrides: str) -> tuple[Outcome, RunFolder]:
    """Run a small walk-forward in this process; `overrides` come on top of `SMALL`."""
    return run_alone(f"paths.outputs={outputs}", *SMALL, *overrides)


def run_alone(*overrides: str) -> tuple[Outcome, RunFolder]:
    """The job of these overrides alone, without report and plots, which have their own tests."""
    plan = compose_plan(overrides)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk_forward, "write_report", lambda *_: None)
        patch.setattr(walk_forward, "write_fold_plots", lambda *_: None)
        task = final_fit if isinstance(plan.task, FinalFit) else walk_forward
        outcome = task.run(plan, Context(saved(plan), ["intraday-rl", *overrides], reload))
    return outcome, RunFolder.of(plan.paths.outputs, str(outcome.run_key))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Jobs into one folder of the test's own."""
    return lambda *overrides: run_job(tmp_path / "outputs", *overrides)


@pytest.fixture(scope="session")
def job_in() -> Callable[..., tuple[Outcome, RunFolder]]:
    """`run_job`, for fixtures that choose their folder themselves."""
    return run_job


@pytest.fixture(scope="package")
def held(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, RunFolder]:
    """A finished job of the agent that holds."""
    return run_job(tmp_path_factory.mktemp("held"), "agent=hold")


@pytest.fixture(scope="package")
def random_walk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, RunFolder]:
    """A finished job of the random agent with two seeds."""
    return run_job(tmp_path_factory.mktemp("random"), "agent=random", "seeds=[0,1]")


@pytest.fixture(scope="package")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, RunFolder]:
    """A finished job of an agent that learned for an instant, on noise."""
    return run_job(tmp_path_factory.mktemp("learned"), *TINY_SAC)
