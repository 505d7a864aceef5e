"""Many accounts as a native Gymnasium vector environment: one compiled call a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from intraday_rl.trading.accounts import Accounts
from intraday_rl.trading.problem import Problem


class TradingVectorEnv(VectorEnv[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]):
    """`TradingEnv` for `num_envs` accounts, account i seeded with seed + i.

    A session that ends is followed by the next one in the same step (`SAME_STEP`): the returned
    observation belongs to the new session, the last one of the old is `infos["final_obs"]`.
    Observations are fresh arrays that a caller may keep. In a sequential problem an account
    whose walk is over stands still: no reward, `terminated` stays true. `ledger_entries()` gives
    what happened in the last step in place of per-account infos.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}  # noqa: RUF012

    def __init__(self, problem: Problem, num_envs: int) -> None:
        self.problem = problem
        self.num_envs = num_envs
        self.observation_names = problem.names
        width = len(problem.names)
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (width,), np.float32)
        self.single_action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.accounts = Accounts(problem, num_envs)
        self._started = False

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Open the next session of every account; with `seed`, start new accounts first."""
        super().reset(seed=seed if isinstance(seed, int) else None)
        seeds = self._seeds(seed)
        if seeds is not None:
            self.accounts.start(seeds)
            self._started = True
        self.accounts.open_sessions()
        if self.accounts.records["finished"].all():
            raise gym.error.ResetNeeded(
                "every session of this split has been walked; reset(seed=...) starts new accounts"
            )
        observations = np.empty((self.num_envs, len(self.observation_names)), np.float32)
        self.accounts.look(observations)
        return observations, {}

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[
        NDArray[np.float32],
        NDArray[np.float64],
        NDArray[np.bool_],
        NDArray[np.bool_],
        dict[str, Any],
    ]:
        """Carry out one decision of every account."""
        chosen = np.asarray(actions, np.float64).reshape(self.num_envs)
        observations = np.empty((self.num_envs, len(self.observation_names)), np.float32)
        rewards = np.empty(self.num_envs, np.float64)
        terminated = np.empty(self.num_envs, np.bool_)
        ended = self.accounts.step(chosen, observations, rewards, terminated)
        infos = self._begin_next(observations, terminated) if ended else {}
        return observations, rewards, terminated, np.zeros(self.num_envs, np.bool_), infos

    def ledger_entries(self) -> NDArray[np.void]:
        """(num_envs, 2) `ENTRY` of the last step: decision, and exit where `row` is not −1."""
        return self.accounts.entries

    def state(self) -> dict[str, NDArray[Any]]:
        """Where every account stands, its random state included."""
        return {"records": self.accounts.records, "entries": self.accounts.entries}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Stand where `state` was taken; in the same problem every later step is the same."""
        self.accounts.records[:] = state["records"]
        self.accounts.entries[:] = state["entries"]
        self._started = True

    def _begin_next(
        self, observations: NDArray[np.float32], terminated: NDArray[np.bool_]
    ) -> dict[str, Any]:
        final = np.full(self.num_envs, None, object)
        ended = np.flatnonzero(terminated)
        final[ended] = np.fromiter(observations[ended], object, ended.size)
        self.accounts.open_sessions(terminated)
        self.accounts.look(observations)
        return {"final_obs": final, "_final_obs": terminated.copy()}

    def _seeds(self, seed: int | list[int | None] | None) -> list[int] | None:
        if isinstance(seed, list):
            return [int(self.np_random.integers(2**32)) if one is None else one for one in seed]
        if seed is None and self._started:
            return None
        first = int(self.np_random.integers(2**32)) if seed is None else seed
        return [first + i for i in range(self.num_envs)]
