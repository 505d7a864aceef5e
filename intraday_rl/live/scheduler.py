"""Begins each agent's session before the open and watches over its process, a process an agent.

| what is found | what becomes of it |
|---|---|
| a running agent, its session opens soon or is on | a process of the same entry script |
| its process ended well | the session is over; an agent that plays `once` is stopped |
| its process died | begun again, with growing pauses; without `auto_restart` only to close |
| it died too often, or its options or data were refused | the agent's status is error |
| a session of whatever day was begun and never closed | a process that closes it |
| this scheduler was away | processes that live are found again |

Each agent's process fails by itself. Nothing polls for bars here: a session waits for its own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import pandas as pd

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.jobs.process import Child, adopt, begin
from intraday_rl.jobs.progress import tail_of
from intraday_rl.live.clock import Clock
from intraday_rl.live.days import JOURNAL, next_session, unclosed
from intraday_rl.live.journal import Journal
from intraday_rl.market.calendar import sessions
from intraday_rl.roster.agent import Agent, AgentStatus
from intraday_rl.roster.store import AgentUnknown, Roster

logger = logging.getLogger(__name__)

BEFORE_OPEN = pd.Timedelta(minutes=15)
LOOK_SECONDS = 0.5  # of the machine's clock; nobody is told when a process that is no child ends
MOST_RESTARTS = 8
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
REFUSED = (ConfigError.exit_code, DataError.exit_code)


@dataclass(slots=True)
class Scheduler:
    """`clock_words`: overrides that give a session the clock of this scheduler."""

    roster: Roster
    clock: Clock
    clock_words: Sequence[str] = ()
    _children: dict[str, Child] = field(default_factory=dict)
    _not_before: dict[str, float] = field(default_factory=dict)
    _looked: float = 0.0
    _leaving: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Scheduler:
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Sessions that are on go on; the next scheduler finds them."""
        self._leaving.set()
        assert self._thread is not None
        self._thread.join()

    def look(self, seconds: float) -> None:
        """Once over all agents; `seconds`: of a clock that only goes on, for the pauses."""
        for agent in self.roster.all():
            try:
                self._attend(agent, seconds)
            except AgentUnknown:  # removed meanwhile
                continue
            except Exception:  # one agent's trouble is not the others'
                logger.exception("agent %s: trying again", agent.name)

    def _run(self) -> None:
        while not self._leaving.wait(LOOK_SECONDS):
            self._looked += LOOK_SECONDS
            try:
                self.look(self._looked)
            except Exception:  # a database locked for long: agents wait, none is lost
                logger.exception("scheduler: trying again")

    def _attend(self, agent: Agent, seconds: float) -> None:
        child = self._children.get(agent.name) or adopt(agent.pid, agent.process_started)
        if child is not None and child.is_alive:
            self._children[agent.name] = child
            return
        if agent.pid is not None:
            agent = self._ended(agent, child, seconds)
        if seconds < self._not_before.get(agent.name, 0.0):
            return
        due = self._due(agent)
        if due is not None:
            self._begin(agent, *due)

    def _due(self, agent: Agent) -> tuple[date, bool] | None:
        """The session to begin, and whether it is only to be closed; None = nothing is due."""
        now = self.clock.now()
        folder = self.roster.sessions(agent.name)
        coming = next_session(now)
        runs = agent.status is AgentStatus.running
        left_open = unclosed(folder, coming + timedelta(days=1))
        if left_open:
            closes_only = not runs or left_open[0] != coming
            crashed = agent.restarts > 0 and not agent.auto_restart
            return left_open[0], closes_only or crashed
        opens = pd.Timestamp(sessions(coming, coming)["open"].iloc[0])
        if runs and now >= opens - BEFORE_OPEN and not self._is_over(agent, coming):
            return coming, False
        return None

    def _is_over(self, agent: Agent, day: date) -> bool:
        journal = Journal(self.roster.sessions(agent.name) / str(day) / JOURNAL)
        return journal.last_event() == "closed"

    def _begin(self, agent: Agent, day: date, closes_only: bool) -> None:
        folder = self.roster.sessions(agent.name) / str(day)
        words = [
            *agent.words,
            f"task.agent={agent.name}",
            f"task.day='{day}'",
            f"task.flatten={str(closes_only).lower()}",
            *self.clock_words,
        ]
        child = begin(words, folder / "log.txt", folder / "events.jsonl")
        self._children[agent.name] = child
        self.roster.process(agent.name, child.pid, child.started, agent.restarts)
        what = "closes what was left open" if closes_only else "plays"
        logger.info("agent %s: process %d %s of %s", agent.name, child.pid, what, day)

    def _ended(self, agent: Agent, child: Child | None, seconds: float) -> Agent:
        """Its process is gone: what that means, and the agent as it stands then."""
        status = None if child is None else child.exit_status
        self._children.pop(agent.name, None)
        day = next_session(self.clock.now())
        folder = self.roster.sessions(agent.name)
        open_days = unclosed(folder, day + timedelta(days=1))
        newest = max(folder.glob("????-??-??"), default=None)
        over = newest is not None and Journal(newest / JOURNAL).last_event() == "closed"
        if status == 0 or (over and status is None):
            self.roster.process(agent.name, None, None, 0)
            if agent.once and agent.status is AgentStatus.running:
                self.roster.stop(agent.name)
            return self.roster.get(agent.name)
        restarts = agent.restarts + 1
        why = self._why(agent, status)
        logger.warning("agent %s: its process ended (%s)", agent.name, why)
        self.roster.process(agent.name, None, None, restarts)
        if (status in REFUSED and not open_days) or restarts > MOST_RESTARTS:
            self.roster.failed(agent.name, why)
            if not open_days:  # nothing is left that has to be closed
                self.roster.process(agent.name, None, None, 0)
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** (restarts - 1), LONGEST_PAUSE_SECONDS)
        self._not_before[agent.name] = seconds + pause
        return self.roster.get(agent.name)

    def _why(self, agent: Agent, status: int | None) -> str:
        logs = sorted(self.roster.sessions(agent.name).glob("*/log.txt"))
        said = [line for line in tail_of(logs[-1]) if line.strip()] if logs else []
        what = "nobody saw its end" if status is None else f"status {status}"
        return f"{what}: {said[-1]}" if said else what
