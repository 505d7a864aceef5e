"""Made-up sweeps on disk: real plans, daily returns of the test's own making, no market."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from intraday_rl.config import compose_plan, saved
from intraday_rl.identity import declared_world, identity_of, trial_settings
from intraday_rl.records import RunFolder, write_json, write_text
from intraday_rl.research.sweep.jobs import jobs_of_sweep
from intraday_rl.research.sweep.trials import World, worlds_of

SESSIONS = 64  # a fold; two folds give every CSCV block eight sessions
FOLDS = ("first", "second")
START = date(2021, 1, 4)

BAND, SEEDS = "env.action.no_trade_band=", "seeds="


@cache
def _composed(*overrides: str) -> dict[str, Any]:
    plan: dict[str, Any] = yaml.safe_load(saved(compose_plan(list(overrides))).text)
    return plan


def plan_of(*overrides: str) -> dict[str, Any]:
    """`plan.yaml` of these overrides, as values with their kinds; bands and seeds are set late.

    Composing takes a tenth of a second, which fifty configurations would have to wait for.
    """
    late = [one for one in overrides if one.startswith((BAND, SEEDS))]
    plan = copy.deepcopy(_composed(*(one for one in overrides if one not in late)))
    for one in late:
        value = yaml.safe_load(one.partition("=")[2])
        if one.startswith(BAND):
            plan["env"]["action"]["no_trade_band"] = value
        else:
            plan["seeds"] = value
    return plan


def noise(seed: int, daily_sharpe: float = 0.0, sessions: int = SESSIONS) -> list[float]:
    """Daily returns with exactly this Sharpe ratio."""
    drawn = np.random.default_rng(seed).normal(size=sessions)
    drawn = (drawn - drawn.mean()) / drawn.std(ddof=1)
    return list(0.01 * (drawn + daily_sharpe))


def windows(names: Sequence[str] = FOLDS) -> list[dict[str, Any]]:
    """Adjoining test folds, each validated on the sixty days before it, as in `data.json`."""
    found = []
    for number, name in enumerate(names):
        first = START + timedelta(days=number * SESSIONS)
        validation = first - timedelta(days=60), first - timedelta(days=1)
        test = first, first + timedelta(days=SESSIONS - 1)
        found.append({"name": name, **{
            span: {"first_session": str(a), "last_session": str(b)}
            for span, (a, b) in (("validation", validation), ("test", test))
        }})  # fmt: skip
    return found


@dataclass
class MadeSweep:
    """A sweep that grows job by job; `worlds()` reads it back through the code under test."""

    outputs: Path
    folder: Path
    jobs: int = 0
    runs: list[str] = field(default_factory=list)

    def finished(
        self,
        *overrides: str,
        returns: dict[int, Sequence[Sequence[float]]],
        scores: Sequence[float] = (0.0, 0.0),
        abstained: Sequence[int] = (),
        lost: Sequence[tuple[int, int]] = (),
        synthetic: bool = False,
    ) -> str:
        """A job with a run: `returns` by seed and fold; `lost`: (seed, fold) without a result."""
        plan = plan_of(*overrides, f"seeds={sorted(returns)}")
        values = {key: value for key, value in plan.items() if key != "kinds"}
        key = f"{len(self.runs):02d}{identity_of(plan)}"
        run = RunFolder.of(str(self.outputs), key)
        resolved = windows()
        facts = {
            "run_key": key,
            "world": identity_of(declared_world(plan["kinds"], values)),
            "trial": identity_of(trial_settings(plan["kinds"], values)),
            "symbol": values["symbol"], "benchmark": values["symbol"], "synthetic": synthetic,
            "reconstructed": False, "fill_is_same_bar": False,
            "fill_is_effectively_same_bar": False, "code_hash": "c",
            "seeds_planned": sorted(returns),
        }  # fmt: skip
        write_text(run.plan, yaml.safe_dump(plan))
        write_json(run.data, {**facts, "windows_resolved": resolved})
        for seed, by_fold in returns.items():
            for number, name in enumerate(FOLDS):
                if (seed, number) not in lost:
                    result = {
                        "status": "finished",
                        "daily_returns": list(by_fold[number]),
                        "validation_score": float(scores[number]),
                        "abstained": seed in abstained,
                    }
                    write_json(run.fold(name).seed(seed).result, result)
        verdict: dict[str, Any] = {**facts, "folds_failed": len({fold for _, fold in lost})}
        if not lost:
            mean = np.mean([np.concatenate(list(r)) for r in returns.values()], axis=0)
            verdict |= {
                "dates": [str(START + timedelta(days=day)) for day in range(2 * SESSIONS)],
                "as_traded": _metrics(np.zeros_like(mean) if abstained else mean),
                "raw": _metrics(mean),
                "hold": _metrics(mean),
                "daily_returns": {"hold": [0.0] * (2 * SESSIONS)},
            }
        write_json(run.verdict, verdict)
        self._job(plan, {"code": int(bool(lost)), "run_key": key, "overrides": list(overrides)})
        self.runs.append(key)
        return key

    def broken(self, *overrides: str) -> None:
        """A job that ended with an error before it had a run."""
        self._job(plan_of(*overrides), {"code": 3, "run_key": None, "overrides": list(overrides)})

    def killed(self, *overrides: str) -> None:
        """A job that left its plan and nothing else; without overrides not even that."""
        if overrides:
            self._job(plan_of(*overrides), None)
        else:
            self._job(None, {"code": 1, "run_key": None, "overrides": []})

    def worlds(self) -> list[World]:
        """The worlds that the sweep's folder tells of."""
        return worlds_of(jobs_of_sweep(self.folder))

    def _job(self, plan: dict[str, Any] | None, outcome: dict[str, Any] | None) -> None:
        place = self.folder / "jobs" / str(self.jobs)
        if plan is not None:
            write_text(place.with_suffix(".yaml"), yaml.safe_dump(plan))
        if outcome is not None:
            write_json(place.with_suffix(".json"), outcome)
        self.jobs += 1


def _metrics(returns: np.ndarray) -> dict[str, Any]:
    spread = returns.std(ddof=1)
    ratio = None if spread == 0 else float(returns.mean() / spread * np.sqrt(252))
    return {
        "sharpe": ratio, "sharpe_low": None, "sharpe_high": None, "max_drawdown": 0.1,
        "total_return": float(np.prod(1 + returns) - 1),
    }  # fmt: skip


@pytest.fixture
def make_sweep(tmp_path: Path) -> Callable[..., MadeSweep]:
    """Sweeps into one `outputs` of the test's own."""
    outputs = tmp_path / "outputs"
    return lambda name="made": MadeSweep(outputs, outputs / "sweeps" / name)


@pytest.fixture
def made(make_sweep: Callable[..., MadeSweep]) -> MadeSweep:
    """An empty sweep."""
    return make_sweep()
