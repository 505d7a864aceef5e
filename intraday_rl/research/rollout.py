"""Walk a policy once through a split, in order: the code that judges every agent and baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.agents.policy import Policy
from intraday_rl.trading.accounts import Accounts
from intraday_rl.trading.kernel.layout import ENTRY
from intraday_rl.trading.ledger import ledger_frame
from intraday_rl.trading.problem import Problem


@dataclass(frozen=True, slots=True)
class Walk:
    """What one account did: its entries (n,) `ENTRY` in time order, and whether it was ruined."""

    problem: Problem
    entries: NDArray[np.void]
    ruined: bool

    def ledger(self, fold: str, seed: int) -> pd.DataFrame:
        """The walk as the ledger's columns."""
        return ledger_frame(self.problem, self.entries, fold, seed)

    def daily_returns(self) -> NDArray[np.float64]:
        """Net return of every session of the split; zero after ruin, when nothing is traded."""
        exits = self.entries[self.entries["forced_exit"]]
        equity = np.concatenate([[self.problem.book[0]["initial_equity"]], exits["equity_after"]])
        returns = np.zeros(self.problem.eligible.size)
        returns[: exits.size] = equity[1:] / equity[:-1] - 1.0
        return returns


def walk(problem: Problem, policy: Policy) -> Walk:
    """One new account through every session of a sequential problem; one observation at a time.

    A policy is asked with a single observation, never a batch: a batch rounds differently, and
    evaluation, replay and paper sessions must agree to the last bit.
    """
    if not problem.sequential:
        raise ValueError("a walk needs a sequential problem; training draws sessions at random")
    accounts = Accounts(problem, 1)
    accounts.start([0])
    total = int((problem.tape.sessions["decisions"][problem.eligible] + 1).sum())
    entries = np.zeros(total, ENTRY)
    observation = np.zeros((1, len(problem.names)), np.float32)
    action, reward = np.zeros(1), np.zeros(1)
    terminated = np.zeros(1, np.bool_)
    written = 0
    account = accounts.records[0]
    accounts.open_sessions()
    while not account["finished"]:
        policy.begin_session()
        accounts.look(observation)
        terminated[0] = False
        while not terminated[0]:
            action[0] = policy.predict(observation[0])
            accounts.step(action, observation, reward, terminated)
            entries[written] = accounts.entries[0, 0]
            written += 1
        entries[written] = accounts.entries[0, 1]
        written += 1
        accounts.open_sessions()
    return Walk(problem, entries[:written], bool(account["ruined"]))
