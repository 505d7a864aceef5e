"""Moments of daily returns: population skewness and RAW kurtosis (3 for a normal law).

| field        | formula                 | note                                               |
|--------------|-------------------------|----------------------------------------------------|
| mean         | Σr ÷ T                  | per session                                        |
| deviation    | ddof 1                  | the one of the Sharpe ratio                        |
| skewness     | m₃ ÷ m₂^1.5             | population moments mₖ = Σ(r - mean)^k ÷ T          |
| kurtosis_raw | m₄ ÷ m₂²                | never the excess over the normal law               |

Source: domain.md §7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from intraday_rl.statistics.arrays import finite_vector, is_constant


@dataclass(frozen=True, slots=True)
class Moments:
    """The four moments of one series and its length."""

    observations: int
    mean: float
    deviation: float
    skewness: float
    kurtosis_raw: float

    @property
    def sharpe_daily(self) -> float:
        return self.mean / self.deviation


def moments(returns: ArrayLike) -> Moments | None:
    """Moments of a series; `None` when it is constant, since shape has no meaning then."""
    series = finite_vector("returns", returns)
    if is_constant(series):
        return None
    mean, deviation = series.mean(), series.std(ddof=1)
    if deviation == 0:  # squares of the tiniest numbers underflow
        return None
    # The shape has no scale: a power of tiny returns would underflow without the division.
    centred = (series - mean) / np.abs(series - mean).max()
    second = np.mean(centred**2)
    return Moments(
        observations=len(series),
        mean=float(mean),
        deviation=float(deviation),
        skewness=float(np.mean(centred**3) / second**1.5),
        kurtosis_raw=float(np.mean(centred**4) / second**2),
    )
