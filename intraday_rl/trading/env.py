"""One account as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from intraday_rl.trading.accounts import Accounts
from intraday_rl.trading.ledger import entry_fields
from intraday_rl.trading.problem import Problem


class TradingEnv(gym.Env[NDArray[np.float32], NDArray[np.float32]]):
    """Trade one symbol through whole sessions, flat at every cutoff.

    ## Action space
    `Box(-1, 1, (1,))`: what the number means is the action map's business (target or long/flat).

    ## Observation space
    `Box(-inf, inf, (n,), float32)`: `observation_names` in order. All of it is known at the end
    of bar k; the order fills afterwards.

    ## Reward
    Net of every cost. The reward of a decision covers the time to the next fill; the last one of
    a session also covers the exit.

    ## Episodes
    One session each. Training draws sessions at random with replacement and starts each with the
    initial equity. In a sequential problem sessions come once, in order, and equity compounds;
    after the last one (or after ruin) `info["finished"]` is true and `reset()` raises until
    `reset(seed=...)` starts a new account. A plain `reset()` carries the reward's moments on.

    ## Info
    The ledger fields of the step, and under `exit` those of the exit if the session ended.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium's own interface

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.observation_names = problem.names
        self.observation_space = spaces.Box(-np.inf, np.inf, (len(problem.names),), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.accounts = Accounts(problem, 1)
        self._observation = np.zeros((1, len(problem.names)), np.float32)
        self._action = np.zeros(1, np.float64)
        self._reward = np.zeros(1, np.float64)
        self._terminated = np.zeros(1, np.bool_)
        self._started = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Open the next session; with `seed`, start a new account first."""
        super().reset(seed=seed)
        if seed is not None or not self._started:
            chosen = int(self.np_random.integers(2**32)) if seed is None else seed
            self.accounts.start([chosen])
            self._started = True
        self.accounts.open_sessions()
        if self.accounts.records[0]["finished"]:
            raise gym.error.ResetNeeded(
                "every session of this split has been walked; reset(seed=...) starts a new account"
            )
        self.accounts.look(self._observation)
        return self._observation[0].copy(), {"session": self._session()}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Carry out one decision."""
        self._action[0] = np.asarray(action).reshape(-1)[0]
        self.accounts.step(self._action, self._observation, self._reward, self._terminated)
        terminated = bool(self._terminated[0])
        decision, leave = self.accounts.entries[0]
        info = entry_fields(self.problem, decision)
        if terminated:
            info["exit"] = entry_fields(self.problem, leave)
            info["finished"] = self.finished
        return self._observation[0].copy(), float(self._reward[0]), terminated, False, info

    @property
    def finished(self) -> bool:
        """True when a sequential walk has no session left."""
        account = self.accounts.records[0]
        walked = account["draw"] == self.problem.eligible.size
        ruined = account["equity"] < self.problem.book[0]["ruin_equity"]
        return bool(self.problem.sequential and (walked or ruined))

    def _session(self) -> str:
        return str(self.problem.tape.dates[self.accounts.records[0]["session"]])
