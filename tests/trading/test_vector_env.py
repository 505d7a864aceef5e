"""Many accounts at once are the same accounts one by one, to the last bit."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from intraday_rl.trading.costs import Commission, Fees, Financing, Slippage
from intraday_rl.trading.env import TradingEnv
from intraday_rl.trading.environment import Environment
from intraday_rl.trading.rewards import (
    DifferentialSharpe,
    DownsideDeviation,
    LogReturn,
    NetReturn,
)
from intraday_rl.trading.vector_env import TradingVectorEnv

FULL_BOOK = Environment(
    slippage=Slippage(half_spread_ticks=0.5, bps=0.3),
    commission=Commission(usd_per_share=0.005, minimum_usd=1.0, maximum_percent=1.0),
    fees=Fees(sec_section_31=True, finra_taf=True),
    financing=Financing(annual_rate=0.06, annual_borrow_rate=0.01),
)


def assert_equal_walks(problem, accounts, sessions_wanted, seed=7):
    """Step both versions with the same actions until enough sessions ended; compare every bit."""
    vector = TradingVectorEnv(problem, accounts)
    singles = [TradingEnv(problem) for _ in range(accounts)]
    random = np.random.default_rng(0)
    observations, _ = vector.reset(seed=seed)
    expected = np.stack([env.reset(seed=seed + i)[0] for i, env in enumerate(singles)])
    ended = 0
    while ended < sessions_wanted:
        assert np.array_equal(observations, expected)
        actions = random.uniform(-1, 1, (accounts, 1)).astype(np.float32)
        observations, rewards, terminated, _, infos = vector.step(actions)
        for i, env in enumerate(singles):
            observation, reward, done, _, info = env.step(actions[i])
            assert reward == rewards[i]
            assert done == terminated[i]
            assert vector.ledger_entries()[i, 0]["equity_after"] == info["equity_after"]
            if done:
                assert np.array_equal(infos["final_obs"][i], observation)
                ended += 1
                observation = env.reset()[0]
            expected[i] = observation


@pytest.mark.parametrize(
    "reward", [DifferentialSharpe(), DownsideDeviation(), NetReturn(), LogReturn()]
)
def test_scalar_and_vector_agree_for_every_reward(make_bars, make_problem, reward):
    bars = make_bars("2021-11-15", "2021-12-10")
    problem = make_problem(bars, FULL_BOOK, reward, sequential=False)
    assert_equal_walks(problem, accounts=4, sessions_wanted=40)


def test_scalar_and_vector_agree_bit_by_bit_over_a_thousand_sessions(make_bars, make_problem):
    problem = make_problem(make_bars("2021-01-04", "2021-12-31"), FULL_BOOK, sequential=False)
    assert_equal_walks(problem, accounts=8, sessions_wanted=1_000)


def test_returned_observations_belong_to_the_caller(make_bars, make_problem):
    vector = TradingVectorEnv(make_problem(make_bars("2021-03-01", "2021-03-05")), 3)
    kept = [vector.reset(seed=0)[0]]
    kept += [vector.step(np.full((3, 1), 0.5, np.float32))[0] for _ in range(5)]
    rows = [observation[0, 0] for observation in kept]
    assert rows == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_session_that_ends_is_followed_by_the_next_in_the_same_step(make_bars, make_problem):
    vector = TradingVectorEnv(make_problem(make_bars("2021-03-01", "2021-03-02")), 2)
    vector.reset(seed=0)
    for _ in range(24):
        observations, _, terminated, truncated, infos = vector.step(np.ones((2, 1), np.float32))
    assert terminated.all()
    assert not truncated.any()
    assert infos["_final_obs"].all()
    assert [final[0] for final in infos["final_obs"]] == [24.0, 24.0]
    assert observations[:, 0].tolist() == [25.0, 25.0]
    assert (vector.ledger_entries()[:, 1]["row"] == 24).all()


def test_an_account_whose_walk_is_over_stands_still(make_bars, make_problem):
    vector = TradingVectorEnv(make_problem(make_bars("2021-03-01", "2021-03-01")), 2)
    vector.reset(seed=0)
    for _ in range(24):
        vector.step(np.ones((2, 1), np.float32))
    equity = vector.accounts.records["equity"].copy()
    observations, rewards, terminated, _, _ = vector.step(np.zeros((2, 1), np.float32))
    assert rewards.tolist() == [0.0, 0.0]
    assert terminated.all()
    assert np.isfinite(observations).all()
    assert vector.accounts.records["equity"].tolist() == equity.tolist()
    with pytest.raises(gym.error.ResetNeeded):
        vector.reset()


def test_one_action_that_is_not_finite_stops_the_step_before_any_account_moves(
    make_bars, make_problem
):
    vector = TradingVectorEnv(make_problem(make_bars("2021-03-01", "2021-03-01")), 3)
    vector.reset(seed=0)
    before = vector.accounts.records.copy()
    with pytest.raises(ValueError, match=r"action\[1\]=nan"):
        vector.step(np.array([[1.0], [np.nan], [1.0]], np.float32))
    assert (vector.accounts.records == before).all()


def test_accounts_draw_their_own_sessions(make_bars, make_problem):
    problem = make_problem(make_bars("2021-01-04", "2021-12-31"), sequential=False)
    vector = TradingVectorEnv(problem, 64)
    vector.reset(seed=0)
    assert len(set(vector.accounts.records["session"].tolist())) > 40
