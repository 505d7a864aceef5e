"""How many independent things were tried? Correlated trials count for less than their number.

| method              | effective number                       | source                        |
|---------------------|----------------------------------------|-------------------------------|
| average_correlation | c + (1 - c) * N, c = mean correlation, | Bailey & López de Prado 2014, |
|                     | from 0 to 1                            | appendix 3                    |
| participation_ratio | N^2 ÷ sum of all squared correlations  | eigenvalues: (Σλ)² ÷ Σλ²      |

The first is the default: it is the one published with the deflated Sharpe and the more cautious.
Input: daily out-of-sample returns, sessions x trials of one world. Constant trials are copies of
one another and unrelated to the rest. An estimate: it stands beside the raw number, never alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike

from intraday_rl.errors import DataError
from intraday_rl.statistics.arrays import FloatArray, constant_rows, finite_matrix


class TrialCount(Enum):
    """Ways to count correlated trials."""

    average_correlation = "average_correlation"
    participation_ratio = "participation_ratio"


@dataclass(frozen=True, slots=True)
class EffectiveTrials:
    """An effective number of trials, the raw one and the method's name."""

    number: float
    raw: int
    method: str


def correlation(returns: ArrayLike) -> FloatArray:
    """Correlation of the columns, with constant columns as copies of one another."""
    matrix = finite_matrix("returns", returns)
    still = constant_rows(matrix.T)
    centred = matrix - matrix.mean(axis=0)
    length = np.sqrt(np.sum(centred**2, axis=0))
    unit = np.where(still, 0.0, centred / np.where(still | (length == 0), 1.0, length))
    related: FloatArray = np.clip(unit.T @ unit, -1.0, 1.0) + np.outer(still, still)
    np.fill_diagonal(related, 1.0)
    return related


def effective_trials(
    returns: ArrayLike, method: TrialCount = TrialCount.average_correlation
) -> EffectiveTrials:
    """Effective number of trials, from 1 to the number of columns."""
    related = correlation(returns)
    raw = len(related)
    if raw == 0:
        raise DataError("returns has no columns; at least one trial is needed")
    if raw == 1:
        return EffectiveTrials(1.0, 1, method.value)
    if method is TrialCount.participation_ratio:
        number = raw**2 / float(np.sum(related**2))
    else:
        mean = float(related[~np.eye(raw, dtype=np.bool_)].mean())
        share = min(max(mean, 0.0), 1.0)
        number = share + (1.0 - share) * raw
    return EffectiveTrials(min(max(number, 1.0), float(raw)), raw, method.value)
