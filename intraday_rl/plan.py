"""The composed configuration as one typed object: what is run, on what, judged how."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from intraday_rl.agents.soft_actor_critic import SoftActorCritic
from intraday_rl.errors import ConfigError, check_range
from intraday_rl.market.features import Features
from intraday_rl.trading.environment import Environment
from intraday_rl.trading.observation import AccountColumn
from intraday_rl.trading.rewards import has_moments

# What exchanges and vendors use: BRK.B, ^GSPC, ES=F. It becomes part of tags and titles.
TICKER = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=_-]{0,31}")
FEWEST_TO_ABSTAIN_BY = 20  # validation sessions; half of them give the interval
LARGEST_SEED = 2**32 - 1


class Format(Enum):
    """How a dry run prints."""

    text = "text"
    json = "json"


def usable_cores() -> int:
    """Cores this process may run on; not every system says, then those of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(slots=True, kw_only=True)
class Parallel:
    """How many fits are under way at a time.

    | field | unit | |
    |---|---|---|
    | `workers` | processes | that train folds and seeds; null = the cores of this machine |
    """

    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None:
            check_range("workers", self.workers, 1, 1024)

    def resolved(self, jobs: int) -> int:
        """Worker processes for `jobs` independent fits."""
        return max(1, min(jobs, self.workers or usable_cores()))


@dataclass(slots=True, kw_only=True)
class CheckpointSchedule:
    """When a fit under way is written down.

    | field | unit | |
    |---|---|---|
    | `every` | decisions | between two checkpoints; null = only when stopped |
    """

    every: int | None = 50_000

    def __post_init__(self) -> None:
        if self.every is not None:
            check_range("every", self.every, 1)


@dataclass(slots=True, kw_only=True)
class Paths:
    """Where files lie.

    | field | unit | |
    |---|---|---|
    | `outputs` | | folder of what runs write; may be deleted |
    | `state` | | folder of what must not be deleted; null = one for each user |
    """

    outputs: str = "outputs"
    state: str | None = None

    def __post_init__(self) -> None:
        self.outputs = _folder("outputs", self.outputs)
        if self.state is not None:
            self.state = _folder("state", self.state)


@dataclass(slots=True, kw_only=True)
class Gates:
    """Bounds a fold's test result is marked against; they mark, they never hide.

    | field | unit |
    |---|---|
    | `min_trades` | round trips in the test, mean over seeds |
    | `min_sharpe` | annualised net daily Sharpe of the test |
    | `max_drawdown` | fraction of the peak equity in the test |
    """

    min_trades: int | None = None
    min_sharpe: float | None = None
    max_drawdown: float | None = None

    def __post_init__(self) -> None:
        if self.min_trades is not None:
            check_range("min_trades", self.min_trades, 0)
        if self.min_sharpe is not None:
            check_range("min_sharpe", self.min_sharpe)
        if self.max_drawdown is not None:
            check_range("max_drawdown", self.max_drawdown, 0.0, 1.0)


@dataclass(slots=True, kw_only=True)
class Selection:
    """What a policy must show before it may trade.

    | field | what |
    |---|---|
    | `abstain` | without a proven advantage in validation a learned policy stays flat |
    """

    abstain: bool = True


@dataclass(slots=True, kw_only=True)
class Registry:
    """What becomes of trained agents.

    | field | unit | |
    |---|---|---|
    | `register` | | each becomes a version of a registered model |
    | `expires_after_days` | days | from registration, after which use is warned of; null = never |
    """

    register: bool = True
    expires_after_days: int | None = 30

    def __post_init__(self) -> None:
        if self.expires_after_days is not None:
            check_range("expires_after_days", self.expires_after_days, 1, 36_500)


@dataclass(slots=True, kw_only=True)
class Plan:
    """One job, every choice made. Units and meaning of the rest stand at the parts themselves.

    | field | what |
    |---|---|
    | `symbol` | what is traded |
    | `benchmark` | the second series of the features; null = the plain fund of a leveraged one |
    | `seeds` | one training per fold and seed |
    | `dry_run` | only say what would be done |
    | `format` | of the dry run |
    | `force` | train again what is finished |
    | `fail_fast` | after the first failure end the others |
    """

    symbol: str = "TQQQ"
    benchmark: str | None = None
    seeds: list[int] = field(default_factory=lambda: [0])
    dry_run: bool = False
    format: Format = Format.text
    force: bool = False
    fail_fast: bool = False
    task: Any = "???"
    data: Any = "???"
    features: Features = field(default_factory=Features)
    env: Environment = field(default_factory=Environment)
    reward: Any = "???"
    agent: Any = "???"
    windows: Any = "???"
    selection: Selection = field(default_factory=Selection)
    gates: Gates = field(default_factory=Gates)
    parallel: Parallel = field(default_factory=Parallel)
    checkpoints: CheckpointSchedule = field(default_factory=CheckpointSchedule)
    registry: Registry = field(default_factory=Registry)
    paths: Paths = field(default_factory=Paths)
    tracking: Any = "???"

    def __post_init__(self) -> None:
        distinct = len(set(self.seeds)) == len(self.seeds) > 0
        if not distinct or not 0 <= min(self.seeds) <= max(self.seeds) <= LARGEST_SEED:
            remedy = f"must be distinct whole numbers from 0 to {LARGEST_SEED}"
            raise ConfigError("seeds", self.seeds, remedy)
        for key in ("symbol", "benchmark"):
            name = getattr(self, key)
            if name is not None and not TICKER.fullmatch(name):
                raise ConfigError(key, repr(name), "must be a ticker such as TQQQ or BRK.B")
            if name is not None:  # spy and SPY are one symbol, whose test days are counted together
                setattr(self, key, name.upper())
        self._check_abstention()

    def _check_abstention(self) -> None:
        """Below some sessions nothing can be proven, and a learned agent would never trade."""
        validation = getattr(self.windows, "validation_sessions", FEWEST_TO_ABSTAIN_BY)
        judged = isinstance(self.agent, SoftActorCritic) and self.selection.abstain
        if judged and validation < FEWEST_TO_ABSTAIN_BY:
            raise ConfigError(
                "windows.validation_sessions",
                validation,
                f"must be at least {FEWEST_TO_ABSTAIN_BY} for abstention to decide anything; "
                "or set selection.abstain=false",
            )

    def observed_account(self) -> tuple[AccountColumn, ...]:
        """Account state in the observation; moments only under a reward that has them."""
        wanted = {
            AccountColumn.position: self.features.account_position,
            AccountColumn.unrealised_return: self.features.account_unrealised_return,
            AccountColumn.minutes_held: self.features.account_minutes_held,
            AccountColumn.reward_moments: self.features.account_reward_moments
            and has_moments(self.reward),
        }
        return tuple(column for column, chosen in wanted.items() if chosen)


def _folder(key: str, value: str) -> str:
    """The folder with `~` spelled out; an empty name would be the current folder."""
    if not value.strip() or not value.isprintable():
        raise ConfigError(key, repr(value), "must name a folder")
    try:
        return str(Path(value).expanduser())
    except RuntimeError:
        raise ConfigError(key, value, "names a user without a home; give a full path") from None
