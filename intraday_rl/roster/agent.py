"""One agent that plays sessions, and how its newest session stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class AgentStatus(Enum):
    """`running`: plays every session; `error`: its last one failed, and it waits for a person."""

    running = "running"
    stopped = "stopped"
    error = "error"


@dataclass(frozen=True, slots=True)
class Agent:
    """What it is, and what it was told; times are ISO in UTC.

    | field | what |
    |---|---|
    | `payload` | as it came in, shown again |
    | `words` | of the command line of each of its sessions, without the day |
    | `once` | it stops when the session it was started for is over |
    | `auto_restart` | a session whose process died goes on; without it, it only closes |
    | `error` | why the status is `error` |
    | `halted_at`, `halt_reason` | of an emergency stop; null once it was started again |
    | `started_at` | when it was last told to run |
    | `session` | as its newest session says; see `live.status` |
    | `updated_at` | when the session said so, by the machine's clock |
    | `pid`, `process_started` | of the session's process; only both together name one |
    | `restarts` | of the session's process, since it was begun |
    """

    name: str
    payload: Mapping[str, Any]
    words: tuple[str, ...]
    status: AgentStatus
    once: bool
    auto_restart: bool
    error: str | None
    created_at: str
    started_at: str | None
    halted_at: str | None
    halt_reason: str | None
    session: Mapping[str, Any] | None
    updated_at: str | None
    pid: int | None
    process_started: float | None
    restarts: int
