"""What the routes work with: the plan of the server, its jobs, and the ways to ask for more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intraday_rl.jobs.store import JobStore
from intraday_rl.plan import Plan
from intraday_rl.roster.store import Roster
from intraday_rl.tasks import Serve
from intraday_rl.web.choices import TOP, Choices
from intraday_rl.web.wire import Wire

MOST_DRY_RUNS = 2
MOST_STREAMS = 32


@dataclass(frozen=True, slots=True)
class Desk:
    """One server.

    | field | what |
    |---|---|
    | `plan` | of `task=serve`: paths, tracking and processes of every job come from it |
    | `own_words` | what the server was started with beside `task`: the defaults of every job |
    | `compose` | words -> the checked plan |
    | `survey` | every run under `paths.outputs` and how it stands |
    """

    plan: Plan
    own_words: Sequence[str]
    compose: Callable[[Sequence[str]], Plan]
    survey: Callable[[], Mapping[str, Any]]
    choices: Choices
    wire: Wire
    jobs: JobStore
    roster: Roster
    composing: threading.Lock = field(default_factory=threading.Lock)
    dry_runs: threading.Semaphore = field(
        default_factory=lambda: threading.Semaphore(MOST_DRY_RUNS)
    )
    streams: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MOST_STREAMS))

    @property
    def options(self) -> Serve:
        task = self.plan.task
        assert isinstance(task, Serve)
        return task

    @property
    def outputs(self) -> Path:
        return Path(self.plan.paths.outputs)

    def planned(self, words: Sequence[str]) -> Plan:
        """The plan of a job, checked as on a command line; Hydra composes one at a time."""
        with self.composing:
            return self.compose(words)

    def completed(self, words: Sequence[str]) -> tuple[str, ...]:
        """A job's words on top of the server's own.

        What the server says about an option would not fit a job that chooses another one.
        """
        chosen = dict(word.split("=", 1) for word in words if _is_choice(word))
        own = [
            word
            for word in self.own_words
            if not any(self._is_replaced(word, group, one) for group, one in chosen.items())
        ]
        return (*own, *words)

    def _is_replaced(self, word: str, group: str, option: str) -> bool:
        """Said again, or said of another option than the job's."""
        key = word.partition("=")[0].lstrip("+~")
        known = self.choices.groups.get(group)
        differs = known is None or known["default"] != option
        return key == group or (differs and key.startswith(f"{group.replace('/', '.')}."))


def _is_choice(word: str) -> bool:
    """`group=option`; a value's key has a dot, or lies at the top."""
    key = word.partition("=")[0]
    return "." not in key and key not in TOP
