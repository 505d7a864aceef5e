"""One process at a time trains a fold and seed, whichever run asked for it.

| question | answer |
|---|---|
| who holds it? | the process with a lock on `lease.lock`; the system frees it when that dies |
| who is that? | `lease.json`: host, process, start; its time of change is the heartbeat |
| other machines? | where a shared file system does not pass locks on, a young heartbeat of |
| | another host counts as held |
| stale? | the lock is free, and the heartbeat old or of this very host: taken over |
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from intraday_rl.records import WorkFolder, write_json

HEARTBEAT_SECONDS = 5.0
STALE_SECONDS = 60.0
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease, or last did; `age_seconds` since its heartbeat."""

    host: str
    process: int
    started: str
    age_seconds: float

    @property
    def elsewhere_and_alive(self) -> bool:
        """On another machine, and heard of lately."""
        return self.host != platform.node() and self.age_seconds < STALE_SECONDS

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


@contextmanager
def leased(work: WorkFolder, wait_unless: Callable[[], bool] | None) -> Iterator[bool]:
    """Hold the fold while inside; yields whether it is held.

    wait_unless   None: give up at once if another process has it; else wait for it until true
    """
    work.path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(work.lease_lock)
    held = _acquire(lock, work, wait_unless)
    if not held:
        yield False
        return
    try:
        holder = {"host": platform.node(), "process": os.getpid(), "started": _now()}
        write_json(work.lease, holder)
        with _heartbeat(work.lease):
            yield True
    finally:
        work.lease.unlink(missing_ok=True)
        lock.release()


def is_held(work: WorkFolder) -> bool:
    """Whether a living process holds the fold; asking leaves no trace."""
    if not work.lease_lock.exists():  # then nobody on this machine does
        known = holder(work)
        return known is not None and known.elsewhere_and_alive
    lock = FileLock(work.lease_lock)
    if not _acquire(lock, work, None):
        return True
    lock.release()
    return False


def holder(work: WorkFolder) -> Holder | None:
    """Who holds the fold or left it without saying so; None where nobody did."""
    try:
        content: dict[str, Any] = json.loads(work.lease.read_text("utf-8"))
        age = time.time() - work.lease.stat().st_mtime
        return Holder(str(content["host"]), int(content["process"]), str(content["started"]), age)
    except (OSError, ValueError, KeyError):  # gone, or of a version before this one
        return None


def _acquire(lock: FileLock, work: WorkFolder, wait_unless: Callable[[], bool] | None) -> bool:
    while True:
        try:
            lock.acquire(timeout=0.0 if wait_unless is None else POLL_SECONDS)
        except Timeout:
            if wait_unless is None or wait_unless():
                return False
            continue
        known = holder(work)
        if known is None or not known.elsewhere_and_alive:
            return True
        lock.release()
        if wait_unless is None or wait_unless():
            return False
        time.sleep(POLL_SECONDS)  # between two looks at a heartbeat that only age can end


@contextmanager
def _heartbeat(path: Path) -> Iterator[None]:
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):  # a file server that hangs for a moment; the next beat tells
                os.utime(path)

    thread = threading.Thread(target=beat, name="lease heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
