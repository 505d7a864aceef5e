"""Ask, launch, tell, until `n_trials` have ended; a trial that was cut off is launched again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import optuna
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig
from optuna.trial import FrozenTrial, TrialState

from intraday_rl.entry.search.pruning import PRUNED_AT
from intraday_rl.entry.search.space import Space, space_of
from intraday_rl.entry.search.study import began, open_study, sampler_of
from intraday_rl.entry.search.summary import write_trials
from intraday_rl.errors import FoldFailed

Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]


def run_trials(hydra: DictConfig, launch: Launch, arguments: Sequence[str]) -> None:
    """Complete the study in `hydra.sweep.dir`, some trials at a time."""
    options, folder = hydra.sweeper, Path(hydra.sweep.dir)
    space = space_of(arguments, options.params)
    study = open_study(folder)
    while trials := _next(study, space, options):
        jobs = [[*space.words(trial.params), f"hydra.sweeper.trial={trial.number}"]
                for trial in trials]  # fmt: skip
        for trial, job in zip(trials, launch(jobs, trials[0].number), strict=True):
            _tell(study, trial.number, job)
        write_trials(study, folder)
        _refuse_too_many_failures(study, space, options)


def _next(study: optuna.Study, space: Space, options: DictConfig) -> list[FrozenTrial]:
    """Trials that were cut off first, as they were; then new ones up to `n_trials`."""
    cut_off = study.get_trials(states=(TrialState.RUNNING,))
    for trial in cut_off:
        if not began(trial, space.axes):
            study.tell(trial.number, state=TrialState.FAIL)
    batch = [trial for trial in cut_off if began(trial, space.axes)][: options.batch]
    count = sum(began(trial, space.axes) for trial in study.get_trials())
    for further in range(min(options.batch - len(batch), options.n_trials - count)):
        study.sampler = sampler_of(options.sampler.value, options.seed, count + further)
        number = study.ask(space.axes).number
        batch.append(study.get_trials()[number])
    return batch


def _tell(study: optuna.Study, number: int, job: JobReturn) -> None:
    """A job returns its score, NaN when it failed or was given up."""
    score = job.return_value if job.status is JobStatus.COMPLETED else math.nan
    if math.isfinite(score):
        study.tell(number, score)
    elif PRUNED_AT in study.get_trials()[number].user_attrs:
        study.tell(number, state=TrialState.PRUNED)
    else:
        study.tell(number, state=TrialState.FAIL)


def _refuse_too_many_failures(study: optuna.Study, space: Space, options: DictConfig) -> None:
    failed = study.get_trials(states=(TrialState.FAIL,))
    count = sum(began(trial, space.axes) for trial in failed)
    if count > options.max_failure_rate * options.n_trials:
        raise FoldFailed(
            f"{count} of {options.n_trials} trials have failed, more than "
            f"hydra.sweeper.max_failure_rate={options.max_failure_rate:g} allows; "
            "mend what made them fail, then search with force=true, or allow more"
        )
