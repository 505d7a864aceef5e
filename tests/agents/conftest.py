"""A world whose answer is known: the right action is the sign that is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, VectorEnv

from intraday_rl.agents.sac import Sac

N_OBS = 4
SESSION_STEPS = 6


class SignEnvironment(VectorEnv[Any, Any, Any]):
    """Reward = action x shown sign; observation = sign, step, session number, account number.

    It hands out one buffer again and again, as a fast environment may.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, num_envs: int = 8, *, truncates: bool = False) -> None:
        self.num_envs = num_envs
        self.single_observation_space = gym.spaces.Box(-10.0, 1e6, (N_OBS,), np.float32)
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.observation_space = gym.vector.utils.batch_space(
            self.single_observation_space, num_envs
        )
        self.action_space = gym.vector.utils.batch_space(self.single_action_space, num_envs)
        self.truncates = truncates
        self.steps_taken = 0
        self.seeds: list[int | None] = []
        self.nan_in: str | None = None
        self.nan_after = 0
        self._buffer = np.zeros((num_envs, N_OBS), dtype=np.float32)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        assert seed is None or isinstance(seed, int)
        self.seeds.append(seed)
        if seed is not None or len(self.seeds) == 1:
            self._random = np.random.default_rng(seed)
        self._step, self._session = 0, 0
        self._show()
        return self._buffer, {}

    def _show(self) -> None:
        self._buffer[:, 0] = self._random.choice([-1.0, 1.0], self.num_envs)
        self._buffer[:, 1] = self._step
        self._buffer[:, 2] = self._session
        self._buffer[:, 3] = np.arange(self.num_envs)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        rewards = actions[:, 0].astype(np.float64) * self._buffer[:, 0]
        self.steps_taken += 1
        self._step += 1
        self._show()
        infos: dict[str, Any] = {}
        ended = self._step == SESSION_STEPS
        if ended:
            infos["final_obs"] = self._buffer.copy()
            infos["_final_obs"] = np.ones(self.num_envs, dtype=np.bool_)
            self._step, self._session = 0, self._session + 1
            self._show()
        if self.steps_taken > self.nan_after:
            if self.nan_in == "observation":
                self._buffer[2, 1] = np.nan
            elif self.nan_in == "reward":
                rewards[3] = np.inf
            elif self.nan_in == "final observation" and ended:
                infos["final_obs"][1, 0] = np.nan
        flags = np.full(self.num_envs, ended)
        none = np.zeros(self.num_envs, dtype=np.bool_)
        terminated, truncated = (none, flags) if self.truncates else (flags, none)
        return self._buffer, rewards, terminated, truncated, infos


@pytest.fixture(scope="session")
def make_environment() -> Callable[..., SignEnvironment]:
    return SignEnvironment


@pytest.fixture
def make_sac() -> Callable[..., Sac]:
    """A learner's part that is over in a moment."""

    def make(**changes: Any) -> Sac:
        small: dict[str, Any] = {
            "learning_rate": 3e-3,
            "buffer_size": 4_000,
            "batch_size": 64,
            "gamma": 0.5,
            "learning_starts": 160,
            "net_arch": [32, 32],
            "total_timesteps": 400,
            "eval_freq": 200,
            "n_envs": 8,
        }
        return Sac(**(small | changes))

    return make


@pytest.fixture
def make_learner(
    make_environment: Callable[..., SignEnvironment], make_sac: Callable[..., Sac], tmp_path: Path
) -> Callable[..., Any]:
    def make(
        seed: int = 0,
        environment: SignEnvironment | None = None,
        algorithm: Any = None,
        **changes: Any,
    ) -> Any:
        from intraday_rl.agents.sac_torch import SacLearner

        sac = make_sac(**changes)
        return SacLearner(
            sac,
            environment or make_environment(sac.n_envs),
            np.random.default_rng(seed),
            failure_folder=tmp_path / "failure",
            reward_scale=1.0,
            **({} if algorithm is None else {"algorithm": algorithm}),
        )

    return make
