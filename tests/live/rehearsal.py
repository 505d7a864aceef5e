"""A day that goes on in fast time: bars written as they end, and processes that live on it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from rehearse import growing

from intraday_rl.config import compose_plan
from intraday_rl.live.clock import ExchangeClock, clock_of
from intraday_rl.loading import load_market
from intraday_rl.tasks import Rehearsal
from tests.live.conftest import BARS, WINDOW

BAR = 15


@dataclass
class FastDay:
    """`start`: New York time at which it begins; each process that is begun shares the clock."""

    folder: Path
    outputs: Path
    state: Path
    day: date
    start: str
    speed: float
    anchor: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    @property
    def clock(self) -> ExchangeClock:
        return clock_of(Rehearsal(start=self.start, anchor=self.anchor, speed=self.speed))

    def clock_words(self) -> list[str]:
        return [
            f"task.clock.start='{self.start}'",
            f"task.clock.anchor='{self.anchor}'",
            f"task.clock.speed={self.speed}",
        ]

    def words(self, run_key: str) -> list[str]:
        """Of an agent's session on these bars; in fast time a process is slow: it may be late."""
        return [
            *BARS,
            "tracking=mlflow",
            "task=paper",
            f"task.model='{run_key}/{WINDOW}/seed=0'",
            "task.feed=file",
            f"task.feed_folder={self.folder}",
            f"task.feed_bar_minutes={BAR}",
            "task.feed_bar_label=start",
            f"task.bar_grace_seconds={2 * self.speed}",
            f"task.late_decision_seconds={3 * self.speed}",
            f"paths.outputs={self.outputs}",
            f"paths.state={self.state}",
        ]

    def begin(self, run_key: str, agent: str) -> subprocess.Popen[bytes]:
        words = [*self.words(run_key), f"task.agent={agent}", f"task.day='{self.day}'"]
        command = [sys.executable, "-m", "intraday_rl", *words, *self.clock_words()]
        with (self.folder / f"{agent}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    @contextmanager
    def writing(self) -> Iterator[threading.Thread]:
        """Symbol and benchmark grow line by line, each bar when it ends."""
        market = load_market(compose_plan([*BARS]))
        with growing(market, self.day, self.folder, self.clock) as thread:
            yield thread
