"""The Gymnasium ids: what `make` and `make_vec` hand out passes everybody's checks."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import intraday_rl  # noqa: F401 - registers the ids
from intraday_rl.errors import ConfigError, DataError
from intraday_rl.trading.env import TradingEnv
from intraday_rl.trading.vector_env import TradingVectorEnv

ID = "intraday_rl/Trading-v0"


@pytest.fixture(scope="module")
def overrides(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return ["debug=tiny", "agent=flat", f"paths.outputs={tmp_path_factory.mktemp('outputs')}"]


def test_importing_the_package_registers_the_ids_and_loads_nothing_heavy(tmp_path):
    program = (
        "import sys, intraday_rl, gymnasium\n"
        f"assert {ID!r} in gymnasium.registry\n"
        "heavy = {'torch', 'mlflow', 'numba', 'pandas', 'hydra', 'omegaconf', 'talib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_make_gives_one_account_wrapped_as_usual(overrides):
    env = gym.make(ID, overrides=overrides)
    assert isinstance(env, OrderEnforcing)
    assert isinstance(env.env, PassiveEnvChecker)
    assert isinstance(env.unwrapped, TradingEnv)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(env.action_space.sample())
    observation, info = env.reset(seed=3)
    assert observation.shape == (len(env.unwrapped.observation_names),)
    assert info["session"].startswith("2018-")
    steps, done = 0, False
    while not done:
        _, _, done, truncated, info = env.step(np.ones(1, np.float32))
        steps += 1
        assert not truncated
    assert steps == 24
    assert info["exit"]["forced_exit"]


def test_make_vec_picks_the_native_vector_environment_by_itself(overrides):
    env = gym.make_vec(ID, num_envs=64, overrides=overrides)
    assert isinstance(env.unwrapped, TradingVectorEnv)
    assert env.num_envs == 64
    observations, _ = env.reset(seed=0)
    assert observations.shape == (64, len(env.unwrapped.observation_names))
    _, rewards, _, _, _ = env.step(env.action_space.sample())
    assert rewards.shape == (64,)
    assert len(np.unique(observations, axis=0)) > 16  # sessions differ


def test_the_checker_of_gymnasium_passes(overrides):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Observations are scaled and clipped, but the bound is a setting, not a law.
        warnings.filterwarnings("ignore", message=".*A Box observation space (min|max)imum value")
        # The ids have no reward range or render mode to check.
        warnings.filterwarnings("ignore", message=".*not different from the env spec")
        check_env(gym.make(ID, overrides=overrides).unwrapped, skip_render_check=True)


def test_the_checker_of_stable_baselines_passes(overrides):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sb3_check_env(gym.make(ID, overrides=overrides).unwrapped)


@pytest.mark.parametrize(("split", "sessions"), [("validation", 20), ("test", 22)])
def test_judged_splits_are_walked_once_in_order_and_compound(overrides, split, sessions):
    env = gym.make(ID, overrides=overrides, split=split).unwrapped
    _, info = env.reset(seed=0)
    walked, equity = [info["session"]], None
    while True:
        _, _, done, _, info = env.step(np.array([0.5], np.float32))
        if equity is not None:
            assert info["equity_before"] == equity
        equity = (info.get("exit") or info)["equity_after"]
        if not done:
            continue
        if info["finished"]:
            break
        _, start = env.reset()
        walked.append(start["session"])
    assert len(walked) == sessions
    assert walked == sorted(set(walked))
    with pytest.raises(gym.error.ResetNeeded):
        env.reset()


def test_a_fold_is_named_or_numbered(overrides):
    name = "2018-05-02_2018-06-01"
    by_name, by_number = (gym.make(ID, overrides=overrides, fold=fold) for fold in (name, 0))
    first, second = (env.reset(seed=1)[0] for env in (by_name, by_number))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"fold": 1}, "fold=1: choose 0 to 0 or 2018-05-02_2018-06-01"),
        ({"fold": -1}, "fold=-1"),
        ({"split": "tests"}, "split=tests: choose one of train, validation"),
        ({"overrides": ["symbl=SPY"]}, "did you mean symbol"),
    ],
)
def test_a_wrong_argument_is_named(overrides, arguments, complaint):
    with pytest.raises(ConfigError, match=complaint):
        gym.make(ID, **{"overrides": overrides, **arguments})


def test_a_vector_of_no_accounts_is_refused(overrides):
    with pytest.raises(ConfigError, match="num_envs=0"):
        gym.make_vec(ID, num_envs=0, overrides=overrides)


def test_missing_bars_are_a_data_error(tmp_path: Path):
    nowhere = ["data=csv", "data.path=nowhere.csv", "data.bar_label=end"]
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        gym.make(ID, overrides=nowhere)
