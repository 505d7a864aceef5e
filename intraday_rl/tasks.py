"""The options of each task; what a task does is in the room that carries it out."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

from intraday_rl.errors import ConfigError, check_range
from intraday_rl.market.offsets import parse_date

# MLflow takes v3 for a version; a number is one to us.
ALIAS = re.compile(r"(?![vV]?\d+$)[A-Za-z0-9_-]{1,100}")


@dataclass(slots=True, kw_only=True)
class WalkForward:
    """Train, choose and test once on every fold and seed."""


@dataclass(slots=True, kw_only=True)
class FinalFit:
    """Train on everything up to a date, without a test.

    | field | what |
    |---|---|
    | `until` | last train day, validation span included; the dates of `windows` are ignored |
    """

    until: str = "???"

    def __post_init__(self) -> None:
        if self.until != "???":
            parse_day("until", self.until)


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
    | `days`, `sessions` | calendar days, sessions | tuning; one of them, the other null |
    | `holdout_sessions` | sessions | the last ones, which judge; tuning ends before them |
    | `timesteps` | decisions | of training, beside the refill of the replay memory |
    | `learning_rate` | per update | constant; null = the model's |
    | `reset_optimiser`, `reset_entropy` | | begin Adam's moments, the temperature, anew |
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
    | `model` | | as of `FineTune`; it must not have seen the test span |
    | `start`, `end` | ISO date | the test span, both included |
    | `cadence` | | before every week or month of it |

    The other fields are those of `FineTune`, with its gate on.
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


@dataclass(slots=True, kw_only=True)
class Promote:
    """Move an alias to a registered model's version; also back.

    | field | what |
    |---|---|
    | `model` | number of the version, or whatever else names a registered bundle |
    | `alias` | the alias that is moved |
    | `reason` | kept beside the change |
    """

    model: str = "???"
    alias: str = "champion"
    reason: str = "by hand"

    def __post_init__(self) -> None:
        if self.alias.lower() == "latest" or not ALIAS.fullmatch(self.alias):
            remedy = (
                "must be a name of letters, digits, - and _, such as champion; numbers are "
                "versions, and latest is always the newest version, never an alias"
            )
            raise ConfigError("alias", self.alias, remedy)


@dataclass(slots=True, kw_only=True)
class CostSurface:
    """Replay a finished run under other costs; the policy stays as it was trained.

    | field | unit |
    |---|---|
    | `run` | key (or its beginning) or folder of the run |
    | `slippage_bps` | bps a side, in place of the trained slippage |
    | `commission_scales` | multiples of the trained commission |
    | `impact_coefficients` | Y of the square-root law; 0 alone where volume is unknown |
    """

    run: str = "???"
    slippage_bps: list[float] = field(default_factory=lambda: [i / 4 for i in range(41)])
    commission_scales: list[float] = field(default_factory=lambda: [i / 5 for i in range(11)])
    impact_coefficients: list[float] = field(default_factory=lambda: [0.0, 0.25, 0.5, 0.75, 1.0])

    def __post_init__(self) -> None:
        for key in ("slippage_bps", "commission_scales", "impact_coefficients"):
            if not getattr(self, key):
                raise ConfigError(key, [], "needs at least one value")
            for value in getattr(self, key):
                check_range(key, value, 0.0, 1_000.0)


@dataclass(slots=True, kw_only=True)
class Audit:
    """Prove by perturbation that no number of a finished run looks ahead.

    | field | unit |
    |---|---|
    | `run` | key (or its beginning) or folder of the run |
    | `samples` | times drawn in each split of each fold, beside half days and clock changes |
    | `seed` | of the times and of the scrambled prices |
    """

    run: str = "???"
    samples: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("samples", self.samples, 1, 100_000)
        check_range("seed", self.seed, 0, 2**32 - 1)


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What the winner of everything that was tried is worth.

    | field | what |
    |---|---|
    | `sweep` | one or a list: folder, id (or its beginning) under `paths.outputs/sweeps`, or a |
    |         | tag `name=value` of the runs under `paths.outputs`, such as `symbol=SPY` |
    | `runs` | keys (or their beginnings) or folders of further runs |
    """

    sweep: Any = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        named = self.sweep if isinstance(self.sweep, list) else [self.sweep]
        # An id begins with its date, which a command line reads as a number.
        named = [str(one) if type(one) is int else one for one in named]
        if not all(isinstance(one, str) and one for one in named):
            remedy = "must be a folder, an id, a tag or a list of them"
            raise ConfigError("sweep", self.sweep, remedy)
        self.sweep = named


@dataclass(slots=True, kw_only=True)
class Status:
    """Show what lies under `paths.outputs`: finished, running, failed, left behind; its size."""


@dataclass(slots=True, kw_only=True)
class Clean:
    """Remove what no finished or running work needs.

    | field | unit | |
    |---|---|---|
    | `apply` | | false: only say what would go |
    | `older_than_days` | days | unfinished runs and feature tables untouched for so long may go |
    """

    apply: bool = False
    older_than_days: float = 30.0

    def __post_init__(self) -> None:
        check_range("older_than_days", self.older_than_days, 0.0, 36_500.0)


def parse_day(key: str, value: str) -> dt.date:
    """An ISO date from a configuration value."""
    return parse_date(key, value)
