"""`task=clean`: remove what no finished or running work needs; without `task.apply` only say so.

| what | when it may go |
|---|---|
| files and folders that a killed process left half written | nobody holds the run's folds |
| checkpoints and leases of a fold | it is finished, or no run is left that wants it |
| what an unfinished run has of its unfinished folds | it was untouched for `older_than_days` |
| an unfinished run with no finished fold, whole | the same |
| feature tables | untouched for `older_than_days`; they are computed again when needed |

A finished fold is never touched, and never a fold that a living process holds. MLflow runs of
killed jobs that nobody continues are closed as KILLED.
"""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder, WorkFolder
from intraday_rl.research.console import WIDTH_OF_A_FILE
from intraday_rl.research.housekeeping.status import megabytes
from intraday_rl.research.housekeeping.survey import RunState, State, size_of, stats_of, survey
from intraday_rl.research.lease import is_held, leased
from intraday_rl.tracking.tracker import open_tracker

SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that may go, and why."""

    path: Path
    why: str


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=clean`."""
    task, outputs = plan.task, Path(plan.paths.outputs)
    before = time.time() - task.older_than_days * SECONDS_A_DAY
    runs = survey(outputs)
    found = list(leftovers(outputs, runs, before))
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_A_FILE)
    freed = 0
    for leftover in found:
        freed += size_of(leftover.path)
        word = "removed" if task.apply else "would go"
        line = f"{word}: {leftover.path.relative_to(outputs)} ({leftover.why})"
        console.print(line, highlight=False, soft_wrap=True)
        if task.apply and not _remove(leftover.path, outputs):
            console.print("  kept: somebody is at it now", highlight=False)
    closed = _close_abandoned(plan, outputs, runs) if task.apply else 0
    end = f"{len(found)} leftovers, {megabytes(freed)} MB"
    if not task.apply:
        end += "; nothing was changed: task.apply=true removes them"
    elif closed:
        end += f"; {closed} MLflow runs closed as KILLED"
    console.print(end, highlight=False, soft_wrap=True)
    return Outcome(math.nan, 0)


def leftovers(outputs: Path, runs: list[RunState], before: float) -> Iterator[Leftover]:
    """What may go, each path once and none inside another; `before`: a time in seconds."""
    wanted: set[Path] = set()
    for one in runs:
        idle = one.state not in (State.finished, State.running) and _untouched(one, before)
        if idle and not one.count(State.finished):
            yield Leftover(one.folder.path, f"{one.state.value} and not touched lately")
            continue
        kept = [fold for fold in one.folds if not idle or fold.state is State.finished]
        wanted |= {fold.work.path for fold in kept if fold.work is not None}
        for fold in one.folds if idle else ():
            place = one.folder.path / "folds" / fold.place
            if fold.state is not State.finished and place.is_dir():
                yield Leftover(place, f"{fold.state.value} and not touched lately")
        if one.state is not State.running:
            yield from (Leftover(path, "half written") for path in _half_written(one.folder))
    for path in sorted((outputs / "folds").glob("*")):
        work = WorkFolder(path)
        if is_held(work):
            continue
        if path not in wanted:
            yield Leftover(path, "no run needs it")
        elif work.finished.is_file() and work.checkpoints.exists():
            yield Leftover(work.checkpoints, "its fold is finished")
    for table in sorted((outputs / "cache").rglob("*.npz")):
        if table.stat().st_mtime < before:
            yield Leftover(table, "computed again when needed")


def _untouched(one: RunState, before: float) -> bool:
    places = [one.folder.path, *(fold.work.path for fold in one.folds if fold.work is not None)]
    return all(stat.st_mtime < before for place in places for stat in stats_of(place))


def _half_written(folder: RunFolder) -> list[Path]:
    """Temporary siblings begin with a dot; an atomic write renames them away."""
    found = [path for path in folder.path.rglob(".*") if path.name not in (".", "..")]
    return [path for path in sorted(found) if not any(up in found for up in path.parents)]


def _remove(path: Path, outputs: Path) -> bool:
    """Remove it under the lock of whoever could be using it; false if somebody is."""
    with _alone(path.relative_to(outputs), outputs) as alone:
        if alone and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif alone:
            path.unlink(missing_ok=True)
        return alone


@contextmanager
def _alone(place: Path, outputs: Path) -> Iterator[bool]:
    kind, key = place.parts[:2]
    if kind == "folds":
        with leased(WorkFolder(outputs / kind / key), None) as held:
            yield held
        return
    if kind != "runs":
        yield True
        return
    lock = FileLock(RunFolder(outputs / kind / key).lock)
    try:
        lock.acquire(timeout=0.0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _close_abandoned(plan: Plan, outputs: Path, runs: list[RunState]) -> int:
    """End what MLflow takes for running although no process is at it."""
    tracker = open_tracker(plan.tracking, outputs)
    alive = {one.folder.key for one in runs if one.state is State.running}
    ours = {one.folder.key for one in runs}  # a store may be shared with other outputs
    abandoned = [
        run
        for kind in ("parent", "fold")
        for run in tracker.find_runs({"kind": kind})
        if run.status == "RUNNING" and run.tags.get("run_key") in ours - alive
    ]
    for run in abandoned:
        tracker.finish(run.run_id, "KILLED")
    return len(abandoned)
