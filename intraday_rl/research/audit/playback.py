"""The run's own pipeline on other bars: the same functions, the same policies."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl import dataset as pipeline
from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.agents.policy import Policy
from intraday_rl.dataset import Dataset
from intraday_rl.market.sources import MarketData
from intraday_rl.plan import Plan
from intraday_rl.research import rollout
from intraday_rl.research.audit.knowledge import Numbers, walk_numbers
from intraday_rl.research.rollout import Walk
from intraday_rl.trading.problem import Problem

READER_SEED = 5


class Reader:
    """A policy whose action depends on every number it sees, so that nothing it sees is idle."""

    def __init__(self, width: int) -> None:
        random = np.random.default_rng(READER_SEED)
        self.weights = random.normal(size=width) / np.sqrt(width)

    def predict(self, observation: NDArray[np.float32]) -> float:
        """A squashed weighted sum."""
        return float(np.tanh(observation.astype(np.float64) @ self.weights))

    def begin_session(self) -> None:
        """Nothing is kept."""


class Recorded:
    """Plays the actions a ledger recorded: for an agent whose draws are not in its bundle."""

    def __init__(self, actions: NDArray[np.float64]) -> None:
        self._actions = actions
        self._next = 0

    def predict(self, observation: NDArray[np.float32]) -> float:
        """The next recorded action, whatever is seen; flat where the record of a ruin ends."""
        at, self._next = self._next, self._next + 1
        return float(self._actions[at]) if at < self._actions.size else 0.0

    def begin_session(self) -> None:
        """The record runs on."""


@dataclass(slots=True)
class Player:
    """A policy under audit; each walk gets a fresh copy of it.

    A network answers the same observation with the same action, so its answers are kept: nearly
    all observations of two walks are equal, and asking it is what takes the time.
    """

    name: str
    policy: Policy
    answers: dict[bytes, float] = field(default_factory=dict)

    def fresh(self) -> Policy:
        """The policy as it was before its first decision."""
        if isinstance(self.policy, ActorPolicy):
            return _Answering(self.policy, self.answers)
        return copy.deepcopy(self.policy)


class _Answering:
    def __init__(self, policy: Policy, answers: dict[bytes, float]) -> None:
        self._policy, self._answers = policy, answers

    def predict(self, observation: NDArray[np.float32]) -> float:
        key = observation.tobytes()
        if key not in self._answers:
            self._answers[key] = self._policy.predict(observation)
        return self._answers[key]

    def begin_session(self) -> None:
        self._policy.begin_session()


class _Seen:
    """Keeps what its policy was shown."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.observations: list[NDArray[np.float32]] = []

    def predict(self, observation: NDArray[np.float32]) -> float:
        self.observations.append(observation.copy())
        return self.policy.predict(observation)

    def begin_session(self) -> None:
        self.policy.begin_session()


@dataclass(frozen=True, slots=True)
class Played:
    """One walk, and all its numbers with the instants from which they may be known."""

    walk: Walk
    numbers: list[Numbers]


def open_market(plan: Plan, market: MarketData) -> Dataset:
    """The run's dataset on other bars; the feature cache of the run is neither read nor filled."""
    with tempfile.TemporaryDirectory(prefix="intraday_rl_audit_") as folder:
        paths = replace(plan.paths, outputs=folder)
        return pipeline.open_dataset(replace(plan, paths=paths), market)


def play(dataset: Dataset, problem: Problem, player: Player, sessions: int) -> Played:
    """Walk the first `sessions` sessions of a problem."""
    seen = _Seen(player.fresh())
    shortened = replace(problem, eligible=problem.eligible[:sessions])
    walk = rollout.walk(shortened, seen)
    return Played(walk, walk_numbers(dataset, walk, np.array(seen.observations)))


def ledger_difference(played: Played, recorded: pd.DataFrame, fold: str, seed: int) -> str | None:
    """Where a walk and a recorded ledger of the same fold and seed differ, in words."""
    walked = played.walk.ledger(fold, seed)
    if len(walked) != len(recorded):
        return f"{len(walked)} rows walked, {len(recorded)} recorded"
    for name in walked.columns:
        if walked[name].dtype.kind not in "fib":
            continue
        ours, theirs = walked[name].to_numpy(float), recorded[name].to_numpy(float)
        differs = ~((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))
        if differs.any():
            row = int(differs.argmax())
            return (
                f"{name} at {recorded['bar_end'].iloc[row]:%Y-%m-%d %H:%M} UTC: walked "
                f"{float(ours[row])}, recorded {float(theirs[row])}; bars or code are not the run's"
            )
    return None
