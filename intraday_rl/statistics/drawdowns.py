"""Drawdown: the fall below the highest equity so far, as a fraction of it, from 0 to 1.

Input is equity in account currency at every bar (not at session ends only: a loss that recovers by
the cutoff is still a loss that was lived through). Debt counts as a loss of everything.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intraday_rl.errors import DataError
from intraday_rl.statistics.arrays import FloatArray, finite_vector, same_length


def equity_path(equity_before: ArrayLike, equity_after: ArrayLike) -> FloatArray:
    """Equity at the first row's start and after every ledger row."""
    before = finite_vector("equity_before", equity_before)
    after = finite_vector("equity_after", equity_after)
    same_length(equity_before=before, equity_after=after)
    return np.concatenate([before[:1], after])


def equity_of_returns(returns: ArrayLike) -> FloatArray:
    """Compounded equity that starts at 1, one entry more than there are returns."""
    series = finite_vector("returns", returns)
    return np.concatenate([[1.0], np.cumprod(1.0 + series)])


def drawdown_curve(equity: ArrayLike) -> FloatArray:
    """Fall below the running peak at every point."""
    path = finite_vector("equity", equity)
    if len(path) == 0:
        return path
    if path[0] <= 0:
        raise DataError(f"equity[0]={path[0]}: must start above 0")
    peak = np.maximum.accumulate(path)
    return np.clip((peak - path) / peak, 0.0, 1.0)


def max_drawdown(equity: ArrayLike) -> float:
    """Largest fall below a running peak; 0 without any."""
    return float(drawdown_curve(equity).max(initial=0.0))


def worst_intraday_drawdown(
    equity_before: ArrayLike, equity_after: ArrayLike, session: NDArray[np.generic]
) -> float:
    """Largest fall below the session's own running peak, over all sessions (contiguous rows)."""
    before = finite_vector("equity_before", equity_before)
    after = finite_vector("equity_after", equity_after)
    if same_length(equity_before=before, equity_after=after, session=session) == 0:
        return 0.0
    first_rows = np.flatnonzero(np.r_[True, session[1:] != session[:-1]])
    bounds = np.r_[first_rows, len(session)]
    return max(
        max_drawdown(equity_path(before[start:stop], after[start:stop]))
        for start, stop in pairwise(bounds)
    )
