"""Intervals of daily statistics by the stationary bootstrap of `arch`.

| choice       | value                                                                     |
|--------------|---------------------------------------------------------------------------|
| resamples    | 2,000 of the whole series, blocks of geometric length that wrap around    |
| block length | `arch.bootstrap.optimal_block_length`, stationary, rounded up to sessions |
| interval     | percentile, two-sided; the lower bound is its low end                     |
| abstention   | one-sided                                                                 |
| randomness   | the generator handed in and nothing else                                  |

A statistic reduces the last axis of a matrix (`ratios.sharpe_rows`, `ratios.mean_rows`), so that
all resamples are judged in one call. A series that is constant or too short has no interval: its
bounds are `None` and `method` says why. Source: domain.md §7; Politis & Romano 1994; Politis &
White 2004 with the correction of Patton, Politis & White 2009.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from numpy.typing import ArrayLike, NDArray

from intraday_rl.statistics.arrays import FloatArray, finite_vector, is_constant, same_length
from intraday_rl.statistics.ratios import mean_rows

RESAMPLES = 2_000
CONFIDENCE = 0.95
ABSTENTION_LEVEL = 0.05
FEWEST_SESSIONS = 10

Statistic = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its bounds; `None` where the number does not exist."""

    low: float | None
    estimate: float | None
    high: float | None
    confidence: float
    method: str

    @property
    def above_zero(self) -> bool:
        """The lower bound exists and is positive."""
        return self.low is not None and self.low > 0


@dataclass(frozen=True, slots=True)
class Abstention:
    """Whether a fold stays flat, with the numbers behind it (returns per session)."""

    abstain: bool
    mean: float | None
    lower_bound: float | None
    t_value: float | None
    method: str


def block_length(returns: ArrayLike) -> int | None:
    """Mean block length in sessions, at least 1; `None` for constant or very short series."""
    series = finite_vector("returns", returns)
    if len(series) < FEWEST_SESSIONS or is_constant(series):
        return None
    # The optimum does not depend on scale or level; unit size keeps tiny returns from underflowing.
    centred = series - series.mean()
    centred /= np.abs(centred).max()
    # At its longest lags arch divides by the energy of a few last sessions, which may be 0.
    with np.errstate(divide="ignore", invalid="ignore"):
        optimum = float(optimal_block_length(centred)["stationary"].iloc[0])
    # Without an optimum (long-run variance estimated as 0) take its rate of growth.
    length = optimum if math.isfinite(optimum) else len(series) ** (1 / 3)
    return max(1, math.ceil(length))


def resample_rows(
    sessions: int, block_sessions: int, generator: np.random.Generator, resamples: int = RESAMPLES
) -> NDArray[np.int64]:
    """Row numbers (resamples x sessions) as `arch` draws them from the same generator."""
    bootstrap = StationaryBootstrap(
        block_sessions, np.arange(sessions, dtype=np.int64), seed=generator
    )
    rows = np.empty((resamples, sessions), dtype=np.int64)
    for draw, (positional, _) in enumerate(bootstrap.bootstrap(resamples)):
        rows[draw] = positional[0]
    return rows


def bootstrap_interval(
    returns: ArrayLike,
    statistic: Statistic,
    generator: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Interval of a statistic of one series of daily returns."""
    series = finite_vector("returns", returns)
    blocks = block_length(series)
    estimate = None if is_constant(series) else float(statistic(series))
    if blocks is None:
        return _no_interval(series, estimate, confidence)
    draws = statistic(series[resample_rows(len(series), blocks, generator, resamples)])
    return _percentile_interval(draws, estimate, confidence, _method(blocks, resamples))


def paired_interval(
    policy: ArrayLike,
    baseline: ArrayLike,
    generator: np.random.Generator,
    *,
    statistic: Statistic = mean_rows,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Interval of statistic(policy) - statistic(baseline): both series draw the same sessions."""
    left, right = finite_vector("policy", policy), finite_vector("baseline", baseline)
    same_length(policy=left, baseline=right)
    difference = left - right
    blocks = block_length(difference)
    estimate = float(statistic(left) - statistic(right)) if len(left) else None
    if blocks is None:
        return _no_interval(difference, estimate, confidence)
    rows = resample_rows(len(left), blocks, generator, resamples)
    draws = statistic(left[rows]) - statistic(right[rows])
    return _percentile_interval(draws, estimate, confidence, "paired " + _method(blocks, resamples))


def lower_bound_one_sided(
    returns: ArrayLike,
    statistic: Statistic,
    generator: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = ABSTENTION_LEVEL,
) -> float | None:
    """The bound that a resampled statistic undercuts with probability `level`."""
    return bootstrap_interval(
        returns, statistic, generator, resamples=resamples, confidence=1.0 - 2.0 * level
    ).low


def abstention(
    validation_returns: ArrayLike,
    generator: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = ABSTENTION_LEVEL,
) -> Abstention:
    """Stay flat unless the mean daily return is positive beyond its one-sided bound.

    Flat earns 0 every session, so the paired advantage over it is the return itself. Without a
    bound nothing has been shown, and the fold abstains.
    """
    series = finite_vector("validation_returns", validation_returns)
    interval = bootstrap_interval(
        series, mean_rows, generator, resamples=resamples, confidence=1.0 - 2.0 * level
    )
    error = 0.0 if is_constant(series) else float(series.std(ddof=1)) / math.sqrt(len(series))
    return Abstention(
        abstain=not interval.above_zero,
        mean=float(series.mean()) if len(series) else None,
        lower_bound=interval.low,
        t_value=float(series.mean()) / error if error > 0 else None,
        method=f"one-sided {level:.0%} bound of the mean, {interval.method}",
    )


def _percentile_interval(
    draws: FloatArray, estimate: float | None, confidence: float, method: str
) -> Interval:
    tail = (1.0 - confidence) / 2.0
    low, high = np.percentile(draws, [100.0 * tail, 100.0 * (1.0 - tail)])
    return Interval(float(low), estimate, float(high), confidence, method)


def _no_interval(series: FloatArray, estimate: float | None, confidence: float) -> Interval:
    reason = "constant series" if is_constant(series) else f"only {len(series)} sessions"
    return Interval(None, estimate, None, confidence, f"no interval: {reason}")


def _method(blocks: int, resamples: int) -> str:
    return f"stationary bootstrap, {resamples} resamples, mean block {blocks} sessions, percentile"
