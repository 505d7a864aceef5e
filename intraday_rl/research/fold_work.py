"""Doing a fold and seed's work: by one process at a time, once, and never from the start again."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from intraday_rl.dataset import Dataset
from intraday_rl.errors import DataError, FoldFailed, TrainingStopped
from intraday_rl.identity import code_hash
from intraday_rl.records import SeedFolder, copy_folder, read_json, write_json, write_text
from intraday_rl.research.checkpoints import Checkpoints
from intraday_rl.research.fit import Conduct, Progress
from intraday_rl.research.fold_job import FoldJob, read_result
from intraday_rl.research.fold_result import fold_result
from intraday_rl.research.lease import holder, leased

logger = logging.getLogger(__name__)

NOWHERE_TO_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def run_fold_job(
    job: FoldJob, dataset: Dataset, report: Progress, stop: Callable[[], bool], *, wait: bool
) -> dict[str, Any]:
    """Do the work under the fold's lease and write the seed's folder; `result.json` last.

    | status of the returned result | |
    |---|---|
    | finished | it is in `result.json`, and the work folder says where |
    | failed | `error.txt` says why: a fold that fails is failed, never zeros |
    | held | another process is at it, and `wait` is false |
    | stopped | `stop` said so; a learned agent has left a checkpoint |
    """
    with leased(job.work, stop if wait else None) as held:
        if not held:
            return unfinished(job, "stopped" if stop() else "held", str(holder(job.work)))
        _refuse_what_changed(job, dataset)
        known = None if job.redo else _known_result(job)
        return known or _work(job, dataset, report, stop)


def _refuse_what_changed(job: FoldJob, dataset: Dataset) -> None:
    """A worker reads sources and bars anew; under a key made from others its result would lie."""
    last = (job.window.test or job.window.train).last_session
    found = [dataset.market.symbol.fingerprint(last), dataset.market.benchmark.fingerprint(last)]
    if found != [job.fingerprint, job.benchmark_fingerprint]:
        raise DataError("the bars changed while the job ran; type the same command again")
    if code_hash() != job.code:
        raise FoldFailed("the code changed while the job ran; type the same command again")


def unfinished(job: FoldJob, status: str, why: str) -> dict[str, Any]:
    """The result of a fold and seed that has none."""
    return {
        "key": job.key,
        "status": status,
        "window": job.window.name,
        "seed": job.seed,
        "error": why,
    }


def finished_before(job: FoldJob) -> dict[str, Any] | None:
    """The result, if this very work is done: by this run, or by another, which is copied in."""
    own = read_result(SeedFolder(job.folder), job.key)
    if own is not None or not job.work.finished.is_file():
        return own
    with leased(job.work, None) as held:
        return _known_result(job) if held else None


def _known_result(job: FoldJob) -> dict[str, Any] | None:
    folder = SeedFolder(job.folder)
    own = read_result(folder, job.key)
    if own is not None:
        _point_to(job)  # a process may have died between the two files
        return own
    source = _finished_elsewhere(job)
    if source is None:
        return None
    folder.path.parent.mkdir(parents=True, exist_ok=True)
    copy = Path(tempfile.mkdtemp(prefix=f".{folder.path.name}.", dir=folder.path.parent))
    try:
        copy_folder(source.path, copy)
        run = source.path.parents[2].name  # runs/<key>/folds/<window>/seed=<n>
        write_json(SeedFolder(copy).reused_from, {"run_key": run})
        shutil.rmtree(folder.path, ignore_errors=True)
        copy.rename(folder.path)
        _point_to(job)
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    return read_result(folder, job.key)


def _work(
    job: FoldJob, dataset: Dataset, report: Progress, stop: Callable[[], bool]
) -> dict[str, Any]:
    folder = SeedFolder(job.folder)
    checkpoints = Checkpoints(job.work.checkpoints)
    shutil.rmtree(folder.path, ignore_errors=True)
    folder.path.mkdir(parents=True)
    if job.redo:
        checkpoints.clear()
    conduct = Conduct(report, stop, checkpoints, dataset.plan.checkpoints.every)
    try:
        result = fold_result(job, dataset, folder, conduct)
    except TrainingStopped as reason:
        return unfinished(job, "stopped", str(reason))
    except Exception as error:  # the boundary of a fold: the others go on
        if isinstance(error, OSError) and error.errno in NOWHERE_TO_WRITE:
            raise  # every other fold would meet it too
        write_text(folder.error, traceback.format_exc())
        logger.error("window %s seed %d failed: %s", job.window.name, job.seed, error)
        return unfinished(job, "failed", f"{type(error).__name__}: {error}")
    write_json(folder.result, result)
    _point_to(job)
    checkpoints.clear()
    return result


def _point_to(job: FoldJob) -> None:
    place = os.path.relpath(job.folder, job.work.path)  # outputs may be moved as a whole
    write_json(job.work.finished, {"folder": place})


def _finished_elsewhere(job: FoldJob) -> SeedFolder | None:
    """The folder that the work folder points to, if what lies there is this work, finished."""
    try:
        pointer = read_json(job.work.finished)
        source = SeedFolder((job.work.path / str(pointer["folder"])).resolve())
    except (OSError, ValueError, KeyError):  # none yet, or damaged: then the work is done again
        return None
    return source if read_result(source, job.key) is not None else None
