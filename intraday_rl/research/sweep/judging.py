"""The numbers of a world: what its best trial is worth, given everything that was tried.

| number              | over                                                                     |
|---------------------|--------------------------------------------------------------------------|
| N, raw              | every configuration tried, failed and abandoned ones included            |
| N, effective        | trials with a series, correlated ones for less (method named), plus one  |
|                     | for each trial without a series                                          |
| N, at least         | the larger of raw and the looks at the most looked-at test window        |
| Var(SR)             | daily Sharpe ratios of all trials with a series, ddof 1. With one series |
|                     | and more looks it is unknown: 1 ÷ (T - 1), the variance of a Sharpe      |
|                     | ratio without skill, stands in and is named                              |
| best                | highest stitched test Sharpe as traded; the first on ties                |
| chosen              | per fold by earlier validation scores (`choosing`)                       |
| deflated Sharpe     | of best and of chosen, each at the three N                               |
| PBO, slope          | CSCV over all trials with a series                                       |

Every seed is a look, since each read the test and any could have been picked. Formulas, sources:
`statistics.probabilistic`, `.trials`, `.overfitting`; domain.md §7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intraday_rl.research.evaluation import return_metrics
from intraday_rl.research.fit import fold_generator
from intraday_rl.research.fold_summary import SUMMARY_SEED
from intraday_rl.research.lockbox import Looks
from intraday_rl.research.sweep.choosing import Chosen, chosen_of
from intraday_rl.research.sweep.jobs import JobStatus
from intraday_rl.research.sweep.ranking import rank_correlation, ranking_of
from intraday_rl.research.sweep.trials import Trial, World
from intraday_rl.statistics.arrays import is_constant
from intraday_rl.statistics.moments import moments
from intraday_rl.statistics.overfitting import Overfitting, overfitting
from intraday_rl.statistics.probabilistic import (
    DeflatedSharpe,
    deflated_sharpe,
    expected_maximum_sharpe,
    probabilistic_sharpe_of,
)
from intraday_rl.statistics.ratios import sharpe
from intraday_rl.statistics.trials import effective_trials

FloatArray = NDArray[np.float64]
CONFIDENCE = 0.95
HALF = 0.5


class Finding(Enum):
    """What a sweep showed in one world, strongest objection first."""

    no_result = "no_result"
    stayed_out = "stayed_out"
    loses = "loses"
    luck = "luck"
    fades = "fades"
    stands = "stands"


@dataclass(frozen=True, slots=True)
class Judged:
    """A world with its verdict: `content` is plain JSON, the rest is what plots need."""

    world: World
    content: dict[str, Any]
    best: Trial | None
    chosen: Chosen | None
    overfitting: Overfitting | None


def judge(world: World, names: Sequence[str], label: str, looks: dict[str, Looks]) -> Judged:
    """Judge one world; `names` of its trials, `looks` by test fold (empty on synthetic bars)."""
    named = {trial.key: name for trial, name in zip(world.trials, names, strict=True)}
    complete = [trial for trial in world.trials if trial.has_series]
    metrics = {trial.key: _metrics(trial) for trial in complete}
    ranking = ranking_of(world, named, metrics)
    content: dict[str, Any] = {
        "world": world.key,
        "label": label,
        **_facts(world),
        "tests": [list(test) for test in world.tests],
        "looks": {name: asdict(found) for name, found in looks.items()},
        "trials": _counts(world, complete, looks),
        "ranking": ranking,
        "rank_correlation": rank_correlation(ranking),
        "finding": Finding.no_result.value,
    }
    if not complete:
        return Judged(world, content, None, None, None)
    best = complete[int(np.argmax([trial.sharpe_daily for trial in complete]))]
    chosen = chosen_of(world)
    # Where nobody traded every rank is a tie: there is no winner whose next half could be worse.
    still = all(is_constant(trial.traded) for trial in complete)
    matrix = np.column_stack([trial.traded for trial in complete])
    found = None if still else overfitting(matrix)
    content |= {
        "best": {"trial": best.key, "name": named[best.key], **metrics[best.key]},
        "chosen": {
            "by_fold": [None if t is None else named[t.key] for t in chosen.trials],
            **_chosen_metrics(world, chosen, metrics),
        },
        "hold": world.hold_metrics,
        "deflated_sharpe": {
            "best": _deflated(best.traded, complete, content["trials"]),
            "chosen": _deflated(chosen.traded, complete, content["trials"]),
        },
        "overfitting": None if found is None else _overfitting(found),
    }
    content["finding"] = finding(content).value
    return Judged(world, content, best, chosen, found)


def _chosen_metrics(
    world: World, chosen: Chosen, metrics: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Of the per-fold choices; where one trial was chosen throughout, its own."""
    keys = {None if trial is None else trial.key for trial in chosen.trials}
    (only, *more) = keys
    if not more and only in metrics:
        return metrics[only]
    return {
        **return_metrics(chosen.traded, fold_generator(SUMMARY_SEED, world.key)),
        "if_traded": {"sharpe": sharpe(chosen.raw)},
    }


