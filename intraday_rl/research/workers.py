"""Folds and seeds in parallel processes, with progress coming back while they train."""

from __future__ import annotations

import logging
import multiprocessing
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from threadpoolctl import threadpool_limits

from intraday_rl.dataset import Dataset, open_dataset
from intraday_rl.plan import Plan
from intraday_rl.research.fit import is_learned
from intraday_rl.research.fold_job import FoldJob, run_fold_job

logger = logging.getLogger(__name__)

# (window, seed, decisions so far, decisions in all, validation Sharpe if just measured)
Report = Callable[[str, int, int, int, float | None], None]


class _Worker:
    """State of a worker process: the dataset is opened once, not once a fold."""

    dataset: Dataset
    messages: Any


def run_jobs(
    plan: Plan, jobs: Sequence[FoldJob], dataset: Dataset, workers: int, report: Report
) -> Iterator[dict[str, Any]]:
    """Results as they finish; a dead worker fails its fold, and the folds not yet begun.

    One numerical thread a process: the processes share the cores, and the order of a sum must
    not depend on how many there are.
    """
    if workers == 1 or not is_learned(plan):  # starting a process would only cost time
        for job in jobs:
            yield run_fold_job(job, dataset, _reporter(job, report))
        return
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        messages = manager.Queue()
        with ProcessPoolExecutor(
            max_workers=workers,
            mp_context=context,
            initializer=_start_worker,
            initargs=(plan, messages, logging.getLogger("intraday_rl").level),
        ) as pool:
            futures = {pool.submit(_work, job): job for job in jobs}
            yield from _collect(futures, messages, report)


def _collect(
    futures: dict[Future[dict[str, Any]], FoldJob], messages: Any, report: Report
) -> Iterator[dict[str, Any]]:
    pending = set(futures)
    while pending:
        _drain(messages, report)
        try:
            finished = set()
            for future in as_completed(pending, timeout=0.2):
                finished.add(future)
                break
        except TimeoutError:
            continue
        for future in finished:
            pending.discard(future)
            _drain(messages, report)
            job = futures[future]
            try:
                yield future.result()
            except BrokenProcessPool as error:
                yield {
                    "key": job.key,
                    "status": "failed",
                    "window": job.window.name,
                    "seed": job.seed,
                    "error": f"a worker process died ({error}); run the same command again",
                }


def _drain(messages: Any, report: Report) -> None:
    while True:
        try:
            report(*messages.get_nowait())
        except queue.Empty:
            return


def _start_worker(plan: Plan, messages: Any, level: int) -> None:
    threadpool_limits(1)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    logging.getLogger("intraday_rl").setLevel(level)
    _Worker.dataset = open_dataset(plan)
    _Worker.messages = messages


def _work(job: FoldJob) -> dict[str, Any]:
    def send(window: str, seed: int, done: int, total: int, score: float | None) -> None:
        _Worker.messages.put((window, seed, done, total, score))

    return run_fold_job(job, _Worker.dataset, _reporter(job, send))


def _reporter(job: FoldJob, report: Report) -> Callable[[int, int, float | None], None]:
    def progress(done: int, total: int, score: float | None) -> None:
        report(job.window.name, job.seed, done, total, score)

    return progress
