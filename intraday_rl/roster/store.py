"""The table of agents, and the emergency stops that every session polls."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from intraday_rl.errors import IntradayRLError
from intraday_rl.roster.agent import Agent, AgentStatus
from intraday_rl.sqlite import make, reading, writing

_AGENTS = """
CREATE TABLE IF NOT EXISTS agents (
    name TEXT PRIMARY KEY,
    payload TEXT NOT NULL,
    words TEXT NOT NULL,
    status TEXT NOT NULL,
    once INTEGER NOT NULL DEFAULT 0,
    auto_restart INTEGER NOT NULL DEFAULT 1,
    error TEXT,
    created_at TEXT NOT NULL,
    started_at TEXT,
    halted_at TEXT,
    halt_reason TEXT,
    session TEXT,
    updated_at TEXT,
    pid INTEGER,
    process_started REAL,
    restarts INTEGER NOT NULL DEFAULT 0
)
"""
# Of sessions that were typed on a command line, and of those of no agent in the table.
_STOPS = """
CREATE TABLE IF NOT EXISTS emergency_stops (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    agent TEXT,
    asked_at TEXT NOT NULL,
    reason TEXT NOT NULL
)
"""
EMERGENCY_STOP, STOPPED = "emergency_stop", "agent_stopped"
MOST_AGENTS = 100


class AgentUnknown(IntradayRLError):
    """There is no agent of this name."""


class AgentBusy(IntradayRLError):
    """What was asked does not go with what the agent is doing."""


class TooManyAgents(IntradayRLError):
    """There is no room for another one."""


class Roster:
    """Agents below `paths.state`; every method is one transaction."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "agents.sqlite"
        make(self._file, _AGENTS, _STOPS)

    def sessions(self, name: str) -> Path:
        """Below here an agent's sessions keep their journals, a folder a day."""
        return self.folder / name

    def create(
        self,
        name: str,
        payload: Mapping[str, Any],
        words: Sequence[str],
        *,
        auto_restart: bool,
        now: str,
    ) -> Agent:
        """A new agent, stopped; raises `AgentBusy` if the name is taken, `TooManyAgents`."""
        with writing(self._file) as rows:
            if rows.execute("SELECT 1 FROM agents WHERE name = ?", (name,)).fetchone():
                raise AgentBusy(f"there is an agent {name} already; remove it, or name another")
            if rows.execute("SELECT count(*) FROM agents").fetchone()[0] >= MOST_AGENTS:
                raise TooManyAgents(f"there are {MOST_AGENTS} agents already; remove some")
            rows.execute(
                "INSERT INTO agents (name, payload, words, status, auto_restart, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    name,
                    json.dumps(payload),
                    json.dumps(list(words)),
                    AgentStatus.stopped.value,
                    auto_restart,
                    now,
                ),
            )
        return self.get(name)

    def get(self, name: str) -> Agent:
        """Raises `AgentUnknown`."""
        with reading(self._file) as rows:
            row = rows.execute("SELECT * FROM agents WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise AgentUnknown(f"no agent {name}")
        return _agent(row)

    def all(self) -> list[Agent]:
        """Every agent by name."""
        with reading(self._file) as rows:
            return [_agent(row) for row in rows.execute("SELECT * FROM agents ORDER BY name")]

    def start(self, name: str, *, once: bool, now: str) -> Agent:
        """From now on it plays sessions, or the next one; ends an emergency stop.

        Restarts count anew: a person has looked.
        """
        self.get(name)
        self._set(
            name,
            status=AgentStatus.running.value,
            once=once,
            started_at=now,
            error=None,
            halted_at=None,
            halt_reason=None,
            restarts=0,
        )
        return self.get(name)

    def stop(self, name: str) -> Agent:
        """It closes what is open and plays no further session."""
        self.get(name)
        self._set(name, status=AgentStatus.stopped.value)
        return self.get(name)

    def failed(self, name: str, error: str) -> None:
        """A person has to look."""
        self._set(name, status=AgentStatus.error.value, error=error)

    def remove(self, name: str) -> None:
        """Forget it, with its journals kept; refused while its process lives."""
        self.get(name)
        with writing(self._file) as rows:
            # Whether it is at work is asked by what removes it: between a look and a removal its
            # session could begin.
            gone = rows.execute(
                "DELETE FROM agents WHERE name = ? AND status != ? AND pid IS NULL "
                "AND restarts = 0",  # one that died is yet to be closed
                (name, AgentStatus.running.value),
            )
            if not gone.rowcount:
                raise AgentBusy(
                    f"agent {name} is at work; stop it first, and wait until it is flat"
                )

    def emergency_stop(self, name: str | None, reason: str, now: str) -> list[str]:
        """Every session of this agent (null = of all) flattens, then halts; who was meant."""
        with writing(self._file) as rows:
            known = rows.execute("SELECT name FROM agents ORDER BY name").fetchall()
            meant = [row["name"] for row in known if name in (None, row["name"])]
            if name is not None and not meant:
                raise AgentUnknown(f"no agent {name}")
            rows.execute(
                "INSERT INTO emergency_stops (agent, asked_at, reason) VALUES (?, ?, ?)",
                (name, now, reason),
            )
            rows.executemany(
                "UPDATE agents SET status = ?, halted_at = ?, halt_reason = ? WHERE name = ?",
                [(AgentStatus.stopped.value, now, reason, one) for one in meant],
            )
        return meant

    def last_stop(self) -> int:
        """Number of the newest emergency stop: what comes later concerns a session that begins."""
        with reading(self._file) as rows:
            found = rows.execute("SELECT max(number) FROM emergency_stops").fetchone()[0]
        return int(found or 0)

    def asked(self, name: str, since: int) -> str | None:
        """Why a session of this agent is to end now; None = it is not.

        `since`: emergency stops up to this number came before the session.
        """
        with reading(self._file) as rows:
            stopped = rows.execute(
                "SELECT 1 FROM emergency_stops WHERE number > ? AND (agent IS NULL OR agent = ?)",
                (since, name),
            ).fetchone()
            row = rows.execute(
                "SELECT status, halted_at FROM agents WHERE name = ?", (name,)
            ).fetchone()
        if stopped is not None or (row is not None and row["halted_at"] is not None):
            return EMERGENCY_STOP
        if row is not None and row["status"] != AgentStatus.running.value:
            return STOPPED
        return None

    def process(self, name: str, pid: int | None, started: float | None, restarts: int) -> None:
        """Which process plays its session; null = none."""
        self._set(name, pid=pid, process_started=started, restarts=restarts)

    def show(self, name: str, session: Mapping[str, Any]) -> None:
        """How its session stands; nothing if the agent is not in the table.

        The moment is the machine's: a rehearsal's clock says nothing about how old the news is.
        """
        self._set(
            name,
            session=json.dumps(session, allow_nan=False),
            updated_at=datetime.now(UTC).isoformat(),
        )

    def _set(self, name: str, **values: Any) -> None:
        assignments = ", ".join(f"{key} = ?" for key in values)
        with writing(self._file) as rows:
            rows.execute(
                f"UPDATE agents SET {assignments} WHERE name = ?", (*values.values(), name)
            )


def _agent(row: sqlite3.Row) -> Agent:
    session = row["session"]
    return Agent(
        name=row["name"],
        payload=json.loads(row["payload"]),
        words=tuple(json.loads(row["words"])),
        status=AgentStatus(row["status"]),
        once=bool(row["once"]),
        auto_restart=bool(row["auto_restart"]),
        error=row["error"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        halted_at=row["halted_at"],
        halt_reason=row["halt_reason"],
        session=None if session is None else json.loads(session),
        updated_at=row["updated_at"],
        pid=row["pid"],
        process_started=row["process_started"],
        restarts=row["restarts"],
    )
