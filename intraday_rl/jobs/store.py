"""The queue on disk: orders come in, one process claims them, everything is known after a crash.

| who | does |
|---|---|
| the server's routes | `submit`, `get`, `newest`, `cancel` |
| the supervisor | `claim`, `begun`, `heard`, `ended`, `again`, `running` |
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from intraday_rl.errors import IntradayRLError
from intraday_rl.jobs.database import create, insert, job_of
from intraday_rl.jobs.job import Job, JobState, Order
from intraday_rl.jobs.schedule import next_due
from intraday_rl.sqlite import reading, writing

OVER = tuple(state.value for state in JobState if state.is_over)
MOST_KEPT = 1_000  # jobs that are over; older ones are forgotten, with their logs


class QueueFull(IntradayRLError):
    """Too many jobs wait already."""


class SubjectBusy(IntradayRLError):
    """Another job works on the same thing, or is about to, once or again and again."""


class KeyReused(IntradayRLError):
    """An idempotency key came with another payload than the first time."""


class JobStore:
    """Jobs below a folder: the table, and for each that began its log and its events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "jobs.sqlite"
        create(self._file)

    def log(self, job_id: str) -> Path:
        """What its process printed."""
        return self.folder / job_id / "log.txt"

    def events(self, job_id: str) -> Path:
        """What its process told, see `intraday_rl.events`."""
        return self.folder / job_id / "events.jsonl"

    def submit(self, order: Order, *, most_queued: int) -> tuple[Job, bool]:
        """The job, and whether it is new: a key that is known gives the job of before."""
        now = _now()
        with writing(self._file) as rows:
            known = self._of_key(rows, order)
            if known is not None:
                return known, False
            if order.subject is not None and order.due is None:
                self._refuse_busy(rows, order.subject, now)
            self._refuse_again(rows, order)
            waiting = rows.execute("SELECT count(*) FROM jobs WHERE state = 'queued'").fetchone()[0]
            if waiting >= most_queued:
                raise QueueFull(
                    f"{waiting} jobs are waiting, task.queue_limit={most_queued}: cancel some, or "
                    "come again when one has begun"
                )
            job = Job(uuid.uuid4().hex, order, JobState.queued, now)
            insert(rows, job)
            forgotten = self._forget(rows)
        for job_id in forgotten:
            shutil.rmtree(self.folder / job_id, ignore_errors=True)
        return job, True

    def get(self, job_id: str) -> Job | None:
        with reading(self._file) as rows:
            row = rows.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return None if row is None else job_of(row)

    def newest(self, most: int, state: JobState | None = None) -> list[Job]:
        """The last ones submitted, newest first."""
        where, values = ("WHERE state = ?", (state.value,)) if state else ("", ())
        with reading(self._file) as rows:
            found = rows.execute(
                f"SELECT * FROM jobs {where} ORDER BY number DESC LIMIT ?", (*values, most)
            ).fetchall()
        return [job_of(row) for row in found]

    def running(self) -> list[Job]:
        """All that were begun and not ended, oldest first."""
        with reading(self._file) as rows:
            found = rows.execute(
                "SELECT * FROM jobs WHERE state = 'running' ORDER BY number"
            ).fetchall()
        return [job_of(row) for row in found]

    def claim(self, subject_of: Callable[[Order], str | None] | None = None) -> Job | None:
        """The next job that is due and whose subject is free, now marked as running.

        `subject_of`: what an order means by now, as a name may have got another meaning since it
        was submitted. A periodic job leaves its successor behind in the same transaction, so that
        the series ends only when that is cancelled.
        """
        with reading(self._file) as rows:
            found = rows.execute(
                "SELECT * FROM jobs WHERE state = 'queued' AND (due IS NULL OR due <= ?) "
                "ORDER BY number",
                (_now(),),
            ).fetchall()
        for job in map(job_of, found):
            subject = job.order.subject if subject_of is None else subject_of(job.order)
            if self._claim(job, subject):
                return self.get(job.id)
        return None

    def _claim(self, job: Job, subject: str | None) -> bool:
        """Whether it still waited and its subject was free: now it runs."""
        now = _now()
        with writing(self._file) as rows:
            claimed = rows.execute(
                "UPDATE jobs SET state = 'running', started_at = ?, starts = starts + 1, "
                "subject = ?, pid = NULL, process_started = NULL "
                "WHERE id = ? AND state = 'queued' AND NOT EXISTS (SELECT 1 FROM jobs AS other "
                "WHERE other.state = 'running' AND other.subject = ?)",
                (now, subject, job.id, subject),
            ).rowcount
            if claimed and job.order.cron is not None and job.starts == 0:
                due = next_due(job.order.cron, datetime.now(UTC)).isoformat()
                order = replace(job.order, due=due, idempotency_key=None)
                insert(rows, Job(uuid.uuid4().hex, order, JobState.queued, now))
        return bool(claimed)

    def begun(self, job_id: str, pid: int, process_started: float) -> None:
        """Which process carries it out."""
        self._update(job_id, pid=pid, process_started=process_started)

    def heard(self, job_id: str, **news: Any) -> None:
        """What has become known while it runs."""
        self._update(job_id, **news)

    def ended(
        self,
        job_id: str,
        state: JobState,
        *,
        exit_status: int | None,
        error: str | None,
        log_tail: Sequence[str],
    ) -> None:
        """It is over."""
        self._update(
            job_id,
            state=state.value,
            ended_at=_now(),
            exit_status=exit_status,
            error=error,
            log_tail=list(log_tail),
        )

    def again(self, job_id: str) -> None:
        """Its process is gone without having ended the work: the same command goes on."""
        self._update(job_id, state="queued", pid=None, process_started=None)

    def cancel(self, job_id: str) -> Job | None:
        """End it if it waits; ask for its end if it runs; leave it if it is over."""
        with writing(self._file) as rows:
            rows.execute(
                "UPDATE jobs SET state = 'cancelled', ended_at = ? "
                "WHERE id = ? AND state = 'queued'",
                (_now(), job_id),
            )
            rows.execute(
                "UPDATE jobs SET cancel_asked = 1 WHERE id = ? AND state = 'running'", (job_id,)
            )
        return self.get(job_id)

    def _update(self, job_id: str, **values: Any) -> None:
        plain = {
            key: json.dumps(value) if isinstance(value, Mapping | list) else value
            for key, value in values.items()
        }
        assignments = ", ".join(f"{key} = ?" for key in plain)
        with writing(self._file) as rows:
            rows.execute(f"UPDATE jobs SET {assignments} WHERE id = ?", (*plain.values(), job_id))

    @staticmethod
    def _of_key(rows: Connection, order: Order) -> Job | None:
        if order.idempotency_key is None:
            return None
        row = rows.execute(
            "SELECT * FROM jobs WHERE idempotency_key = ?", (order.idempotency_key,)
        ).fetchone()
        if row is None:
            return None
        known = job_of(row)
        if (known.order.kind, known.order.payload) != (order.kind, order.payload):
            raise KeyReused(
                f"Idempotency-Key {order.idempotency_key}: came with another payload for job "
                f"{known.id}; give a new job a new key"
            )
        return known

    @staticmethod
    def _refuse_busy(rows: Connection, subject: str, now: str) -> None:
        row = rows.execute(
            "SELECT id, state FROM jobs WHERE subject = ? AND (state = 'running' OR "
            "(state = 'queued' AND (due IS NULL OR due <= ?)))",
            (subject, now),
        ).fetchone()
        if row is not None:
            raise SubjectBusy(f"{subject}: job {row['id']} is at it ({row['state']})")

    @staticmethod
    def _refuse_again(rows: Connection, order: Order) -> None:
        """A series that is under way already: its next job waits, whatever becomes of this one."""
        if order.cron is None:
            return
        found = rows.execute(
            "SELECT * FROM jobs WHERE state = 'queued' AND kind = ? AND cron = ?",
            (order.kind, order.cron),
        ).fetchall()
        for job in map(job_of, found):
            if job.order.payload == order.payload:
                raise SubjectBusy(
                    f"cron={order.cron}: job {job.id} waits to do the same; cancel it to begin anew"
                )

    @staticmethod
    def _forget(rows: Connection) -> list[str]:
        """Rows that are over and older than the newest `MOST_KEPT` of these."""
        marks = ", ".join("?" * len(OVER))
        found = rows.execute(
            f"SELECT id FROM jobs WHERE state IN ({marks}) ORDER BY number DESC LIMIT -1 OFFSET ?",
            (*OVER, MOST_KEPT),
        ).fetchall()
        rows.executemany("DELETE FROM jobs WHERE id = ?", [(row["id"],) for row in found])
        return [row["id"] for row in found]


def _now() -> str:
    return datetime.now(UTC).isoformat()