def _metrics(trial: Trial) -> dict[str, Any]:
    """As its run says, drawdown on bar equity; of several runs, from the daily returns.

    `if_traded`: the same of the raw policy, as if no seed had abstained.
    """
    runs = [job for job in trial.jobs if job.run is not None]
    if len(runs) == 1:
        return {**runs[0].result["as_traded"], "if_traded": runs[0].result["raw"]}
    generator = fold_generator(SUMMARY_SEED, trial.key)
    raw = return_metrics(trial.raw, generator)
    same = np.array_equal(trial.raw, trial.traded)
    return {**(raw if same else return_metrics(trial.traded, generator)), "if_traded": raw}


def finding(content: dict[str, Any]) -> Finding:
    """The first objection that applies, by precedence."""
    best_sharpe = content["best"]["sharpe"]
    if best_sharpe is None:
        return Finding.stayed_out
    if best_sharpe <= 0:
        return Finding.loses
    if content["deflated_sharpe"]["best"]["at_least"]["probability"] <= CONFIDENCE:
        return Finding.luck
    pbo, chosen_sharpe = content["overfitting"], content["chosen"]["sharpe"] or 0.0
    if chosen_sharpe <= 0 or (pbo is not None and pbo["probability"] >= HALF):
        return Finding.fades
    return Finding.stands


def _facts(world: World) -> dict[str, Any]:
    names = ("symbol", "benchmark", "synthetic", "reconstructed", "fill_is_same_bar",
             "fill_is_effectively_same_bar")  # fmt: skip
    return {
        **{name: world.facts[name] for name in names},
        "settings": world.declared,
        "sessions": len(world.days),
        "code_versions": len(world.codes),
    }


def _counts(world: World, complete: list[Trial], looks: dict[str, Looks]) -> dict[str, Any]:
    most = max((found.window + found.overlapping for found in looks.values()), default=0)
    by_status = [trial.status for trial in world.trials] + [j.status for j in world.nameless]
    effective, method = None, None
    if complete:
        found = effective_trials(np.column_stack([trial.traded for trial in complete]))
        effective, method = found.number + world.count - len(complete), found.method
    return {
        "raw": world.count,
        "with_series": len(complete),
        "failed": by_status.count(JobStatus.failed),
        "abandoned": by_status.count(JobStatus.abandoned),
        "effective": effective,
        "effective_method": method,
        "looks": most,
        "at_least": max(world.count, most),
    }


def _deflated(
    series: FloatArray, complete: list[Trial], counts: dict[str, Any]
) -> dict[str, Any] | None:
    """Deflated Sharpe of a series at each way to count; None when the series is constant."""
    sharpes = [trial.sharpe_daily for trial in complete]
    found = {}
    for way in ("raw", "effective", "at_least"):
        one = _deflate(series, sharpes, counts[way])
        if one is None:
            return None
        found[way] = {
            **asdict(one),
            "expected_maximum_annual": one.expected_maximum_daily * np.sqrt(252.0),
            "sharpe_variance_from": "trials" if len(sharpes) > 1 or one.trials == 1 else "1/(T-1)",
        }
    return found


def _deflate(series: FloatArray, sharpes: list[float], number: float) -> DeflatedSharpe | None:
    if len(sharpes) > 1 or number <= 1:
        return deflated_sharpe(series, sharpes, number)
    shape = moments(series)
    if shape is None:
        return None
    variance = 1.0 / (shape.observations - 1)
    threshold = expected_maximum_sharpe(variance, number)
    probability = probabilistic_sharpe_of(series, threshold)
    assert probability is not None  # the series is not constant
    return DeflatedSharpe(
        probability=probability,
        sharpe_daily=shape.sharpe_daily,
        expected_maximum_daily=threshold,
        trials=number,
        sharpe_variance_daily=variance,
        observations=shape.observations,
        skewness=shape.skewness,
        kurtosis_raw=shape.kurtosis_raw,
    )


def _overfitting(found: Overfitting) -> dict[str, Any]:
    left_out = {"logits", "winner", "in_sample_sharpe", "out_of_sample_sharpe"}
    return {
        **{k: v for k, v in asdict(found).items() if k not in left_out},
        "splits": len(found.logits),
        "median_logit": float(np.median(found.logits)),
    }
