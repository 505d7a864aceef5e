"""Probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV).

| step      | what                                                                                |
|-----------|-------------------------------------------------------------------------------------|
| input     | daily out-of-sample returns, sessions x trials of one world, in time order          |
| trim      | the last sessions go until the blocks are equal                                     |
| splits    | every choice of half the blocks is in-sample once, its complement out-of-sample     |
| winner    | highest in-sample Sharpe; the first column on ties                                  |
| rank      | of the winner's out-of-sample Sharpe, from 1 (worst) to N; mean rank on ties        |
| logit     | ln(w ÷ (1 - w)), w = rank ÷ (N + 1)                                                 |
| PBO       | share of logits ≤ 0: how often the winner is no better than the median afterwards   |
| slope     | least squares of the winner's out-of-sample Sharpe on its in-sample Sharpe          |

A constant half has Sharpe 0. Sharpe ratios are daily (ranks do not care, the slope neither).
Never shown without the absolute net Sharpe: a low PBO among losers is still a loss.
Source: Bailey, Borwein, López de Prado & Zhu 2015; domain.md §7.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intraday_rl.errors import DataError
from intraday_rl.statistics.arrays import FloatArray, finite_matrix

BLOCKS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Overfitting:
    """PBO and what it rests on; Sharpe ratios of the winner are daily, one entry per split."""

    probability: float
    logits: FloatArray
    winner: NDArray[np.int64]
    in_sample_sharpe: FloatArray
    out_of_sample_sharpe: FloatArray
    degradation_slope: float | None
    degradation_intercept: float | None
    loss_probability: float
    trials: int
    blocks: int
    sessions_used: int
    sessions_trimmed: int


def overfitting(returns: ArrayLike, blocks: int = BLOCKS) -> Overfitting | None:
    """PBO of a set of trials; `None` with fewer than two trials or two sessions a block."""
    matrix = finite_matrix("returns", returns)
    if blocks < 2 or blocks % 2:
        raise DataError(f"blocks={blocks}: must be an even number from 2")
    sessions, trials = matrix.shape
    if trials < 2 or sessions < 2 * blocks:
        return None
    trimmed = sessions % blocks
    sharpe = half_sharpes(matrix[: sessions - trimmed], blocks)
    # Splits are in lexicographic order, where a set and its complement stand mirrored.
    outside = sharpe[::-1]
    winner = np.argmax(sharpe, axis=1)
    rows = np.arange(len(winner))
    inside_best, outside_best = sharpe[rows, winner], outside[rows, winner]
    worse = np.count_nonzero(outside < outside_best[:, None], axis=1)
    equal = np.count_nonzero(outside == outside_best[:, None], axis=1)
    relative = (worse + (equal + 1) / 2) / (trials + 1)
    logits = np.log(relative / (1.0 - relative))
    slope, intercept = _line(inside_best, outside_best)
    return Overfitting(
        probability=float(np.mean(logits <= 0)),
        logits=logits,
        winner=winner,
        in_sample_sharpe=inside_best,
        out_of_sample_sharpe=outside_best,
        degradation_slope=slope,
        degradation_intercept=intercept,
        loss_probability=float(np.mean(outside_best < 0)),
        trials=trials,
        blocks=blocks,
        sessions_used=sessions - trimmed,
        sessions_trimmed=trimmed,
    )


@lru_cache(maxsize=4)
def half_splits(blocks: int) -> NDArray[np.int64]:
    """Every half of the blocks (splits x blocks ÷ 2), in lexicographic order, read-only."""
    splits = np.array(list(combinations(range(blocks), blocks // 2)), dtype=np.int64)
    splits.setflags(write=False)
    return splits


def half_sharpes(returns: FloatArray, blocks: int) -> FloatArray:
    """Daily Sharpe of every trial on every half (splits x trials) from sums over blocks."""
    sessions, trials = returns.shape
    splits = half_splits(blocks)
    cut = returns.reshape(blocks, sessions // blocks, trials)
    total = _add_blocks(cut.sum(axis=1), splits)
    square = _add_blocks(np.square(cut).sum(axis=1), splits)
    count = sessions // 2
    mean = total / count
    variance = np.maximum(square - total * mean, 0.0) / (count - 1)
    still = (variance == 0) | _constant_halves(cut, splits)
    return np.where(still, 0.0, mean / np.sqrt(np.where(still, 1.0, variance)))


def _add_blocks(per_block: FloatArray, splits: NDArray[np.int64]) -> FloatArray:
    # Plain additions in one order: equal columns stay equal to the last bit, so ties are ties.
    # A matrix product would not promise that.
    total = per_block[splits[:, 0]]
    for position in range(1, splits.shape[1]):
        total += per_block[splits[:, position]]
    return total


def _constant_halves(cut: FloatArray, splits: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True where a trial returns one number only on a half, which rounding would hide."""
    high, low = cut.max(axis=1), cut.min(axis=1)
    result = np.zeros((len(splits), cut.shape[2]), dtype=np.bool_)
    candidates = np.flatnonzero(np.count_nonzero(high == low, axis=0) >= splits.shape[1])
    for trial in candidates:
        result[:, trial] = high[splits, trial].max(axis=1) == low[splits, trial].min(axis=1)
    return result


def _line(across: FloatArray, up: FloatArray) -> tuple[float | None, float | None]:
    if across.max() == across.min():
        return None, None
    centred = across - across.mean()
    slope = float(np.sum(centred * up) / np.sum(centred**2))
    return slope, float(up.mean()) - slope * float(across.mean())
