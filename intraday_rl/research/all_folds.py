"""Every fold and seed of a job brought to a result: read back, taken over, or trained now."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from intraday_rl.dataset import Dataset
from intraday_rl.interruption import asked_to_stop, patiently
from intraday_rl.outcome import StopEarly
from intraday_rl.plan import Plan
from intraday_rl.records import SeedFolder, read_json
from intraday_rl.research.console import Progress
from intraday_rl.research.fold_job import FoldJob
from intraday_rl.research.fold_work import finished_before, unfinished
from intraday_rl.research.workers import run_jobs

logger = logging.getLogger(__name__)

Results = dict[str, list[dict[str, Any]]]


class StoppedEarly(Exception):
    """A search saw no promise in the learning curve; the fits have left checkpoints."""


def results_of(
    plan: Plan, jobs: Sequence[FoldJob], dataset: Dataset, stop_early: StopEarly | None = None
) -> Results:
    """Result of every job by window, in the order of the jobs.

    Raises `Interrupted` after a signal, and `StoppedEarly` when `stop_early` said so.
    """
    found = {} if plan.force else _finished(jobs)
    todo = [job for job in jobs if (job.window.name, job.seed) not in found]
    if todo:
        found |= _carried_out(plan, todo, dataset, stop_early)
    by_window: Results = defaultdict(list)
    for job in jobs:
        by_window[job.window.name].append(found[job.window.name, job.seed])
    return by_window


def _finished(jobs: Sequence[FoldJob]) -> dict[tuple[str, int], dict[str, Any]]:
    found = {}
    for job in jobs:
        known = finished_before(job)
        if known is not None:
            found[job.window.name, job.seed] = known
            logger.info("window %s seed %d: %s", job.window.name, job.seed, _origin(job))
    return found


def _origin(job: FoldJob) -> str:
    reused = SeedFolder(job.folder).reused_from
    if not reused.is_file():
        return "finished before"
    return f"the same work as in run {read_json(reused)['run_key']}, reused"


class _Ended:
    """Why the fits shall end before their time, if they shall."""

    failed = False
    early = False

    def __call__(self) -> bool:
        return self.failed or self.early or asked_to_stop()


def _carried_out(
    plan: Plan, jobs: Sequence[FoldJob], dataset: Dataset, stop_early: StopEarly | None
) -> dict[tuple[str, int], dict[str, Any]]:
    found: dict[tuple[str, int], dict[str, Any]] = {}
    ended = _Ended()
    workers = plan.parallel.resolved(len(jobs))
    with patiently(), Progress(jobs) as progress:

        def report(window: str, seed: int, done: int, total: int, score: float | None) -> None:
            progress.report(window, seed, done, total, score)
            if stop_early is not None and score is not None:
                ended.early = ended.early or stop_early(window, seed, done, score)

        todo, wait = list(jobs), False
        while todo:
            held = []
            for result in run_jobs(
                plan, todo, dataset, workers, report, ended, wait_for_others=wait
            ):
                if result["status"] == "held":
                    held.append(result)
                    continue
                found[result["window"], result["seed"]] = result
                progress.finished(result)
                ended.failed = ended.failed or (plan.fail_fast and result["status"] == "failed")
            for result in held:
                logger.info(
                    "window %s seed %d: trained by %s at this moment, waiting",
                    result["window"], result["seed"], result["error"],
                )  # fmt: skip
            names = {(result["window"], result["seed"]) for result in held}
            todo, wait = [job for job in todo if (job.window.name, job.seed) in names], True
    if ended.early:
        raise StoppedEarly
    for job in jobs:
        if found[job.window.name, job.seed]["status"] == "stopped":
            why = "not carried out: another fold failed and fail_fast=true"
            found[job.window.name, job.seed] = unfinished(job, "failed", why)
    return found
