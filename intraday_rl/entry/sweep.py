"""A multirun: every combination is checked before the first job; jobs return, they do not raise.

A search (`search=...`) has a folder of its own, which the same command continues, and failures up
to `hydra.sweeper.max_failure_rate` are part of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hydra._internal.hydra import Hydra
from hydra.conf import HydraConf
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from intraday_rl.config import CONFIG_NAME, build, hydra_session
from intraday_rl.entry.job import check_installed, dry_run, refuse, run_plan, writing
from intraday_rl.entry.ray_cluster import connected, explained, work_where_the_sweep_was_started
from intraday_rl.entry.search import is_search
from intraday_rl.entry.sweep_folder import (
    failed_before,
    new_sweep_folder,
    sweep_status,
    write_plan,
    write_record,
)
from intraday_rl.entry.sweep_jobs import jobs_of, with_its_share_of_cores
from intraday_rl.errors import ConfigError
from intraday_rl.interruption import end_with_the_parent
from intraday_rl.outcome import Outcome
from intraday_rl.plan import Plan
from intraday_rl.tasks import FeedKind, Paper, Serve, Verdict, WalkForward

if TYPE_CHECKING:
    from intraday_rl.entry.search.study import Search


def run_sweep(overrides: list[str]) -> int:
    """Check all jobs, run them by the chosen sweeper and launcher, return the worst status."""
    jobs = jobs_of(overrides)
    for plan in jobs.plans:
        _check_that_it_ends(plan)
        check_installed(plan)
    if any(plan.dry_run for plan in jobs.plans):
        return dry_run([(" ".join(words), words, plan) for words, plan in jobs.each])
    with connected(jobs.launcher), writing(jobs.plans[0].paths.outputs):
        outputs = Path(jobs.plans[0].paths.outputs).absolute()
        if jobs.search is not None:
            return _search(overrides, jobs.search, outputs, jobs.plans)
        folder = new_sweep_folder(outputs)
        if jobs.exhaustive:  # also a job that never begins leaves what it would have tried
            for number, plan in enumerate(jobs.plans):
                write_plan(folder, number, plan)
        _multirun(overrides, folder)
    status = sweep_status(folder, len(jobs.each) if jobs.exhaustive else None)
    return max(status, _verdict(folder, jobs.plans))


def _check_that_it_ends(plan: Plan) -> None:
    """Refuse what only a signal ends: that signal would begin the next job."""
    remedy = "goes on until a signal ends it: leave out --multirun and start it by itself"
    if isinstance(plan.task, Serve):
        raise ConfigError("task", "serve", remedy)
    if isinstance(plan.task, Paper) and plan.task.feed is not FeedKind.replay:
        raise ConfigError("task.feed", plan.task.feed.value, remedy)


def _search(overrides: list[str], search: Search, outputs: Path, plans: Sequence[Plan]) -> int:
    """Begin or continue a study; every trial it ever had is judged at the end."""
    from intraday_rl.entry.search.summary import print_summary

    with search.held(outputs, anew=plans[0].force) as folder:
        batch = f"hydra.sweeper.batch={search.batch}"
        status = _multirun([*overrides, batch], folder)
        status = max(status, _verdict(folder, plans))
        print_summary(folder, search.space)
    return status


def sweep_job(config: DictConfig) -> float:
    """One job of a multirun, in whatever process the launcher chose."""
    hydra = HydraConfig.get()
    number = hydra.sweeper.trial if is_search(hydra) else hydra.job.num
    # A job is one configuration: its command must not begin another search.
    words = [word for word in hydra.overrides.task if not word.startswith("search=")]
    folder = Path(hydra.sweep.dir)
    work_where_the_sweep_was_started(hydra)
    if "n_jobs" in hydra.launcher:  # joblib: in a process of its own
        end_with_the_parent()
    try:
        plan = with_its_share_of_cores(build(config), hydra.launcher)
        if plan.fail_fast and not is_search(hydra) and failed_before(folder):
            return math.nan  # without a record: it has not been carried out
        write_plan(folder, number, plan)
        outcome = _trial(plan, words, hydra) if is_search(hydra) else run_plan(plan, words)
    except Exception as error:  # the other jobs shall run
        prefix = f"job {number} ({' '.join(words)}): "
        outcome = Outcome(math.nan, refuse(error, prefix))
    write_record(folder, number, words, outcome)
    return outcome.score if outcome.code == 0 else math.nan


def _trial(plan: Plan, words: list[str], hydra: HydraConf) -> Outcome:
    """A job of a search: it looks at the other trials, and is seen as one of them."""
    from intraday_rl.entry.search.pruning import stop_early_of

    study, number = Path(hydra.sweep.dir).name, str(hydra.sweeper.trial)
    tags = {"search_study": study, "search_trial": number}
    return run_plan(plan, words, stop_early=stop_early_of(hydra, plan), tags=tags)


def _verdict(folder: Path, plans: Sequence[Plan]) -> int:
    """Judge what was tried, once control is back from whatever launcher and sweeper there were.

    Not by a callback of Hydra's, which the basic sweeper skips when a job has failed.
    """
    if not any(isinstance(plan.task, WalkForward) for plan in plans):
        return 0
    try:
        return run_plan(replace(plans[0], task=Verdict(sweep=[str(folder)])), ["-m"]).code
    except Exception as error:  # the jobs are done, and their status counts
        return refuse(error, "no verdict over the sweep: ")


def _multirun(overrides: list[str], folder: Path) -> int:
    """Let Hydra run the jobs; 0, or the status of what broke the sweep off."""
    quoted = str(folder).replace("'", r"\'")
    try:
        with hydra_session():
            loader = GlobalHydra.instance().hydra
            assert isinstance(loader, Hydra)
            loader.multirun(CONFIG_NAME, sweep_job, [*overrides, f"hydra.sweep.dir='{quoted}'"])
    except Exception as error:  # a launcher's own: the jobs that are done still count
        return refuse(explained(error), "the sweep broke off: ")
    return 0
