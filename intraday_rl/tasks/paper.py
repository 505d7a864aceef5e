"""Options of the task that plays sessions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from intraday_rl.errors import ConfigError, check_range
from intraday_rl.tasks.days import parse_day


class FeedKind(Enum):
    """Where a session's bars come from."""

    replay = "replay"  # the bars of `data`, given out as if they came in


@dataclass(slots=True, kw_only=True)
class Paper:
    """Play a past session bar by bar, as if it came in, and compare it with the backtest.

    | field | unit | |
    |---|---|---|
    | `model` | | as of `FineTune`; of a fold, `<run>/<window>/seed=<n>` |
    | `feed` | | where the bars come from |
    | `day` | ISO date | the session |
    | `speed` | multiple | of real time; null = as fast as it goes |
    """

    model: str = "???"
    feed: FeedKind = FeedKind.replay
    day: str = "???"
    speed: float | None = None

    def __post_init__(self) -> None:
        if not self.model.strip() or not self.model.isprintable():
            raise ConfigError("model", repr(self.model), "name a model: latest, a version, a run")
        if self.day != "???":
            parse_day("day", self.day)
        if self.speed is not None:
            check_range("speed", self.speed, 0.0, 1e6, low_open=True)
