"""From jobs to trials within worlds: one daily out-of-sample series per configuration.

| word  | meaning                                                                            |
|-------|------------------------------------------------------------------------------------|
| world | symbol, benchmark, bars, costs, account, test dates (`identity.world_settings`)    |
| trial | everything else that changes a decision (`identity.trial_settings`)                |

Every configuration that was tried is a trial, `agent=hold` and `agent=random` too when they are
jobs of the sweep: whoever looks at ten rows can pick any of them, and the contract calls the agent
a trial. The baselines inside a run's own report were not candidates and are none.

Seeds are repetitions, not trials: they are averaged with equal weight into one series, over all
runs of the same configuration; a seed that two runs share counts once, the later run's. A seed
that failed on a fold leaves the trial without a result on that fold, hence without a series. A
trial without a series is still a trial. Jobs of which not even a plan is known, or whose world
cannot be told, count in every world they may belong to: N errs upwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intraday_rl.errors import DataError
from intraday_rl.identity import declared_world, identity_of, trial_settings
from intraday_rl.records import read_json
from intraday_rl.research.sweep.jobs import Job, JobStatus
from intraday_rl.statistics.ratios import sharpe_daily_rows
from intraday_rl.statistics.seeds import equal_weight

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrialFold:
    """A trial on one test fold: score and daily returns, means over seeds; None where it failed.

    `validation`: first and last session behind the score; `abstained`: seeds that stayed flat.
    """

    validation: tuple[str, str]
    score: float | None
    traded: FloatArray | None
    raw: FloatArray | None
    abstained: int


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration in one world; `folds` is empty when no run of it can be read."""

    key: str
    kinds: dict[str, str]
    settings: dict[str, Any]
    status: JobStatus
    jobs: tuple[Job, ...]
    seeds: tuple[int, ...]
    folds: tuple[TrialFold, ...]

    @property
    def has_series(self) -> bool:
        """Every fold has a result."""
        return bool(self.folds) and all(fold.traded is not None for fold in self.folds)

    @property
    def traded(self) -> FloatArray:
        """Daily returns over all test folds as traded: zeros where a seed abstained."""
        return np.concatenate([fold.traded for fold in self.folds if fold.traded is not None])

    @property
    def raw(self) -> FloatArray:
        """Daily returns of the raw policy."""
        return np.concatenate([fold.raw for fold in self.folds if fold.raw is not None])

    @property
    def sharpe_daily(self) -> float:
        """Daily Sharpe as traded, 0 for a constant series."""
        return float(sharpe_daily_rows(self.traded))


@dataclass(frozen=True, slots=True)
class World:
    """Everything that was tried on the same days, bars and costs.

    | field     | meaning                                                                      |
    |-----------|------------------------------------------------------------------------------|
    | declared  | settings of the world as the plans say them                                  |
    | tests     | (name, first session, last session) of every test fold, in order             |
    | days      | test sessions as ISO dates; empty when no run is complete                    |
    | hold      | daily returns of holding from open to cutoff, same days and costs, and       |
    |           | their metrics; None when no run is complete                                  |
    | nameless  | jobs without a known plan, each counted as one more trial                    |
    | facts     | `data.json` of one of its runs                                               |
    """

    key: str
    declared: dict[str, Any]
    tests: tuple[tuple[str, str, str], ...]
    days: tuple[str, ...]
    trials: tuple[Trial, ...]
    nameless: tuple[Job, ...]
    hold: FloatArray | None
    hold_metrics: dict[str, Any] | None
    facts: dict[str, Any]
    codes: tuple[str, ...]

    @property
    def count(self) -> int:
        """N: every configuration that was tried, failed and abandoned ones included."""
        return len(self.trials) + len(self.nameless)


