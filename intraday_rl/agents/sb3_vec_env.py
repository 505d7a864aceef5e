"""Any gymnasium VectorEnv as Stable-Baselines3's VecEnv, without Python work per account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from intraday_rl.agents.divergence import diverged
from intraday_rl.errors import ConfigError, ModelError

Indices = int | Iterable[int] | None


class Sb3VecEnv(VecEnv):
    """Steps all accounts of a VectorEnv in one call and speaks SB3's dialect.

    | from the VectorEnv | to SB3 |
    |---|---|
    | observations, any buffer | float32 copies, so that a reused buffer cannot turn a stored
      observation into its successor |
    | rewards | `reward_scale` times as much, as float32 |
    | terminations, truncations | `dones` = either; `TimeLimit.truncated` = truncated alone |
    | `infos["final_obs"][i]` of an ended account | `infos[i]["terminal_observation"]`, a copy |
    | other infos | dropped: nothing in training reads them |

    Timing: the VectorEnv must reset an ended account within the same step (SAME_STEP), else the
    first observation of a session would be stored as the successor of the last one before it.
    A value that is not finite ends training at that step (`TrainingDiverged`), with the step's
    arrays saved in `failure_folder`. `num_decisions` counts decisions of all accounts.
    """

    def __init__(
        self,
        environment: VectorEnv[Any, Any, Any],
        *,
        failure_folder: Path,
        reward_scale: float = 1.0,
    ) -> None:
        mode = environment.metadata.get("autoreset_mode")
        if mode not in (AutoresetMode.SAME_STEP, AutoresetMode.SAME_STEP.value):
            raise ConfigError("autoreset_mode", mode, "the vector environment must use SAME_STEP")
        if not isinstance(environment.single_observation_space, gym.spaces.Box):
            raise ConfigError(
                "observation_space", environment.single_observation_space, "must be a Box"
            )
        self.environment = environment
        self.failure_folder = failure_folder
        self.reward_scale = reward_scale
        self.num_decisions = 0
        self._seed: int | None = None
        self._actions: NDArray[Any] = np.empty(0)
        self._observations: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        space = environment.single_observation_space
        super().__init__(
            environment.num_envs,
            gym.spaces.Box(space.low, space.high, space.shape, np.float32),
            deepcopy(environment.single_action_space),  # seeding it must not touch the owner's
        )

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Hand a seed to the next reset; it is used once, 0 included."""
        self._seed = seed
        return [seed] * self.num_envs

    def reset(self) -> NDArray[np.float32]:
        """First observations; carries the seed if one was handed over."""
        observations, _ = self.environment.reset(seed=self._seed)
        self._seed = None
        self._observations = np.array(observations, dtype=np.float32)
        if not np.isfinite(self._observations).all():
            raise diverged(
                self.failure_folder,
                self.num_decisions,
                f"{_first_bad('observation', self._observations)} after reset",
                {"observations": self._observations},
            )
        return self._observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """One decision of every account."""
        raw, raw_rewards, terminated, truncated, raw_infos = self.environment.step(self._actions)
        self.num_decisions += self.num_envs
        observations = np.array(raw, dtype=np.float32)
        rewards = (np.asarray(raw_rewards) * self.reward_scale).astype(np.float32)
        dones = np.logical_or(terminated, truncated)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = np.flatnonzero(dones)
        if ended.size:
            final = self._final_observations(raw_infos, ended)
            self._refuse_non_finite("final observation", final, observations, rewards)
            for row, account in enumerate(ended.tolist()):
                infos[account] = {
                    "terminal_observation": final[row],
                    "TimeLimit.truncated": bool(truncated[account] and not terminated[account]),
                }
        self._refuse_non_finite("observation", observations, observations, rewards)
        self._refuse_non_finite("reward", rewards, observations, rewards)
        self._observations = observations
        return observations, rewards, dones, infos

    def _final_observations(
        self, infos: dict[str, Any], ended: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        final = infos.get("final_obs")
        if final is None:
            raise ModelError(
                f"account {int(ended[0])} ended without infos['final_obs']: "
                "the vector environment must hand over the last observation of a session"
            )
        return np.stack([np.array(final[account], dtype=np.float32) for account in ended])

    def _refuse_non_finite(
        self,
        name: str,
        values: NDArray[np.float32],
        next_observations: NDArray[np.float32],
        rewards: NDArray[np.float32],
    ) -> None:
        if np.isfinite(values).all():
            return
        batch: dict[str, NDArray[Any]] = {
            "observations": self._observations,
            "actions": np.asarray(self._actions),
            "next_observations": next_observations,
            "rewards": rewards,
        }
        if name == "final observation":
            batch["final_observations"] = values
        raise diverged(self.failure_folder, self.num_decisions, _first_bad(name, values), batch)

    def state(self) -> dict[str, NDArray[Any]]:
        """Every account where it stands; the VectorEnv must offer `state` and `restore` itself."""
        accounts: dict[str, NDArray[Any]] = getattr(self.environment, "state")()  # noqa: B009
        seen = {"shown": self._observations, "num_decisions": np.array(self.num_decisions)}
        return {**{f"accounts_{name}": value for name, value in accounts.items()}, **seen}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Stand where `state` was taken; returns the observations that were shown last."""
        accounts = {
            name.removeprefix("accounts_"): value
            for name, value in state.items()
            if name.startswith("accounts_")
        }
        getattr(self.environment, "restore")(accounts)  # noqa: B009
        self._seed = None
        self.num_decisions = int(state["num_decisions"])
        self._observations = np.array(state["shown"], dtype=np.float32)
        return self._observations

    def close(self) -> None:
        """Close the VectorEnv."""
        self.environment.close()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """The VectorEnv's attribute, once per account."""
        value = getattr(self.environment, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Refused: the accounts share one environment object."""
        raise NotImplementedError("accounts share one environment: set attributes on it directly")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Refused: the accounts share one environment object."""
        raise NotImplementedError("accounts share one environment: call its methods directly")

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: Indices = None
    ) -> list[bool]:
        """Never: wrappers of single environments do not apply."""
        return [False for _ in self._get_indices(indices)]


def _first_bad(name: str, values: NDArray[np.float32]) -> str:
    place = np.argwhere(~np.isfinite(values))[0].tolist()
    return f"{name}[{', '.join(str(index) for index in place)}] = {values[tuple(place)]}"
