"""Everything that was tried, by validation score, with the test beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata

from intraday_rl.research.sweep.trials import World


def ranking_of(
    world: World, named: dict[str, str], metrics: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Every trial, the highest mean validation score first; those without one at the end."""
    rows = []
    for trial in world.trials:
        scores = [fold.score for fold in trial.folds]
        known = [score for score in scores if score is not None]
        test = metrics.get(trial.key, {})
        raw = test.get("if_traded", {})
        rows.append(
            {
                "trial": trial.key,
                "name": named[trial.key],
                "status": trial.status.value,
                "agent": trial.kinds["agent"],
                "validation_score": float(np.mean(known)) if trial.has_series else None,
                "validation_by_fold": scores,
                "test_sharpe": test.get("sharpe"),
                "test_sharpe_low": test.get("sharpe_low"),
                "test_sharpe_high": test.get("sharpe_high"),
                "raw_sharpe": raw.get("sharpe"),
                "raw_sharpe_low": raw.get("sharpe_low"),
                "raw_sharpe_high": raw.get("sharpe_high"),
                "test_total_return": test.get("total_return"),
                "test_max_drawdown": test.get("max_drawdown"),
                "abstained": sum(fold.abstained for fold in trial.folds),
                "seeds": list(trial.seeds),
                "runs": [job.run.key for job in trial.jobs if job.run is not None],
            }
        )
    return sorted(
        rows,
        key=lambda row: -np.inf if row["validation_score"] is None else row["validation_score"],
        reverse=True,
    )


def sharpe_of(row: dict[str, Any], which: str) -> dict[str, Any]:
    """A row's Sharpe ratio, `test` or `raw`, in the form that number formats take."""
    return {name: row[f"{which}_{name}"] for name in ("sharpe", "sharpe_low", "sharpe_high")}


def rank_correlation(ranking: list[dict[str, Any]]) -> float | None:
    """Spearman: do trials with a high validation score have a high test Sharpe? From 3 trials."""
    known = [row for row in ranking if row["validation_score"] is not None]
    if len(known) < 3:
        return None
    across = rankdata([row["validation_score"] for row in known])
    up = rankdata([row["test_sharpe"] or 0.0 for row in known])
    if np.ptp(across) == 0 or np.ptp(up) == 0:
        return None
    return float(np.corrcoef(across, up)[0, 1])
