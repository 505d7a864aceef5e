"""One pass over `paths.outputs`: every run, and how each of its folds and seeds stands.

| state | of a fold and seed |
|---|---|
| finished | `result.json` is there |
| running | a living process holds its lease |
| failed | `error.txt` is there |
| stale | whoever held its lease died; the same command goes on |
| stopped | nobody is at it, but it has a checkpoint to go on from |
| open | not begun |

A run is running if a fold is or its summary is being written, finished if all folds are and the
verdict is written, failed if a fold failed and none runs, else stale, stopped or open as its
furthest fold.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from stat import S_ISDIR
from typing import Any

from filelock import FileLock, Timeout

from intraday_rl.records import RunFolder, SeedFolder, WorkFolder, read_json
from intraday_rl.research.checkpoints import Checkpoints
from intraday_rl.research.lease import holder, is_held


class State(Enum):
    """How a fold and seed, or a run, stands."""

    finished = "finished"
    running = "running"
    failed = "failed"
    stale = "stale"
    stopped = "stopped"
    open = "open"


# A run is the first of these that any of its folds is.
FURTHEST = (State.running, State.failed, State.stale, State.stopped, State.open)


@dataclass(frozen=True, slots=True)
class FoldState:
    """`reason`: who is or was at it, or why it failed; `work` is None for runs without keys."""

    place: str  # <window>/seed=<n>
    state: State
    reason: str
    work: WorkFolder | None


@dataclass(frozen=True, slots=True)
class RunState:
    """A run's folder, how it stands, and its folds."""

    folder: RunFolder
    state: State
    title: str
    folds: tuple[FoldState, ...]
    bytes: int

    def count(self, state: State) -> int:
        return sum(fold.state is state for fold in self.folds)


def survey(outputs: Path) -> list[RunState]:
    """Every run under `outputs`, in the order in which they were begun."""
    folders = [RunFolder(path) for path in (outputs / "runs").glob("*") if path.is_dir()]
    begun = sorted(folders, key=lambda one: one.path.stat().st_ctime_ns)
    return [_run_state(outputs, folder) for folder in begun]


def content(runs: list[RunState], sizes: dict[str, int]) -> dict[str, Any]:
    """Runs and the bytes of places as plain values, for programs."""
    return {
        "runs": [
            {
                "run_key": run.folder.key,
                "state": run.state.value,
                "title": run.title,
                "bytes": run.bytes,
                "folds": {
                    fold.place: {"state": fold.state.value, "reason": fold.reason}
                    for fold in run.folds
                },
            }
            for run in runs
        ],
        "bytes": sizes,
    }


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    return sum(stat.st_size for stat in stats_of(path))


def stats_of(path: Path) -> Iterator[os.stat_result]:
    """Of a file, or of all files below a folder; those that vanish meanwhile are left out."""
    for one in [path] if path.is_file() else path.rglob("*"):
        with suppress(FileNotFoundError):
            stat = one.stat()
            if not S_ISDIR(stat.st_mode):
                yield stat


def _run_state(outputs: Path, folder: RunFolder) -> RunState:
    facts = read_json(folder.data) if folder.data.is_file() else {}
    keys: dict[str, str] = facts.get("fold_keys", {})
    folds = tuple(_fold_state(outputs, folder, place, key) for place, key in keys.items())
    states = {fold.state for fold in folds}
    judged = any(one.is_file() for one in (folder.verdict, folder.fine_tune, folder.study))
    if _is_being_written(folder):
        state = State.running
    elif folds and states == {State.finished} and judged:
        state = State.finished
    else:
        state = next((one for one in FURTHEST if one in states), State.open)
    title = " ".join(str(facts[key]) for key in ("symbol", "agent", "reward") if key in facts)
    return RunState(folder, state, title, folds, size_of(folder.path))


def _is_being_written(folder: RunFolder) -> bool:
    if not folder.lock.exists():
        return False
    lock = FileLock(folder.lock)
    try:
        lock.acquire(timeout=0.0)
    except Timeout:
        return True
    lock.release()
    return False


def _fold_state(outputs: Path, folder: RunFolder, place: str, key: str) -> FoldState:
    seed, work = SeedFolder(folder.path / "folds" / place), WorkFolder.of(str(outputs), key)
    if seed.result.is_file():
        return FoldState(place, State.finished, "", work)
    if is_held(work):
        return FoldState(place, State.running, str(holder(work) or "just begun"), work)
    if seed.error.is_file():
        lines = seed.error.read_text("utf-8").strip().splitlines()
        return FoldState(place, State.failed, lines[-1] if lines else "", work)
    kept, left = Checkpoints(work.checkpoints).newest(), holder(work)
    progress = f"checkpoint at {kept.name.removeprefix('step=')} decisions" if kept else ""
    if left is not None:
        reason = f"{left} died or lost its machine" + (f"; {progress}" if kept else "")
        return FoldState(place, State.stale, reason, work)
    return FoldState(place, State.stopped if kept else State.open, progress, work)
