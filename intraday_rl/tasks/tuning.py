"""Options of the tasks that go on with a trained agent."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

from intraday_rl.errors import ConfigError, check_range
from intraday_rl.tasks.days import parse_day


class Promotion(Enum):
    """When a fine-tuned model becomes champion."""

    never = "never"
    gate = "gate"
    always = "always"


@dataclass(slots=True, kw_only=True)
class FineTune:
    """Train a model further on the most recent days, and compare it with what it came from.

    | field | unit | |
    |---|---|---|
    | `model` | | latest, champion, a version, a run key, `<run>/<window>/seed=<n>`, a bundle |
    | `days` | calendar days | of tuning, before the held-out sessions; null with `sessions` |
    | `sessions` | sessions | of tuning, in place of `days` |
    | `holdout_sessions` | sessions | the last ones, which judge; tuning ends before them |
    | `timesteps` | decisions | of training, beside the refill of the replay memory |
    | `learning_rate` | per update | constant; null = the model's |
    | `reset_optimiser` | | Adam's moments of actor and critics begin anew |
    | `reset_entropy` | | the learned temperature begins anew |
    | `margin_bps_per_day` | bps | how much worse may not be excluded |
    | `promote` | | whether the gate's finding moves the alias `champion` |
    | `seed` | | of refill, training and bootstrap |
    """

    model: str = "latest"
    days: int | None = 30
    sessions: int | None = None
    holdout_sessions: int = 20
    timesteps: int = 10_000
    learning_rate: float | None = None
    reset_optimiser: bool = False
    reset_entropy: bool = False
    margin_bps_per_day: float = 5.0
    promote: Promotion = Promotion.gate
    seed: int = 0

    def __post_init__(self) -> None:
        _check_model(self.model)
        _check_tuning(self.days, self.sessions)
        check_range("holdout_sessions", self.holdout_sessions, 1, 10_000)
        check_range("timesteps", self.timesteps, 0, 1_000_000_000)
        if self.learning_rate is not None:
            check_range("learning_rate", self.learning_rate, 0.0, 1.0, low_open=True)
        check_range("margin_bps_per_day", self.margin_bps_per_day, 0.0, 1_000.0)
        check_range("seed", self.seed, 0, 2**32 - 1)


class Cadence(Enum):
    """How often a study fine-tunes."""

    weekly = "weekly"
    monthly = "monthly"


@dataclass(slots=True, kw_only=True)
class FineTuneStudy:
    """Fine-tune regularly through a test span, and compare with the model left as it was.

    | field | unit | |
    |---|---|---|
    | `model` | | which one, as of `FineTune`; it must not have seen the test span |
    | `start` | ISO date | first day of the test span |
    | `end` | ISO date | last day of the test span, included |
    | `cadence` | | before every week or month of it |
    | `days` | calendar days | of each tuning, before its held-out sessions; null with `sessions` |
    | `sessions` | sessions | of each tuning, in place of `days` |
    | `holdout_sessions` | sessions | the last ones before a period, which judge its model |
    | `timesteps` | decisions | of each training, beside the refill of the replay memory |
    | `learning_rate` | per update | constant; null = the model's |
    | `reset_optimiser` | | Adam's moments of actor and critics begin anew each time |
    | `reset_entropy` | | the learned temperature begins anew each time |
    | `margin_bps_per_day` | bps | how much worse may not be excluded, or the old model stays |
    | `seed` | | of refill, training and bootstrap |
    """

    model: str = "latest"
    start: str = "???"
    end: str = "???"
    cadence: Cadence = Cadence.weekly
    days: int | None = 30
    sessions: int | None = None
    holdout_sessions: int = 20
    timesteps: int = 10_000
    learning_rate: float | None = None
    reset_optimiser: bool = False
    reset_entropy: bool = False
    margin_bps_per_day: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        for key in ("start", "end"):
            if getattr(self, key) != "???":
                parse_day(key, getattr(self, key))
        shared = {
            entry.name: getattr(self, entry.name)
            for entry in fields(self)
            if entry.name not in ("start", "end", "cadence")
        }
        FineTune(**shared)


def _check_model(model: str) -> None:
    if not model.strip() or not model.isprintable():
        remedy = "must be latest, champion, a version, a run key or the folder of a bundle"
        raise ConfigError("model", repr(model), remedy)


def _check_tuning(days: int | None, sessions: int | None) -> None:
    """The tuning span is named in exactly one unit."""
    if (days is None) == (sessions is None):
        remedy = "name the tuning span by one of task.days and task.sessions, the other null"
        raise ConfigError("sessions", sessions, remedy)
    if days is not None:
        check_range("days", days, 1, 36_500)
    if sessions is not None:
        check_range("sessions", sessions, 1, 10_000)
