"""Typed answers of the routes that start and follow jobs; the others are documents of their own."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from intraday_rl.jobs.job import Job, JobState
from intraday_rl.jobs.progress import tail_of
from intraday_rl.jobs.store import JobStore

State = Literal["queued", "running", "done", "failed", "cancelled"]


class Problem(BaseModel):
    """One thing that is wrong with a request."""

    loc: list[str | int]
    msg: str
    type: str


class Refusal(BaseModel):
    """Every refusal: a sentence, or for 422 a list of fields."""

    detail: str | list[Problem]


class Accepted(BaseModel):
    """A job that waits for its turn."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "queued",
                    "job_id": "0f8fad5bd9cb469fa16570867728950e",
                    "submitted_at": "2026-11-22T22:15:00.123456+00:00",
                }
            ]
        }
    )

    status: State
    job_id: str
    submitted_at: str


class DryRun(BaseModel):
    """What a job would do; `passed` is false where its data, model or checks refuse it."""

    status: Literal["dry_run"] = "dry_run"
    command: str
    passed: bool
    exit_status: int
    result: dict[str, Any] | None
    error: str | None


class Checked(BaseModel):
    """A payload that can be built, as the command line that means the same."""

    command: str


class FitProgress(BaseModel):
    """One window and seed; `done` of `total` decisions."""

    window: str
    seed: int
    done: int
    total: int | None
    validation_sharpe: float | None
    status: str | None


class JobProgress(BaseModel):
    """`share` of all fits, from 0 to 1."""

    share: float
    eta_seconds: float | None
    fits: list[FitProgress]


class JobAnswer(BaseModel):
    """A job; times are ISO in UTC."""

    id: str
    kind: str
    state: State
    payload: dict[str, Any]
    command: str
    cron: str | None
    due: str | None
    submitted_at: str
    started_at: str | None
    ended_at: str | None
    starts: int
    cancel_asked: bool
    exit_status: int | None
    error: str | None
    run_key: str | None
    progress: JobProgress | None
    cpu_seconds: float
    peak_memory_bytes: int


class JobDetail(JobAnswer):
    """A job with the last lines of its log."""

    log_tail: list[str]


class JobList(BaseModel):
    """The newest first."""

    jobs: list[JobAnswer]


def shown(job: Job) -> JobAnswer:
    return JobAnswer(**_values(job))


def detailed(job: Job, store: JobStore) -> JobDetail:
    """While it runs, its log is read from the file."""
    running = job.state is JobState.running
    lines = tail_of(store.log(job.id)) if running else list(job.log_tail)
    return JobDetail(**_values(job), log_tail=lines)


def accepted(job: Job) -> Accepted:
    return Accepted(status=job.state.value, job_id=job.id, submitted_at=job.submitted_at)


def command_line(words: Sequence[str]) -> str:
    """To be typed in a shell, in the quotes that read best."""
    return " ".join(["intraday-rl", *map(_quoted, words)])


def _quoted(word: str) -> str:
    inside_double_quotes = "'" in word and not re.search(r'["$`\\!]', word)
    return f'"{word}"' if inside_double_quotes else shlex.quote(word)


def _values(job: Job) -> dict[str, Any]:
    progress = job.progress
    return {
        "id": job.id,
        "kind": job.order.kind,
        "state": job.state.value,
        "payload": dict(job.order.payload),
        "command": command_line(job.order.words),
        "cron": job.order.cron,
        "due": job.order.due,
        "submitted_at": job.submitted_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "starts": job.starts,
        "cancel_asked": job.cancel_asked,
        "exit_status": job.exit_status,
        "error": job.error,
        "run_key": job.run_key,
        "progress": None if progress is None else JobProgress.model_validate(progress),
        "cpu_seconds": job.cpu_seconds,
        "peak_memory_bytes": job.peak_memory_bytes,
    }
