"""One job: what was asked for, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class JobState(Enum):
    """`queued` and `running` go on by themselves; the others are over."""

    queued = "queued"
    running = "running"
    done = "done"
    failed = "failed"
    cancelled = "cancelled"

    @property
    def is_over(self) -> bool:
        return self not in (JobState.queued, JobState.running)


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for.

    | field | what |
    |---|---|
    | `kind` | the task |
    | `payload` | as it came in, shown again |
    | `words` | of the command line |
    | `subject` | what only one job at a time may work on, such as a model; null = nothing |
    | `cron` | when it is to be repeated, New York time; null = once |
    | `due` | not before this time (ISO, UTC); null = at once |
    | `idempotency_key` | the same key with the same payload is the same job |
    """

    kind: str
    payload: Mapping[str, Any]
    words: tuple[str, ...]
    subject: str | None = None
    cron: str | None = None
    due: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """An order with its place in the queue; times are ISO in UTC.

    | field | what |
    |---|---|
    | `pid`, `process_started` | of its process; only both together name one |
    | `starts` | how often it was begun: more than once after a restart of the server |
    | `cancel_asked` | somebody wants it to end |
    | `exit_status` | of the process; null if nobody saw its end |
    | `progress` | see `Progress.shown` |
    | `log_tail` | the last lines of its log |
    | `cpu_seconds`, `peak_memory_bytes` | of the process and its workers, sampled |
    """

    id: str
    order: Order
    state: JobState
    submitted_at: str
    started_at: str | None = None
    ended_at: str | None = None
    exit_status: int | None = None
    error: str | None = None
    pid: int | None = None
    process_started: float | None = None
    starts: int = 0
    cancel_asked: bool = False
    run_key: str | None = None
    progress: Mapping[str, Any] | None = None
    log_tail: tuple[str, ...] = ()
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
