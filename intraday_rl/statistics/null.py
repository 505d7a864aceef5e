"""A null by dealing: is the policy better than its own habits at random times?

| item    | meaning                                                                              |
|---------|--------------------------------------------------------------------------------------|
| draw    | the policy's session target paths dealt to sessions of equal length, none left over  |
| p-value | (1 + number of draws ≥ observed) ÷ (draws + 1): never 0, uniform under the null      |

Dealing keeps turnover, holding times and times of day; only the days change. Source: domain.md §7.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intraday_rl.errors import DataError
from intraday_rl.statistics.arrays import finite_vector


def rank_p_value(observed: float, draws: ArrayLike) -> float:
    """One-sided p-value of an observed number among draws from the null."""
    null = finite_vector("draws", draws)
    if not np.isfinite(observed):
        raise DataError(f"observed={observed}: must be finite")
    return (1 + int(np.count_nonzero(null >= observed))) / (len(null) + 1)


def deal_sessions(
    session_lengths: ArrayLike, draws: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Which session's path each session plays (draws x sessions): equal lengths trade places."""
    lengths = np.asarray(session_lengths)
    dealt = np.tile(np.arange(len(lengths), dtype=np.int64), (draws, 1))
    for length in np.unique(lengths):
        members = np.flatnonzero(lengths == length)
        dealt[:, members] = generator.permuted(dealt[:, members], axis=1)
    return dealt
