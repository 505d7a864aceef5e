"""Reward per risk of daily session returns.

| number      | formula                                            | unit                     |
|-------------|----------------------------------------------------|--------------------------|
| Sharpe      | mean ÷ std (ddof 1), risk-free 0                   | per year, x √252         |
| Sortino     | mean ÷ √mean(min(r, 0)²)                           | per year, x √252         |
| CAGR        | (Π(1 + r))^(252 ÷ T) - 1                           | fraction a year          |
| Calmar      | CAGR ÷ maximal drawdown of the bar equity          | per year                 |

Input: one net return per session, in order, zeros where nothing was traded. A ratio that does not
exist (constant series, no loss, no drawdown) is `None`; in means and ranks it counts as 0, which is
what the `_rows` and `_or_zero` forms give. Source: domain.md §7.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from intraday_rl.statistics.arrays import FloatArray, constant_rows, finite_vector, is_constant

SESSIONS_PER_YEAR = 252


def sharpe_daily_rows(returns: FloatArray) -> FloatArray:
    """Daily Sharpe ratio along the last axis; 0 where that is constant."""
    still = constant_rows(returns) | (returns.shape[-1] < 2)
    if np.all(still):
        return np.zeros(returns.shape[:-1])
    spread = np.asarray(returns.std(axis=-1, ddof=1))
    still = still | (spread == 0)  # squares of the tiniest numbers underflow
    spread = np.where(still, 1.0, spread)
    return np.asarray(np.where(still, 0.0, returns.mean(axis=-1) / spread))


def sharpe_rows(returns: FloatArray) -> FloatArray:
    """Annualised Sharpe ratio along the last axis; 0 where that is constant."""
    return sharpe_daily_rows(returns) * math.sqrt(SESSIONS_PER_YEAR)


def mean_rows(returns: FloatArray) -> FloatArray:
    """Mean along the last axis."""
    return np.asarray(returns.mean(axis=-1))


def sharpe_daily(returns: ArrayLike) -> float | None:
    """Sharpe ratio per session, not annualised; `None` for a constant series."""
    series = finite_vector("returns", returns)
    return None if is_constant(series) else float(sharpe_daily_rows(series))


def sharpe(returns: ArrayLike) -> float | None:
    """Annualised Sharpe ratio; `None` for a constant series."""
    series = finite_vector("returns", returns)
    return None if is_constant(series) else float(sharpe_rows(series))


def sharpe_or_zero(returns: ArrayLike) -> float:
    """Annualised Sharpe ratio as means and ranks take it."""
    return sharpe(returns) or 0.0


def sortino(returns: ArrayLike) -> float | None:
    """Annualised mean over downside deviation; `None` when constant or without any loss."""
    series = finite_vector("returns", returns)
    if is_constant(series):
        return None
    downside = math.sqrt(float(np.mean(np.minimum(series, 0.0) ** 2)))
    return float(series.mean()) / downside * math.sqrt(SESSIONS_PER_YEAR) if downside > 0 else None


def total_return(returns: ArrayLike) -> float:
    """Compounded return of the whole series."""
    return float(np.prod(1.0 + finite_vector("returns", returns)) - 1.0)


def cagr(returns: ArrayLike) -> float | None:
    """Compound annual growth rate; -1 once everything is lost, `None` without sessions."""
    series = finite_vector("returns", returns)
    if len(series) == 0:
        return None
    growth = np.prod(1.0 + series)
    return float(growth ** (SESSIONS_PER_YEAR / len(series)) - 1.0) if growth > 0 else -1.0


def calmar(returns: ArrayLike, max_drawdown: float) -> float | None:
    """CAGR over the maximal drawdown of the bar equity; `None` when nothing was ever lost."""
    growth = cagr(returns)
    return growth / max_drawdown if growth is not None and max_drawdown > 0 else None
