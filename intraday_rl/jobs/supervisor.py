"""The loop that begins jobs, watches over them and says how they ended, in a thread of its own.

| what is found | what becomes of the job |
|---|---|
| its process ended with 0 | done |
| it was to be cancelled | cancelled, when the whole group is gone |
| a signal asked it to end (130, 143) | queued: the same command goes on from its checkpoint |
| it ended otherwise, or nobody can say how, as it was begun by an earlier server | failed |
| the server was away, and the process lives | watched on |
| the server was away, and the process is gone without an end | queued, as after a signal |
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from signal import SIGINT, SIGTERM

from filelock import FileLock, Timeout

from intraday_rl.errors import ConfigError
from intraday_rl.jobs.job import Job, JobState, Order
from intraday_rl.jobs.process import Child, adopt, begin, find
from intraday_rl.jobs.progress import Progress, tail_of
from intraday_rl.jobs.store import JobStore

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.2  # nobody is told when a process that is not a child ends
MEASURE_SECONDS = 1.0
MOST_STARTS = 10
ASKED_TO_END = (128 + SIGINT, 128 + SIGTERM, -SIGINT, -SIGTERM)


@dataclass(slots=True)
class _Watched:
    child: Child
    progress: Progress
    measured: float = 0.0
    kill_at: float | None = None


class Supervisor:
    """Runs up to `workers` jobs of a store at a time; one supervisor a store.

    `subject_of`: see `JobStore.claim`.
    """

    def __init__(
        self,
        store: JobStore,
        workers: int,
        cancel_grace_seconds: float,
        subject_of: Callable[[Order], str | None] | None = None,
    ) -> None:
        self._store, self._workers, self._subject_of = store, workers, subject_of
        self._grace = cancel_grace_seconds
        self._watched: dict[str, _Watched] = {}
        self._lock = FileLock(store.folder / "supervisor.lock")
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def __enter__(self) -> Supervisor:
        try:
            self._lock.acquire(timeout=0.0)
        except Timeout:
            raise ConfigError(
                "paths.state",
                str(self._store.folder.parent),
                "another server looks after these jobs; stop it or choose another folder",
            ) from None
        for job in self._store.running():
            self._take_over(job)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Jobs that run go on; the next server finds them."""
        self._leaving.set()
        self._thread.join()
        self._lock.release()

    def _run(self) -> None:
        while not self._leaving.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception:  # a full disk, a database locked for long: jobs wait, none is lost
                logger.exception("jobs: trying again")

    def look(self) -> None:
        """Once over everything that runs, then begin what there is room for."""
        for job_id, watched in list(self._watched.items()):
            job = self._store.get(job_id)
            if job is None:
                continue
            if job.cancel_asked:
                self._end(watched)
            if watched.child.is_gone():
                self._settle(job, watched)
                del self._watched[job_id]
            else:
                self._hear(job_id, watched)
        while len(self._watched) < self._workers and not self._leaving.is_set():
            job = self._store.claim(self._subject_of)
            if job is None:
                return
            self._begin(job)

    def _begin(self, job: Job) -> None:
        log, events = self._store.log(job.id), self._store.events(job.id)
        try:
            child = begin(job.order.words, log, events, job.id)
        except OSError as error:
            self._store.ended(
                job.id, JobState.failed, exit_status=None, error=str(error), log_tail=[]
            )
            return
        self._watched[job.id] = _Watched(child, Progress(events))
        self._store.begun(job.id, child.pid, child.started)

    def _take_over(self, job: Job) -> None:
        progress = Progress(self._store.events(job.id))
        # A server that was killed at the wrong moment has begun it without writing its number down.
        child = find(job.id) if job.pid is None else adopt(job.pid, job.process_started)
        if child is not None:
            self._store.begun(job.id, child.pid, child.started)
            logger.info("job %s: still running as process %d", job.id, child.pid)
            self._watched[job.id] = _Watched(child, progress)
            return
        progress.read()
        if job.pid is not None:  # else it has told nothing, and what is known stays
            self._store.heard(job.id, **_told(progress))
        self._conclude(job, progress, None, was_watched=False)

    def _end(self, watched: _Watched) -> None:
        """SIGTERM first; after the grace SIGKILL for whoever is left."""
        now = time.monotonic()
        if watched.kill_at is None:
            watched.kill_at = now + self._grace
            watched.child.ask_to_end()
        elif now >= watched.kill_at:
            watched.child.kill()

    def _hear(self, job_id: str, watched: _Watched) -> None:
        now = time.monotonic()
        if now - watched.measured < MEASURE_SECONDS:
            return
        watched.measured = now
        watched.child.measure()
        watched.progress.read()
        self._store.heard(job_id, **_news(watched))

    def _settle(self, job: Job, watched: _Watched) -> None:
        watched.progress.read()
        self._store.heard(job.id, **_news(watched))
        self._conclude(job, watched.progress, watched.child.exit_status, was_watched=True)

    def _conclude(
        self, job: Job, progress: Progress, status: int | None, *, was_watched: bool
    ) -> None:
        told = progress.ended or {}
        status = told.get("status") if status is None else status
        tail = tail_of(self._store.log(job.id))
        current = self._store.get(job.id)
        lost = status is None and not was_watched
        if current is not None and current.cancel_asked and status != 0:
            state, error = JobState.cancelled, None
        elif status == 0:
            state, error = JobState.done, None
        elif (lost or status in ASKED_TO_END) and job.starts < MOST_STARTS:
            logger.info("job %s: its process is gone; it goes on", job.id)
            self._store.again(job.id)
            return
        else:
            state, error = JobState.failed, told.get("error") or _why(status, tail, was_watched)
        self._store.ended(job.id, state, exit_status=status, error=error, log_tail=tail)


def _news(watched: _Watched) -> dict[str, object]:
    return {
        **_told(watched.progress),
        "cpu_seconds": round(watched.child.cpu_seconds, 2),
        "peak_memory_bytes": watched.child.peak_memory_bytes,
    }


def _told(progress: Progress) -> dict[str, object]:
    return {"run_key": progress.run_key, "progress": progress.shown()}


def _why(status: int | None, tail: list[str], was_watched: bool) -> str:
    if status is None and was_watched:
        return "its process was killed; is memory short?"
    if status is None:
        return f"its process was lost {MOST_STARTS} times"
    if status < 0:
        return f"ended by signal {-status}; is memory short?"
    return next((line for line in reversed(tail) if line.strip()), f"exit status {status}")
