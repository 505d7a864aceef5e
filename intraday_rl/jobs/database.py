"""The table of jobs in SQLite: one row each, written in short transactions."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from intraday_rl.jobs.job import Job, JobState, Order
from intraday_rl.sqlite import make

_TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    words TEXT NOT NULL,
    subject TEXT,
    cron TEXT,
    due TEXT,
    idempotency_key TEXT UNIQUE,
    state TEXT NOT NULL,
    submitted_at TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT,
    exit_status INTEGER,
    error TEXT,
    pid INTEGER,
    process_started REAL,
    starts INTEGER NOT NULL DEFAULT 0,
    cancel_asked INTEGER NOT NULL DEFAULT 0,
    run_key TEXT,
    progress TEXT,
    log_tail TEXT NOT NULL DEFAULT '[]',
    cpu_seconds REAL NOT NULL DEFAULT 0,
    peak_memory_bytes INTEGER NOT NULL DEFAULT 0
)
"""
_INDEX = "CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, number)"


def create(file: Path) -> None:
    """Make the table if it is not there."""
    make(file, _TABLE, _INDEX)


def insert(rows: sqlite3.Connection, job: Job) -> None:
    """A new row; what a job only gets later has its default."""
    order = job.order
    rows.execute(
        "INSERT INTO jobs (id, kind, payload, words, subject, cron, due, idempotency_key, state, "
        "submitted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            job.id,
            order.kind,
            json.dumps(order.payload),
            json.dumps(order.words),
            order.subject,
            order.cron,
            order.due,
            order.idempotency_key,
            job.state.value,
            job.submitted_at,
        ),
    )


def job_of(row: sqlite3.Row) -> Job:
    """A row as a job."""
    order = Order(
        kind=row["kind"],
        payload=json.loads(row["payload"]),
        words=tuple(json.loads(row["words"])),
        subject=row["subject"],
        cron=row["cron"],
        due=row["due"],
        idempotency_key=row["idempotency_key"],
    )
    return Job(
        id=row["id"],
        order=order,
        state=JobState(row["state"]),
        submitted_at=row["submitted_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        exit_status=row["exit_status"],
        error=row["error"],
        pid=row["pid"],
        process_started=row["process_started"],
        starts=row["starts"],
        cancel_asked=bool(row["cancel_asked"]),
        run_key=row["run_key"],
        progress=None if row["progress"] is None else json.loads(row["progress"]),
        log_tail=tuple(json.loads(row["log_tail"])),
        cpu_seconds=row["cpu_seconds"],
        peak_memory_bytes=row["peak_memory_bytes"],
    )
