"""Probabilistic and deflated Sharpe: how likely the true Sharpe ratio beats a benchmark.

| name                 | formula                                                             |
|----------------------|---------------------------------------------------------------------|
| variance term        | V = 1 - skewness*SR + (kurtosis_raw - 1)/4 * SR^2                   |
| probabilistic Sharpe | Φ[(SR - SR*) * √(T - 1) ÷ √V]                                       |
| expected maximum SR0 | √Var(SR_n) * [(1 - g) * Φ⁻¹(1 - 1/N) + g * Φ⁻¹(1 - 1/(N*e))], g =   |
|                      | Euler's constant; 0 for N = 1                                       |
| deflated Sharpe      | probabilistic Sharpe at SR* = SR0                                   |
| minimum track record | 1 + V * (z ÷ (SR - SR*))^2 sessions                                 |

Every Sharpe ratio here is PER PERIOD (daily), never annualised; skewness is the population moment,
kurtosis the RAW one, T the number of periods; Var(SR_n) has ddof 1. N counts every trial, failed
choices included. Sources: Bailey & López de Prado 2012 and 2014; domain.md §7. Always written
*deflated Sharpe*: DSR is this project's differential Sharpe reward.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from intraday_rl.errors import DataError
from intraday_rl.statistics.arrays import finite_vector
from intraday_rl.statistics.moments import moments

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class DeflatedSharpe:
    """The deflated Sharpe of the best of many trials and everything it was computed from."""

    probability: float
    sharpe_daily: float
    expected_maximum_daily: float
    trials: float
    sharpe_variance_daily: float
    observations: int
    skewness: float
    kurtosis_raw: float


def probabilistic_sharpe(
    sharpe_daily: float,
    observations: int,
    skewness: float,
    kurtosis_raw: float,
    benchmark_daily: float = 0.0,
) -> float:
    """Probability that the true daily Sharpe ratio is above the benchmark's."""
    if observations < 2:
        raise DataError(f"observations={observations}: a Sharpe ratio needs at least 2")
    variance = _variance_term(sharpe_daily, skewness, kurtosis_raw)
    distance = (sharpe_daily - benchmark_daily) * math.sqrt(observations - 1)
    if variance <= 0:  # a two-point law: the ratio is known without error
        return 0.5 if distance == 0 else float(distance > 0)
    return _NORMAL.cdf(distance / math.sqrt(variance))


def probabilistic_sharpe_of(returns: ArrayLike, benchmark_daily: float = 0.0) -> float | None:
    """Probabilistic Sharpe of a series of daily returns; `None` when it is constant."""
    shape = moments(returns)
    if shape is None:
        return None
    return probabilistic_sharpe(
        shape.sharpe_daily, shape.observations, shape.skewness, shape.kurtosis_raw, benchmark_daily
    )


def expected_maximum_sharpe(sharpe_variance_daily: float, trials: float) -> float:
    """SR0: the highest daily Sharpe ratio to expect from this many trials without any skill.

    An effective number between 1 and 2 would make it negative; more trials never expect less.
    """
    if not (math.isfinite(trials) and trials >= 1):
        raise DataError(f"trials={trials}: must be a finite number from 1")
    if not (math.isfinite(sharpe_variance_daily) and sharpe_variance_daily >= 0):
        raise DataError(f"sharpe_variance_daily={sharpe_variance_daily}: must be 0 or more")
    if trials == 1:
        return 0.0
    first = (1.0 - np.euler_gamma) * _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    second = np.euler_gamma * _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return max(0.0, math.sqrt(sharpe_variance_daily) * float(first + second))


def deflated_sharpe(
    best_returns: ArrayLike, trial_sharpes_daily: ArrayLike, trials: float | None = None
) -> DeflatedSharpe | None:
    """Deflated Sharpe of the best trial; `None` when its series is constant.

    | argument            | meaning                                                             |
    |---------------------|---------------------------------------------------------------------|
    | best_returns        | daily out-of-sample returns of the trial with the highest Sharpe    |
    | trial_sharpes_daily | daily Sharpe of every trial that has a series, the best included    |
    | trials              | N; default their number. More with failed trials or looks, fewer    |
    |                     | as an effective number                                              |
    """
    sharpes = finite_vector("trial_sharpes_daily", trial_sharpes_daily)
    shape = moments(best_returns)
    if shape is None:
        return None
    number = float(len(sharpes)) if trials is None else float(trials)
    variance = float(sharpes.var(ddof=1)) if len(sharpes) > 1 else 0.0
    threshold = expected_maximum_sharpe(variance, number)
    probability = probabilistic_sharpe(
        shape.sharpe_daily, shape.observations, shape.skewness, shape.kurtosis_raw, threshold
    )
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


def minimum_track_record(
    sharpe_daily: float,
    skewness: float,
    kurtosis_raw: float,
    benchmark_daily: float = 0.0,
    confidence: float = 0.95,
) -> float | None:
    """Sessions until the probabilistic Sharpe reaches `confidence`; `None` if it never does."""
    if not 0.5 < confidence < 1:
        raise DataError(f"confidence={confidence}: must lie between 0.5 and 1")
    if sharpe_daily <= benchmark_daily:
        return None
    variance = max(0.0, _variance_term(sharpe_daily, skewness, kurtosis_raw))
    return 1.0 + variance * (_NORMAL.inv_cdf(confidence) / (sharpe_daily - benchmark_daily)) ** 2


def _variance_term(sharpe: float, skewness: float, kurtosis_raw: float) -> float:
    # No law has a raw kurtosis below this; the excess kurtosis of a calm series does.
    if kurtosis_raw < 1.0 + skewness**2 - 1e-6 * (1.0 + skewness**2):
        raise DataError(
            f"kurtosis_raw={kurtosis_raw} with skewness={skewness}: no law has these; "
            "hand in the raw kurtosis, not the excess"
        )
    return 1.0 - skewness * sharpe + (kurtosis_raw - 1.0) / 4.0 * sharpe**2
