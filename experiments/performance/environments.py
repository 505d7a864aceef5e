"""Environment steps a second: ours against two well-known packages, on the same bars."""

from __future__ import annotations

import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd
from timing import Compared, compare, rate

import intraday_rl
from intraday_rl.agents.sb3_vec_env import Sb3VecEnv
from intraday_rl.config import compose_plan
from intraday_rl.loading import resolve

ACCOUNTS = 256
OVERRIDES = ["tracking=none", "paths.outputs=outputs/performance"]


def compare_environments(steps: int, rounds: int) -> list[Compared]:
    """Account-steps a second with the full cost book and the differential Sharpe reward.

    `steps` of one account on the other side; ours takes as long with many more of 256.
    """
    assert intraday_rl  # importing it registers the id
    vector = gymnasium.make_vec("intraday_rl/Trading-v0", num_envs=ACCOUNTS, overrides=OVERRIDES)
    vector.reset(seed=0)
    vector.action_space.seed(0)
    actions = vector.action_space.sample()
    face = Sb3VecEnv(vector.unwrapped, failure_folder=Path("outputs/performance"))

    def ours() -> float:
        return rate(lambda: vector.step(actions), steps // 5, ACCOUNTS)

    def ours_through_sb3() -> float:
        def step() -> None:
            face.step_async(actions)
            face.step_wait()

        return rate(step, steps // 20, ACCOUNTS)

    bars = _bars()
    trading, anytrading = _gym_trading_env(bars), _gym_anytrading(bars)
    return [
        compare(
            f"environment, {ACCOUNTS} accounts, against gym-trading-env",
            "steps/s",
            ours,
            lambda: _one_account(trading, steps),
            rounds,
            goal=100.0,
            goal_here=1e7,
        ),
        compare(
            f"environment, {ACCOUNTS} accounts, against gym-anytrading",
            "steps/s",
            ours,
            lambda: _one_account(anytrading, 2 * steps),
            rounds,
        ),
        compare(
            "the same through the SB3 face, against gym-trading-env",
            "steps/s",
            ours_through_sb3,
            lambda: _one_account(trading, steps),
            rounds,
            goal_here=2e6,
        ),
    ]


def _bars() -> pd.DataFrame:
    frame = resolve(compose_plan(OVERRIDES)).market.symbol.frame
    naive = frame.assign(bar_end=frame["bar_end"].dt.tz_localize(None))
    bars = naive.set_index("bar_end")[["open", "high", "low", "close", "volume"]].copy()
    for lag in range(1, 13):
        bars[f"feature_{lag}"] = bars["close"].pct_change(lag)
    return bars.dropna()


def _one_account(env: gymnasium.Env, steps: int) -> float:
    random = np.random.default_rng(0)
    actions = random.integers(env.action_space.n, size=steps)
    env.reset(seed=0)
    turn = iter(actions)

    def step() -> None:
        *_, terminated, truncated, _ = env.step(int(next(turn)))
        if terminated or truncated:
            env.reset()

    return rate(step, steps)


def _gym_trading_env(bars: pd.DataFrame) -> gymnasium.Env:
    with warnings.catch_warnings():  # it turns every warning of the process into an error
        from gym_trading_env.environments import TradingEnv

        warnings.simplefilter("ignore")
        return TradingEnv(
            df=bars, positions=[-1, 0, 1], trading_fees=1e-4, borrow_interest_rate=1e-6, verbose=0
        )


def _gym_anytrading(bars: pd.DataFrame) -> gymnasium.Env:
    from gym_anytrading.envs import StocksEnv

    table = bars.rename(columns=str.capitalize)
    return StocksEnv(df=table, window_size=12, frame_bound=(12, len(table)))
