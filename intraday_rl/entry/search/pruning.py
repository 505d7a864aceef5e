"""Pruning: a trial reports its learning curve and asks how it compares with the others.

The curve is that of the first seed on the first window: seeds and windows are trained side by
side or one after another, so their mean at a step is not known while there is still time to save.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import optuna
from hydra.conf import HydraConf
from omegaconf import DictConfig

from intraday_rl.entry.search.study import open_study
from intraday_rl.loading import resolve
from intraday_rl.outcome import StopEarly
from intraday_rl.plan import Plan

PRUNED_AT = "pruned_at_decision"


def stop_early_of(hydra: DictConfig | HydraConf, plan: Plan) -> StopEarly | None:
    """What a trial's job asks at each look; None where nothing is to be given up early."""
    if hydra.sweeper.pruner.value == "none":
        return None

    @cache  # only known from the bars, and only needed once something is trained
    def first_window() -> str:
        return resolve(plan).windows[0].name

    study = open_study(Path(hydra.sweep.dir), hydra.sweeper.pruner.value)
    return stop_early(study, hydra.sweeper.trial, plan.seeds[0], first_window)


def stop_early(
    study: optuna.Study, number: int, first_seed: int, first_window: Callable[[], str]
) -> StopEarly:
    """Report the first seed on the first window to the study; True once the pruner has enough."""
    known = study.get_trials()[number]
    trial = optuna.trial.Trial(study, known._trial_id)

    def look(window: str, seed: int, step: int, sharpe: float) -> bool:
        if PRUNED_AT in known.user_attrs:  # given up before it was cut off
            return True
        if seed != first_seed or window != first_window():
            return False
        if step not in known.intermediate_values:  # a trial that was cut off trains again
            trial.report(sharpe, step)
        if not trial.should_prune():
            return False
        trial.set_user_attr(PRUNED_AT, step)
        return True

    return look
