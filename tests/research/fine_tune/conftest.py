"""A model that learned for an instant, and commands that tune it on the days that follow."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from intraday_rl.config import compose_plan, reload, saved
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder
from intraday_rl.research import final_fit
from intraday_rl.research.fine_tune import task as fine_tune

BARS = ["data.start=2021-01-04", "tracking=none", "parallel.workers=1"]
TINY = [
    *BARS,
    "data.end=2021-09-30",
    "windows.validation_sessions=40",
    "selection.abstain=false",
    "agent.net_arch=[8]",
    "agent.batch_size=32",
    "agent.total_timesteps=320",
    "agent.learning_starts=64",
    "agent.eval_freq=160",
    "agent.n_envs=8",
]
UNTIL = "2021-08-31"
NOW = [*BARS, "data.end=2021-12-31"]
TUNE = [*NOW, "task=fine_tune", "task.timesteps=160"]


def composed(*overrides: str) -> tuple[Plan, Context]:
    plan = compose_plan(overrides)
    command = ["intraday-rl", *(f"'{word}'" for word in overrides)]
    return plan, Context(saved(plan), command, reload, defaults=lambda: saved(compose_plan([])))


@dataclass(frozen=True)
class Model:
    """A bundle and the outputs it lies in; `tune` runs the task on it in this process."""

    bundle: Path
    outputs: Path

    def composed(self, *overrides: str) -> tuple[Plan, Context]:
        return composed(
            *TUNE, f"task.model={self.bundle}", f"paths.outputs={self.outputs}", *overrides
        )

    def commanded(self, *overrides: str) -> tuple[Plan, Context]:
        """Plan and context of a command of its own."""
        return composed(*overrides)

    def tune(self, *overrides: str) -> tuple[Outcome, RunFolder]:
        plan, context = self.composed(*overrides)
        outcome = fine_tune.run(plan, context)
        return outcome, RunFolder.of(str(self.outputs), str(outcome.run_key))


def fitted(outputs: Path, until: str, *overrides: str) -> Path:
    """The bundle of a final fit."""
    plan, context = composed(
        "task=final_fit", f"task.until={until}", f"paths.outputs={outputs}", *overrides
    )
    outcome = final_fit.run(plan, context)
    run = RunFolder.of(str(outputs), str(outcome.run_key))
    return run.fold(f"until_{until}").seed(0).bundle


@pytest.fixture(scope="package")
def final_bundle() -> Callable[..., Path]:
    """`fitted`, for tests that need a model of their own."""
    return fitted


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted(tmp_path_factory.mktemp("parent"), UNTIL, *TINY)


@pytest.fixture
def model(made: Path, tmp_path: Path) -> Model:
    """A copy of the bundle, which a test may spoil, with outputs of its own."""
    shutil.copytree(made, tmp_path / "bundle")
    return Model(tmp_path / "bundle", tmp_path / "outputs")
