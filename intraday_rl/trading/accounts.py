"""N accounts in one problem: the arrays behind both Gymnasium environments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intraday_rl.errors import DataError
from intraday_rl.trading.kernel.filled import walk_filled
from intraday_rl.trading.kernel.layout import ACCOUNT, ENTRY
from intraday_rl.trading.kernel.step import look, open_sessions, start_accounts, step_accounts
from intraday_rl.trading.problem import Problem


class Accounts:
    """State of `count` accounts and their last ledger entries, stepped together.

    `entries` is (count, 2) `ENTRY`: the decision, and the exit where the session ended with it.
    """

    def __init__(self, problem: Problem, count: int) -> None:
        if problem.eligible.size == 0:
            raise DataError("no session to play: the window is empty after warm-up; widen it")
        self.problem = problem
        self.records = np.zeros(count, ACCOUNT)
        self.entries = np.zeros((count, 2), ENTRY)
        self.entries["row"] = -1
        self._all = np.ones(count, np.bool_)

    def start(self, seeds: Sequence[int]) -> None:
        """New accounts (initial equity, moments of the hold), one seed each; no session is open."""
        states = [np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] for seed in seeds]
        start_accounts(self.problem.book, self.records, np.array(states, np.uint64))

    def open_sessions(self, wanted: NDArray[np.bool_] | None = None) -> None:
        """Open the next session of the accounts in the mask (all by default)."""
        mask = self._all if wanted is None else wanted
        open_sessions(self.problem.book, self.records, self.problem.eligible, mask)

    def look(self, observations: NDArray[np.float32]) -> None:
        """Write the present observation of every account."""
        tape = self.problem.tape
        look(
            self.problem.book,
            self.records,
            tape.sessions,
            tape.rows,
            self.problem.market,
            observations,
        )

    def step(
        self,
        actions: NDArray[np.float64],
        observations: NDArray[np.float32],
        rewards: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> int:
        """One decision of every account into the given arrays; returns how many sessions ended.

        An action that is not finite raises ValueError before any account moves.
        """
        tape = self.problem.tape
        ended: int = step_accounts(
            self.problem.book,
            self.records,
            self.entries,
            tape.sessions,
            tape.rows,
            self.problem.market,
            actions,
            observations,
            rewards,
            terminated,
        )
        if ended < 0:
            broken = -1 - ended
            raise ValueError(f"action[{broken}]={actions[broken]}: must be a finite number")
        return ended

    def walk_filled(
        self,
        entries: NDArray[np.void],
        actions: NDArray[np.float64],
        traded: NDArray[np.float64],
        paid: NDArray[np.float64],
        *,
        leaves: bool,
    ) -> None:
        """The first account through its open session as its orders were really filled.

        Shapes and meaning as of `kernel.filled.walk_filled`.
        """
        tape = self.problem.tape
        walk_filled(
            self.problem.book,
            tape.sessions,
            self.records,
            entries,
            tape.rows,
            actions,
            traded,
            paid,
            leaves,
        )
