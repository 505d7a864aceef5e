"""Scores across seeds: the interquartile mean with a stratified bootstrap (rliable's method).

| item       | meaning                                                                        |
|------------|--------------------------------------------------------------------------------|
| stratum    | one fold (or task): the scores of its seeds; strata may differ in length       |
| estimate   | mean of the middle half of all scores together (a quarter cut off at each end) |
| resample   | seeds drawn with replacement inside every stratum, never across                |
| interval   | percentile over the resamples                                                  |

Source: Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from intraday_rl.errors import DataError
from intraday_rl.statistics.arrays import FloatArray, finite_matrix, finite_vector
from intraday_rl.statistics.intervals import CONFIDENCE, RESAMPLES, Interval


def equal_weight(returns_by_seed: ArrayLike) -> FloatArray:
    """The one series of a configuration: the average over seeds (seeds x sessions)."""
    matrix = finite_matrix("returns_by_seed", returns_by_seed)
    if len(matrix) == 0:
        raise DataError("returns_by_seed has no rows; at least one seed is needed")
    return np.asarray(matrix.mean(axis=0))


def interquartile_mean_rows(scores: FloatArray) -> FloatArray:
    """Mean of the middle half along the last axis."""
    count = scores.shape[-1]
    cut = count // 4
    return np.asarray(np.sort(scores, axis=-1)[..., cut : count - cut].mean(axis=-1))


def interquartile_mean(scores: ArrayLike) -> float:
    """Mean of the middle half of some scores."""
    series = finite_vector("scores", scores)
    if len(series) == 0:
        raise DataError("scores is empty; at least one score is needed")
    return float(interquartile_mean_rows(series))


def interquartile_mean_interval(
    scores_by_fold: Sequence[ArrayLike],
    generator: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Interquartile mean over folds x seeds; no bounds when every fold has a single seed."""
    strata = [finite_vector(f"scores_by_fold[{i}]", fold) for i, fold in enumerate(scores_by_fold)]
    strata = [fold for fold in strata if len(fold)]
    if not strata:
        raise DataError("scores_by_fold is empty; at least one score is needed")
    estimate = interquartile_mean(np.concatenate(strata))
    if max(len(fold) for fold in strata) == 1:
        return Interval(None, estimate, None, confidence, "no interval: one seed per fold")
    draws = np.concatenate(
        [fold[generator.integers(len(fold), size=(resamples, len(fold)))] for fold in strata],
        axis=1,
    )
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(interquartile_mean_rows(draws), [tail, 100.0 - tail])
    method = f"interquartile mean, stratified bootstrap over seeds, {resamples} resamples"
    return Interval(float(low), estimate, float(high), confidence, method)
