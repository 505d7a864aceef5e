"""The process of a job: begun in a group of its own, found again, never mistaken for another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from intraday_rl.events import VARIABLE as EVENTS

JOB = "INTRADAY_RL_JOB"  # the job's id, by which a process is found that nobody has noted down
SECRETS = ("INTRADAY_RL_TOKEN",)  # the server's own, which no job needs
SAME_START_SECONDS = 1.0  # the clock by which the system tells start times may be corrected


def command_of(words: Sequence[str]) -> list[str]:
    """The same entry script as on a command line."""
    return [sys.executable, "-m", "intraday_rl", *words]


def environment(**own: str) -> dict[str, str]:
    """What a child sees of the server's environment, and what is its own."""
    hidden = (*SECRETS, EVENTS, JOB)
    return {key: value for key, value in os.environ.items() if key not in hidden} | own


@dataclass(slots=True)
class Child:
    """A running job: ours since `begin`, or one that outlived an earlier server (`adopt`)."""

    process: psutil.Process
    popen: subprocess.Popen[bytes] | None = None
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    _group: list[psutil.Process] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    @property
    def started(self) -> float:
        return float(self.process.create_time())

    @property
    def is_alive(self) -> bool:
        """A process that ended and whom nobody has asked how is not."""
        if self.popen is not None:
            return self.popen.poll() is None
        return _lives(self.process)

    @property
    def exit_status(self) -> int | None:
        """Null for an adopted one: the system tells only the parent."""
        return None if self.popen is None else self.popen.poll()

    def measure(self) -> None:
        """Sum what the process and its workers have used."""
        cpu, memory = 0.0, 0
        for one in self._members():
            with suppress(psutil.Error):
                times = one.cpu_times()
                cpu += times.user + times.system
                memory += one.memory_info().rss
                if one.pid == self.pid:  # of workers that have ended
                    cpu += times.children_user + times.children_system
        self.cpu_seconds = max(self.cpu_seconds, cpu)
        self.peak_memory_bytes = max(self.peak_memory_bytes, memory)

    def ask_to_end(self) -> None:
        """SIGTERM to the whole group: fits under way write a checkpoint."""
        self._group = self._members()
        if self.is_alive:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End whoever of the group is left; each is known by its start, too."""
        for one in {*self._group, *self._members()}:
            with suppress(psutil.Error):
                one.kill()

    def is_gone(self) -> bool:
        """Whether nobody of the group is left after `ask_to_end`."""
        return not self.is_alive and not any(map(_lives, self._group))

    def _members(self) -> list[psutil.Process]:
        if not self.is_alive:
            return []
        with suppress(psutil.Error):
            return [self.process, *self.process.children(recursive=True)]
        return []


def begin(words: Sequence[str], log: Path, events: Path, job_id: str | None = None) -> Child:
    """Start a job: its output goes to `log`, what it tells to `events`, so that both outlive us.

    With its id it is found again by `find`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    events.write_bytes(b"")
    with log.open("ab") as output:
        popen = subprocess.Popen(
            command_of(words),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment(**{EVENTS: str(events)}, **({JOB: job_id} if job_id else {})),
            start_new_session=True,
        )
    return Child(psutil.Process(popen.pid), popen)


def adopt(pid: int | None, started: float | None) -> Child | None:
    """The process with this number, if it is the one that was begun then."""
    if pid is None or started is None:
        return None
    with suppress(psutil.Error):
        child = Child(psutil.Process(pid))
        if abs(child.started - started) < SAME_START_SECONDS and child.is_alive:
            return child
    return None


def find(job_id: str) -> Child | None:
    """The process that carries out a job, by its environment.

    Its workers have the same; it is the one that leads the session, and began first.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            leads = os.getsid(process.pid) == process.pid
            if leads and process.environ().get(JOB) == job_id and _lives(process):
                found.append((process.create_time(), process))
    return Child(min(found)[1]) if found else None


def _lives(process: psutil.Process) -> bool:
    """The very process, and not only what is left of it until its parent asks."""
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
