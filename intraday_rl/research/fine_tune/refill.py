"""What the replay memory begins with: the loaded policy, played over the tuning sessions in order.

The policy plays as it explores, not by its mean: critics learn what an action is worth by
comparing it with others, and from one action per observation there is nothing to compare. Each
session starts with the initial equity, as in training; moments of the reward run on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.trading.accounts import Accounts
from intraday_rl.trading.kernel.layout import ENTRY
from intraday_rl.trading.ledger import ledger_frame
from intraday_rl.trading.problem import Problem

Explore = Callable[[NDArray[np.float32]], float]


@dataclass(frozen=True, slots=True)
class Refill:
    """One account's decisions: `transitions` as the replay memory stores them, and its ledger."""

    transitions: dict[str, NDArray[Any]]
    ledger: pd.DataFrame

    @property
    def decisions(self) -> int:
        return len(self.transitions["rewards"])


def refill(problem: Problem, explore: Explore, fold: str, seed: int) -> Refill:
    """Every decision of every session of a training problem, once, in calendar order."""
    total = int(problem.tape.sessions["decisions"][problem.eligible].sum())
    width = len(problem.names)
    seen, following = (np.zeros((total, width), np.float32) for _ in range(2))
    actions, rewards, dones = (np.zeros(total, np.float32) for _ in range(3))
    entries = np.zeros(total + problem.eligible.size, ENTRY)
    observation = np.zeros((1, width), np.float32)
    action, reward, terminated = np.zeros(1), np.zeros(1), np.zeros(1, np.bool_)
    accounts = Accounts(problem, 1)
    accounts.start([0])  # nothing is drawn: each session is the only one to draw from
    at = written = 0
    for session in problem.eligible:
        accounts.problem = replace(problem, eligible=np.array([session]))
        accounts.open_sessions()
        accounts.look(observation)
        terminated[0] = False
        while not terminated[0]:
            seen[at] = observation[0]
            actions[at] = action[0] = np.float32(explore(observation[0].copy()))
            accounts.step(action, observation, reward, terminated)
            following[at], rewards[at], dones[at] = observation[0], reward[0], terminated[0]
            entries[written] = accounts.entries[0, 0]
            at, written = at + 1, written + 1
        entries[written] = accounts.entries[0, 1]
        written += 1
    transitions = {
        "observations": seen,
        "next_observations": following,
        "actions": actions,
        "rewards": rewards,
        "dones": dones,
        "timeouts": np.zeros(total, np.float32),  # a session ends for good, never by a time limit
    }
    return Refill(transitions, ledger_frame(problem, entries[:written], fold, seed))
