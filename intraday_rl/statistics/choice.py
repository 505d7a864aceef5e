"""Which trial may a test fold use? Only one that earlier knowledge would have picked.

For test fold k: the highest mean validation score over the folds up to and including k; the first
trial on ties. Later folds' validation spans may lie inside an earlier fold's test year, so they
never take part. Source: domain.md §5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from intraday_rl.errors import DataError


def choose(validation_scores: ArrayLike) -> tuple[int | None, ...]:
    """Chosen trial per test fold from validation scores (trials x folds).

    NaN marks a trial that failed on a fold: it can be chosen up to there, not from there on.
    `None` where no trial is left.
    """
    scores = np.asarray(validation_scores, dtype=np.float64)
    if scores.ndim != 2 or len(scores) == 0:
        raise DataError(f"validation_scores has shape {scores.shape}; trials x folds needed")
    if np.isinf(scores).any():
        raise DataError("validation_scores holds an infinite score; a failed trial is NaN")
    totals = np.cumsum(scores, axis=1)
    ranked = np.where(np.isnan(totals), -np.inf, totals)
    return tuple(
        None if np.isneginf(column.max()) else int(np.argmax(column)) for column in ranked.T
    )
