"""Typed answers of the routes for agents and their sessions; times are ISO in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from intraday_rl.roster.agent import Agent
from intraday_rl.web.answers import command_line

Status = Literal["running", "stopped", "error"]
_AGENT: JsonDict = {
    "name": "alpha",
    "status": "running",
    "once": False,
    "auto_restart": True,
    "error": None,
    "created_at": "2026-11-22T22:15:00.123456+00:00",
    "started_at": "2026-11-22T22:16:00.123456+00:00",
    "halted_at": None,
    "halt_reason": None,
    "restarts": 0,
    "at_work": True,
    "payload": {"name": "alpha", "model": "champion", "symbol": "TQQQ"},
    "command": "intraday-rl task=paper task.model=champion symbol=TQQQ task.feed=file",
    "session": {
        "day": "2026-11-23",
        "state": "trading",
        "time": "2026-11-23 15:00:04+00:00",
        "risk_state": "ACTIVE",
        "risk_reason": None,
        "position": 120.0,
        "equity_before": 100_000.0,
        "equity": 100_041.5,
    },
    "updated_at": "2026-11-23T15:00:04.123456+00:00",
    "seconds_since_update": 0.6,
}
_DAY: JsonDict = {
    "day": "2026-11-20",
    "closed": True,
    "net_return_bps": -3.2,
    "equity_before": 100_032.0,
    "equity_after": 100_000.0,
    "exit_reason": "cutoff",
    "exit_at": "2026-11-20 20:45:00+00:00",
    "orders": 7,
    "skipped": 1,
    "alarms": [],
    "has_report": True,
}


class AgentAnswer(BaseModel):
    """An agent, and how its newest session stands.

    `at_work`: a process of its session is known. `session`: as the session itself says, its clock
    too; `seconds_since_update`: since it said so, by the server's clock.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_AGENT]})

    name: str
    status: Status
    once: bool
    auto_restart: bool
    error: str | None
    created_at: str
    started_at: str | None
    halted_at: str | None
    halt_reason: str | None
    restarts: int
    at_work: bool
    payload: dict[str, Any]
    command: str
    session: dict[str, Any] | None
    updated_at: str | None
    seconds_since_update: float | None


class AgentList(BaseModel):
    """By name."""

    agents: list[AgentAnswer]


class EmergencyStopped(BaseModel):
    """Who was meant; each flattens within seconds if its session is on, and is halted already."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"agents": ["alpha", "beta"], "reason": "prices look wrong"}]
        }
    )

    agents: list[str]
    reason: str


class SessionBrief(BaseModel):
    """One day in a line; null is what is known only when it is closed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DAY]})

    day: str
    closed: bool
    net_return_bps: float | None
    equity_before: float | None
    equity_after: float | None
    exit_reason: str | None
    exit_at: str | None
    orders: int | None
    skipped: int | None
    alarms: list[str]
    has_report: bool


class SessionList(BaseModel):
    """The newest first."""

    sessions: list[SessionBrief]


class SessionDetail(SessionBrief):
    """`result`: session.json, null before it is closed; `journal`: its last lines."""

    result: dict[str, Any] | None
    journal: list[dict[str, Any]]


def agent_shown(agent: Agent, now: datetime | None = None) -> AgentAnswer:
    now = now or datetime.now(UTC)
    updated = agent.updated_at
    return AgentAnswer(
        name=agent.name,
        status=agent.status.value,
        once=agent.once,
        auto_restart=agent.auto_restart,
        error=agent.error,
        created_at=agent.created_at,
        started_at=agent.started_at,
        halted_at=agent.halted_at,
        halt_reason=agent.halt_reason,
        restarts=agent.restarts,
        at_work=agent.pid is not None,
        payload=dict(agent.payload),
        command=command_line(agent.words),
        session=None if agent.session is None else dict(agent.session),
        updated_at=updated,
        seconds_since_update=None if updated is None else _seconds(updated, now),
    )


def _seconds(since: str, now: datetime) -> float:
    """Never below zero: machines set their clocks back."""
    return max(0.0, round((now - datetime.fromisoformat(since)).total_seconds(), 1))
