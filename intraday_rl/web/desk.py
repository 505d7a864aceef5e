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
from intraday_rl.tracking.registry_file import Registry, from_file
from intraday_rl.web.choices import Choices
from intraday_rl.web.precedence import Bundles, standing_words
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
    | `bundles` | what those of them stand for that stand for several, such as `preset=...` |
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
    bundles: Bundles = field(default_factory=dict)
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

    @property
    def registry(self) -> Registry:
        """What `registry.json` says; the server never asks MLflow itself."""
        return from_file(self.outputs) or Registry(None, {})

    def planned(self, words: Sequence[str]) -> Plan:
        """The plan of a job, checked as on a command line; Hydra composes one at a time."""
        with self.composing:
            return self.compose(words)

    def completed(self, words: Sequence[str]) -> tuple[str, ...]:
        """A job's words on top of those of the server's own that they leave standing."""
        own = standing_words(words, self.own_words, self.choices, self.bundles)
        return (*own, *words)
