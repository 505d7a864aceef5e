"""The adapter hands SB3 what happened, not what the buffer holds later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import VecEnv

from intraday_rl.agents.sb3_vec_env import Sb3VecEnv
from intraday_rl.errors import ConfigError

MakeEnvironment = Callable[..., Any]


def _adapter(environment: Any, tmp_path: Path, **options: Any) -> Sb3VecEnv:
    return Sb3VecEnv(environment, failure_folder=tmp_path, **options)


def test_observations_are_copies_of_a_reused_buffer(
    make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    adapter = _adapter(make_environment(4), tmp_path)
    assert isinstance(adapter, VecEnv)
    first = adapter.reset()
    kept = first.copy()
    second = np.asarray(adapter.step(np.zeros((4, 1), dtype=np.float32))[0])
    np.testing.assert_array_equal(first, kept)
    assert (second[:, 1] == kept[:, 1] + 1).all()
    assert second.dtype == np.float32


def test_the_buffer_stores_each_session_s_last_observation_as_successor(
    make_learner: Callable[..., Any],
) -> None:
    learner = make_learner(total_timesteps=400)
    learner.learn()
    buffer = learner.model.replay_buffer
    n = buffer.size()
    observed, following = buffer.observations[:n], buffer.next_observations[:n]
    assert not (observed == following).all(axis=2).any()
    np.testing.assert_array_equal(following[:, :, 1], observed[:, :, 1] + 1)
    np.testing.assert_array_equal(following[:, :, 2], observed[:, :, 2])
    np.testing.assert_array_equal(buffer.dones[:n] == 1, observed[:, :, 1] == 5)
    inner = buffer.dones[: n - 1] == 0
    np.testing.assert_array_equal(following[:-1][inner], observed[1:][inner])


@pytest.mark.parametrize("truncates", [False, True])
def test_only_a_time_limit_counts_as_truncation(
    make_environment: MakeEnvironment, tmp_path: Path, truncates: bool
) -> None:
    adapter = _adapter(make_environment(2, truncates=truncates), tmp_path)
    adapter.reset()
    for _ in range(5):
        _, _, dones, infos = adapter.step(np.zeros((2, 1), dtype=np.float32))
        assert not dones.any()
        assert infos == [{}, {}]
    shown, _, dones, infos = adapter.step(np.zeros((2, 1), dtype=np.float32))
    assert dones.all()
    for account in range(2):
        assert infos[account]["TimeLimit.truncated"] is truncates
        assert infos[account]["terminal_observation"][1] == 6
        assert np.asarray(shown)[account, 1] == 0


def test_rewards_are_scaled_in_double_precision_and_handed_over_as_float32(
    make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    adapter = _adapter(make_environment(2), tmp_path, reward_scale=250.0)
    signs = adapter.reset()[:, 0].copy()
    _, rewards, _, _ = adapter.step(np.full((2, 1), 0.1, dtype=np.float32))
    assert rewards.dtype == np.float32
    expected = (np.float64(np.float32(0.1)) * signs * 250.0).astype(np.float32)
    np.testing.assert_array_equal(rewards, expected)


def test_a_seed_is_used_once(make_environment: MakeEnvironment, tmp_path: Path) -> None:
    environment = make_environment(2)
    adapter = _adapter(environment, tmp_path)
    adapter.seed(0)
    adapter.reset()
    adapter.reset()
    assert environment.seeds == [0, None]


def test_seeding_warm_up_actions_leaves_the_environment_s_space_alone(
    make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    environment = make_environment(2)
    environment.single_action_space.seed(5)
    expected = environment.single_action_space.sample()
    environment.single_action_space.seed(5)
    _adapter(environment, tmp_path).action_space.seed(1)
    np.testing.assert_array_equal(environment.single_action_space.sample(), expected)


def test_gymnasium_s_own_vector_environment_fits(tmp_path: Path) -> None:
    environment = SyncVectorEnv(
        [lambda: gym.make("Pendulum-v1", max_episode_steps=3) for _ in range(2)],
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    adapter = _adapter(environment, tmp_path)
    adapter.seed(0)
    adapter.reset()
    for step in range(1, 4):
        _, _, dones, infos = adapter.step(np.zeros((2, 1), dtype=np.float32))
        assert dones.all() == (step == 3)
    assert infos[0]["TimeLimit.truncated"] is True
    assert infos[0]["terminal_observation"].shape == (3,)
    adapter.close()


def test_an_environment_that_resets_a_step_late_is_refused(tmp_path: Path) -> None:
    environment = SyncVectorEnv([lambda: gym.make("Pendulum-v1")])
    with pytest.raises(ConfigError, match="SAME_STEP"):
        _adapter(environment, tmp_path)
    environment.close()