def worlds_of(jobs: Sequence[Job]) -> list[World]:
    """The worlds of the jobs, in the order in which they first appear."""
    by_world: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        if job.run is not None:
            if "world" not in job.facts:
                raise DataError(f"{job.run.data} has no 'world': run it again with this version")
            by_world[job.facts["world"]].append(job)
    possible = [_possible_worlds(job, by_world) for job in jobs]
    return [
        _world(key, [job for job, keys in zip(jobs, possible, strict=True) if key in keys])
        for key in by_world
    ]


def _world(key: str, mine: list[Job]) -> World:
    with_runs = [job for job in mine if job.run is not None]
    by_trial: dict[str, list[Job]] = defaultdict(list)
    for job in mine:
        if job.values:
            by_trial[identity_of(trial_settings(job.kinds, job.values))].append(job)
    windows = with_runs[0].facts["windows_resolved"]
    tests = tuple(
        (w["name"], w["test"]["first_session"], w["test"]["last_session"]) for w in windows
    )
    complete = [job for job in with_runs if job.result["folds_failed"] == 0]
    # Holding depends on settings of the trial (position size, cutoff): beside the best result
    # stands the hold of the very run it came from.
    best = max(complete, key=lambda job: job.result["as_traded"]["sharpe"] or 0.0, default=None)
    return World(
        key=key,
        declared=declared_world(with_runs[0].kinds, with_runs[0].values),
        tests=tests,
        days=tuple(complete[0].result["dates"]) if complete else (),
        trials=tuple(_trial(trial, members) for trial, members in by_trial.items()),
        nameless=tuple(job for job in mine if not job.values),
        hold=np.asarray(best.result["daily_returns"]["hold"]) if best else None,
        hold_metrics=best.result["hold"] if best else None,
        facts=with_runs[0].facts,
        codes=tuple(sorted({job.facts["code_hash"] for job in with_runs})),
    )


def _possible_worlds(job: Job, by_world: dict[str, list[Job]]) -> list[str]:
    """A run's own world; of a job without a run those that declare the same, all if none does."""
    if job.run is not None:
        return [job.facts["world"]]
    if not job.values:
        return list(by_world)
    wanted = declared_world(job.kinds, job.values)
    same = [
        key
        for key, members in by_world.items()
        if any(declared_world(one.kinds, one.values) == wanted for one in members)
    ]
    return same or list(by_world)


def _trial(key: str, jobs: list[Job]) -> Trial:
    runs = [job for job in jobs if job.run is not None]
    seeds = tuple(sorted({seed for job in runs for seed in job.facts["seeds_planned"]}))
    count = len(runs[0].facts["windows_resolved"]) if runs else 0
    folds = tuple(_fold(runs, number, seeds) for number in range(count))
    if folds and all(fold.traded is not None for fold in folds):
        status = JobStatus.finished
    elif any(job.status is JobStatus.failed for job in jobs):
        status = JobStatus.failed
    else:
        status = JobStatus.abandoned
    first = jobs[0]
    settings = trial_settings(first.kinds, first.values)
    return Trial(key, first.kinds, settings, status, tuple(jobs), seeds, folds)


def _fold(runs: list[Job], number: int, seeds: tuple[int, ...]) -> TrialFold:
    by_seed: dict[int, dict[str, Any]] = {}
    for job in runs:
        name = job.facts["windows_resolved"][number]["name"]
        for seed in job.facts["seeds_planned"]:
            path = job.run.fold(name).seed(seed).result if job.run else None
            if path is not None and path.is_file():
                by_seed[seed] = read_json(path)
    span = runs[0].facts["windows_resolved"][number]["validation"]
    validation = (span["first_session"], span["last_session"])
    if len(by_seed) < len(seeds):
        return TrialFold(validation, None, None, None, 0)
    results = [by_seed[seed] for seed in seeds]
    raw = np.array([result["daily_returns"] for result in results], float)
    kept = np.array([not result["abstained"] for result in results], float)
    return TrialFold(
        validation=validation,
        score=float(np.mean([result["validation_score"] for result in results])),
        traded=equal_weight(raw * kept[:, None]),
        raw=equal_weight(raw),
        abstained=int(len(results) - kept.sum()),
    )
