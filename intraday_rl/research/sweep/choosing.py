"""What following the rule of choice would have earned: per test fold, by validation scores only.

For test fold k the trial with the highest mean validation score over the folds up to k is used;
its returns on fold k, fold after fold, are the series of "the chosen". No score may rest on a
session of a test fold that the choice is judged on: this is checked on the dates, not assumed.
Source: domain.md §5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intraday_rl.errors import DataError
from intraday_rl.research.sweep.trials import Trial, World
from intraday_rl.statistics.choice import choose


@dataclass(frozen=True, slots=True)
class Chosen:
    """Chosen trial per test fold (None: every trial had failed by then, nothing is traded)."""

    trials: tuple[Trial | None, ...]
    traded: NDArray[np.float64]
    raw: NDArray[np.float64]


def chosen_of(world: World) -> Chosen:
    """The per-fold choices of a world in which at least one trial has a series."""
    candidates = [trial for trial in world.trials if trial.folds]
    scores = [[_score(fold.score) for fold in trial.folds] for trial in candidates]
    for trial in candidates:
        refuse_future_validation(
            [fold.validation for fold in trial.folds], [test[1:] for test in world.tests]
        )
    picked = [None if index is None else candidates[index] for index in choose(scores)]
    lengths = [_sessions(candidates, number) for number in range(len(world.tests))]
    parts = []
    for field in ("traded", "raw"):
        series = [
            np.zeros(length) if trial is None else getattr(trial.folds[number], field)
            for number, (trial, length) in enumerate(zip(picked, lengths, strict=True))
        ]
        parts.append(np.concatenate(series))
    return Chosen(tuple(picked), parts[0], parts[1])


def refuse_future_validation(
    validation: Sequence[tuple[str, str]], tests: Sequence[tuple[str, ...]]
) -> None:
    """Raise unless the validation spans of folds ≤ k all end before test fold k begins."""
    for judged, (first_test, _) in enumerate(tests):
        for scored in range(judged + 1):
            last = validation[scored][1]
            if last >= first_test:
                raise DataError(
                    f"the choice for the test from {first_test} would use a validation score of "
                    f"fold {scored} that reaches to {last}; order the windows by their test dates"
                )


def _score(score: float | None) -> float:
    return np.nan if score is None else score


def _sessions(candidates: Sequence[Trial], number: int) -> int:
    found = [trial.folds[number].traded for trial in candidates]
    return next(len(series) for series in found if series is not None)
