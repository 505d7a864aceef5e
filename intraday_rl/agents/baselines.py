"""Agents that learn nothing: what a learned one has to beat on the same days and costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intraday_rl.agents.policy import Policy


@dataclass(slots=True, kw_only=True)
class Flat:
    """Never trades."""


@dataclass(slots=True, kw_only=True)
class Hold:
    """Fully long from the first decision of a session to the forced exit at the cutoff."""


@dataclass(slots=True, kw_only=True)
class Random:
    """Draws every target anew, uniformly over the action range."""


class FlatPolicy:
    """Aims for nothing."""

    def predict(self, observation: NDArray[np.float32]) -> float:
        """Zero, whatever is seen."""
        return 0.0

    def begin_session(self) -> None:
        """Nothing is kept."""


class HoldPolicy:
    """Aims for the whole position; the environment itself goes flat at the cutoff."""

    def predict(self, observation: NDArray[np.float32]) -> float:
        """One, whatever is seen."""
        return 1.0

    def begin_session(self) -> None:
        """Nothing is kept."""


class RandomPolicy:
    """Draws from the Generator it is handed, one number a decision."""

    __slots__ = ("_random",)

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random

    def predict(self, observation: NDArray[np.float32]) -> float:
        """The next uniform draw, whatever is seen."""
        return float(self._random.uniform(-1.0, 1.0))

    def begin_session(self) -> None:
        """The stream of draws runs on: sessions must not repeat each other."""


def baseline_policy(agent: Flat | Hold | Random, random: np.random.Generator) -> Policy:
    """The policy of a baseline's part; only `Random` draws from `random`."""
    if isinstance(agent, Flat):
        return FlatPolicy()
    if isinstance(agent, Hold):
        return HoldPolicy()
    return RandomPolicy(random)
