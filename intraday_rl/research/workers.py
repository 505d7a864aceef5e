"""Folds and seeds in parallel processes, with progress coming back while they train."""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_end
from types import FrameType
from typing import Any

from threadpoolctl import threadpool_limits

from intraday_rl.dataset import Dataset, open_dataset
from intraday_rl.plan import Plan
from intraday_rl.research.fit import is_learned
from intraday_rl.research.fold_job import FoldJob
from intraday_rl.research.fold_work import run_fold_job, unfinished

logger = logging.getLogger(__name__)

# (window, seed, decisions so far, decisions in all, validation Sharpe if just measured)
Report = Callable[[str, int, int, int, float | None], None]
Stop = Callable[[], bool]
NEWS_SECONDS = 0.2  # between two looks at what the workers say
SENDING_SECONDS = 2.0


class _Worker:
    """State of a worker process: the dataset is opened once, not once a fold."""

    plan: Plan
    dataset: Dataset | None = None
    messages: Any
    stopping: Any
    asked = False  # by a signal to this very process
    idle = threading.Event()


def run_jobs(
    plan: Plan,
    jobs: Sequence[FoldJob],
    dataset: Dataset,
    workers: int,
    report: Report,
    stop: Stop,
    *,
    wait_for_others: bool,
) -> Iterator[dict[str, Any]]:
    """Results as they finish (`run_fold_job`); once `stop` is true, the rest are `stopped`.

    One numerical thread a process: the processes share the cores, and the order of a sum must
    not depend on how many there are. If a worker dies, its folds and those not yet begun go on
    from their checkpoints, one at a time, so that a fold which kills its process fails alone.
    """
    if workers == 1 or not is_learned(plan):  # starting a process would only cost time
        for job in jobs:
            if stop():
                yield unfinished(job, "stopped", "not begun")
            else:
                yield run_fold_job(job, dataset, _reporter(job, report), stop, wait=wait_for_others)
        return
    died: list[FoldJob] = []
    yield from _in_pool(plan, jobs, workers, report, stop, wait_for_others, died)
    if died and not stop():
        logger.warning("a worker process died: %d fits go on, one at a time", len(died))
    for job in died:
        if stop():  # the signal came to the whole group: nothing is begun for it anew
            yield unfinished(job, "stopped", "its worker process was ended, too")
            continue
        again: list[FoldJob] = []
        yield from _in_pool(plan, [job], 1, report, stop, wait_for_others, again)
        if again:
            why = "its worker process died twice; is memory short?"
            yield unfinished(job, "failed", why)


def _in_pool(
    plan: Plan,
    jobs: Sequence[FoldJob],
    workers: int,
    report: Report,
    stop: Stop,
    wait_for_others: bool,
    died: list[FoldJob],
) -> Iterator[dict[str, Any]]:
    """Results of the jobs in fresh processes; those whose process died are added to `died`."""
    context = multiprocessing.get_context("spawn")
    # A bare byte: a process killed while it holds an event's lock would block all the others.
    messages, stopping = context.Queue(), context.RawValue("b", 0)
    level = logging.getLogger("intraday_rl").level
    with ProcessPoolExecutor(
        max_workers=workers,
        mp_context=context,
        initializer=_start_worker,
        initargs=(plan, messages, stopping, level),
    ) as pool:
        futures = {pool.submit(_work, job, wait_for_others): job for job in jobs}
        pending = set(futures)
        try:
            while pending:
                if stop():
                    stopping.value = 1
                done, pending = wait(pending, NEWS_SECONDS, FIRST_COMPLETED)
                _drain(messages, report)
                for future in done:
                    yield from _result(future, futures[future], died)
        except BaseException:
            stopping.value = 1  # whoever reads the results has given up; so shall the workers
            raise


def _result(
    future: Future[dict[str, Any]], job: FoldJob, died: list[FoldJob]
) -> Iterator[dict[str, Any]]:
    try:
        yield future.result()
    except BrokenProcessPool:
        died.append(job)


def _drain(messages: Any, report: Report) -> None:
    while True:
        try:
            report(*messages.get_nowait())
        except queue.Empty:
            return


def _start_worker(plan: Plan, messages: Any, stopping: Any, level: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the group; the parent tells us
    signal.signal(signal.SIGTERM, _answer_sigterm)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    threadpool_limits(1)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    logging.getLogger("intraday_rl").setLevel(level)
    messages.cancel_join_thread()  # news that nobody reads must not keep the process
    _Worker.plan, _Worker.messages, _Worker.stopping = plan, messages, stopping
    _Worker.idle.set()


def _answer_sigterm(number: int, frame: FrameType | None) -> None:
    """A pool that broke ends its workers so: a fit under way keeps a checkpoint, then we leave."""
    _Worker.asked = True
    threading.Thread(target=_leave_when_idle, daemon=True).start()


def _leave_when_idle() -> None:
    _Worker.idle.wait()
    time.sleep(SENDING_SECONDS)  # the result travels in a thread that cannot be waited for
    os._exit(1)


def _end_with_the_parent() -> None:
    """A worker whose parent was killed would train on for nobody, and hold its leases."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait_for_end([parent.sentinel])
    os._exit(1)


def _work(job: FoldJob, wait_for_others: bool) -> dict[str, Any]:
    def send(window: str, seed: int, done: int, total: int, score: float | None) -> None:
        _Worker.messages.put((window, seed, done, total, score))

    def stop() -> bool:
        return _Worker.asked or bool(_Worker.stopping.value)

    if stop():
        return unfinished(job, "stopped", "not begun")
    _Worker.idle.clear()
    try:
        if _Worker.dataset is None:
            _Worker.dataset = open_dataset(_Worker.plan)
        report = _reporter(job, send)
        return run_fold_job(job, _Worker.dataset, report, stop, wait=wait_for_others)
    finally:
        _Worker.idle.set()


def _reporter(job: FoldJob, report: Report) -> Callable[[int, int, float | None], None]:
    def progress(done: int, total: int, score: float | None) -> None:
        report(job.window.name, job.seed, done, total, score)

    return progress
