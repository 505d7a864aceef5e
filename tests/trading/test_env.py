"""The environment: fills, marks, exits, account state, and what each moment may know."""

from __future__ import annotations

import warnings

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest
from gymnasium.utils.env_checker import check_env

from intraday_rl.trading.actions import LongFlatAction, TargetAction
from intraday_rl.trading.book import Moments
from intraday_rl.trading.costs import Commission, Fees, Slippage
from intraday_rl.trading.env import TradingEnv
from intraday_rl.trading.environment import Environment
from intraday_rl.trading.rewards import (
    DifferentialSharpe,
    DownsideDeviation,
    LogReturn,
    NetReturn,
)
from intraday_rl.trading.vector_env import TradingVectorEnv

COSTLY = Environment(
    slippage=Slippage(half_spread_ticks=0.5),
    commission=Commission(usd_per_share=0.005, minimum_usd=1.0, maximum_percent=1.0),
    fees=Fees(sec_section_31=True, finra_taf=True),
)

FLAT = Moments(0.0, 1e-6, 5e-7)  # a market that stands still has no moments of its own


def play(env, actions, seed=0):
    """Infos of one session."""
    env.reset(seed=seed)
    infos = []
    for action in actions:
        *_, terminated, _, info = env.step(np.array([action], np.float32))
        infos.append(info)
        if terminated:
            break
    return infos


def test_gymnasium_accepts_the_environment(make_bars, make_problem):
    problem = make_problem(make_bars("2021-03-01", "2021-03-12"), COSTLY, sequential=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bounds of an unbounded observation are advice
        check_env(TradingEnv(problem), skip_render_check=True)


def test_the_order_fills_at_the_next_open_not_at_the_close_it_was_decided_on(
    make_bars, make_problem
):
    bars = make_bars("2021-03-01", "2021-03-01")
    env = TradingEnv(make_problem(bars))
    info = play(env, [1.0])[0]
    assert info["price"] == bars.frame["open"].iloc[1]
    assert info["shares_after"] == np.trunc(100_000 / bars.frame["close"].iloc[0])


def test_a_hold_earns_what_the_prices_say_and_is_sold_at_the_cutoff(make_bars, make_problem):
    bars = make_bars("2021-03-01", "2021-03-01")
    env = TradingEnv(make_problem(bars))
    infos = play(env, [1.0] * 30)
    opens = bars.frame["open"].to_numpy()
    shares = infos[0]["shares_after"]
    leave = infos[-1]["exit"]
    assert len(infos) == 24
    assert leave["equity_after"] == pytest.approx(100_000 + shares * (opens[25] - opens[1]))
    assert leave["shares_traded"] == -shares
    assert leave["exit_reason"] == "cutoff"
    assert leave["forced_exit"] is True


def test_the_exit_cost_belongs_to_the_last_decisions_reward(make_bars, make_problem):
    bars = make_bars("2021-03-01", "2021-03-01", price=50.0)
    costs = Environment(commission=Commission(usd_per_share=0.01))
    infos = play(TradingEnv(make_problem(bars, costs, NetReturn(), moments=FLAT)), [1.0] * 30)
    shares = infos[0]["shares_after"]
    assert infos[0]["reward"] == pytest.approx(-shares * 0.01 / 100_000)
    assert [info["reward"] for info in infos[1:-1]] == [0.0] * 22
    last = infos[-1]
    assert last["reward"] == pytest.approx(
        last["exit"]["equity_after"] / last["equity_before"] - 1.0
    )
    assert last["reward"] < 0.0


def test_the_opening_trade_is_charged_in_the_first_reward(make_bars, make_problem):
    infos = play(TradingEnv(make_problem(make_bars("2021-03-01", "2021-03-01"), COSTLY)), [1.0])
    first = infos[0]
    assert first["commission"] > 0.0
    assert first["slippage"] > 0.0
    assert first["equity_after"] - first["equity_before"] == pytest.approx(
        first["gross_pnl"] - first["commission"] - first["slippage"]
    )


def test_an_unchanged_target_never_trades_and_a_small_change_is_ignored(make_bars, make_problem):
    env = TradingEnv(make_problem(make_bars("2021-03-01", "2021-03-01")))
    infos = play(env, [0.5, 0.5, 0.53, 0.46, 0.55, 0.0, 0.04, 0.05])
    traded = [info["shares_traded"] != 0 for info in infos]
    assert traded == [True, False, False, False, True, True, False, True]
    assert [round(info["target"], 6) for info in infos[:4]] == [0.5] * 4


def test_the_band_is_measured_from_the_last_accepted_target(make_bars, make_problem):
    env = TradingEnv(make_problem(make_bars("2021-03-01", "2021-03-01")))
    infos = play(env, [0.50, 0.53, 0.56])
    assert [info["shares_traded"] != 0 for info in infos] == [True, False, True]


def test_exactly_zero_always_goes_flat(make_bars, make_problem):
    action = TargetAction(no_trade_band=0.5)
    env = TradingEnv(
        make_problem(make_bars("2021-03-01", "2021-03-01"), Environment(action=action))
    )
    infos = play(env, [0.6, 0.2, 0.0])
    assert [info["shares_after"] != 0 for info in infos] == [True, True, False]


def test_long_only_clips_and_max_position_scales(make_bars, make_problem):
    bars = make_bars("2021-03-01", "2021-03-01", price=50.0)
    action = TargetAction(long_only=True, max_position=0.5)
    env = TradingEnv(make_problem(bars, Environment(action=action), moments=FLAT))
    infos = play(env, [-1.0, 1.0])
    assert [info["shares_after"] for info in infos] == [0.0, 1000.0]


def test_long_flat_keeps_between_the_thresholds_and_starts_flat(make_bars, make_problem):
    env = TradingEnv(
        make_problem(make_bars("2021-03-01", "2021-03-01"), Environment(action=LongFlatAction()))
    )
    infos = play(env, [0.2, 0.34, 0.0, -0.32, -0.34, -0.1])
    assert [info["target"] for info in infos] == [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]


def test_shares_are_whole_lots_cut_towards_zero_and_zero_means_fractions(make_bars, make_problem):
    bars = make_bars("2021-03-01", "2021-03-01", price=30.0)
    held = {}
    for lot in (1.0, 100.0, 0.0):
        environment = Environment(action=TargetAction(lot_size=lot))
        env = TradingEnv(make_problem(bars, environment, moments=FLAT))
        held[lot] = [info["shares_after"] for info in play(env, [1.0, -1.0])]
    assert held[1.0] == [3333.0, -3333.0]
    assert held[100.0] == [3300.0, -3300.0]
    assert held[0.0] == pytest.approx([100_000 / 30, -100_000 / 30])


def test_training_resets_equity_each_session_and_evaluation_compounds(make_bars, make_problem):
    bars = make_bars("2021-03-01", "2021-03-02")
    for sequential in (True, False):
        env = TradingEnv(make_problem(bars, COSTLY, sequential=sequential))
        last = play(env, [1.0] * 30)[-1]["exit"]["equity_after"]
        env.reset()
        *_, info = env.step(np.array([0.0], np.float32))
        assert info["equity_before"] == (last if sequential else 100_000.0)


def test_sequential_sessions_come_once_in_order_and_then_the_walk_is_over(make_bars, make_problem):
    env = TradingEnv(make_problem(make_bars("2021-03-01", "2021-03-03")))
    seen = [env.reset(seed=0)[1]["session"], env.reset()[1]["session"], env.reset()[1]["session"]]
    assert seen == ["2021-03-01", "2021-03-02", "2021-03-03"]
    with pytest.raises(gym.error.ResetNeeded, match="seed"):
        env.reset()
    assert env.reset(seed=1)[1]["session"] == "2021-03-01"


def test_training_sessions_are_drawn_at_random_from_the_seed_alone(make_bars, make_problem):
    problem = make_problem(make_bars("2021-03-01", "2021-04-30"), sequential=False)

    def drawn(seed):
        env = TradingEnv(problem)
        first = env.reset(seed=seed)[1]["session"]
        return [first] + [env.reset()[1]["session"] for _ in range(200)]

    np.random.seed(1)  # noqa: NPY002 - it must not matter
    once = drawn(0)
    np.random.seed(2)  # noqa: NPY002
    assert drawn(0) == once
    assert drawn(1) != once
    assert len(set(once)) > 35


def test_moments_start_at_the_hold_for_a_new_account_and_carry_on_to_the_next_session(
    make_bars, make_problem
):
    problem = make_problem(make_bars("2021-03-01", "2021-03-03"), COSTLY)
    env = TradingEnv(problem)
    infos = play(env, [1.0] * 30)
    assert infos[0]["dsr_a"] == problem.book[0]["first_a"]
    last = env.accounts.records[0]["moment_a"]
    env.reset()
    *_, info = env.step(np.array([1.0], np.float32))
    assert info["dsr_a"] == last
    assert info["dsr_a"] != infos[0]["dsr_a"]
    env.reset(seed=3)
    *_, info = env.step(np.array([1.0], np.float32))
    assert info["dsr_a"] == problem.book[0]["first_a"]


def test_observed_moments_are_those_before_the_reward_of_the_decision_before(
    make_bars, make_problem
):
    problem = make_problem(make_bars("2021-03-01", "2021-03-02"), COSTLY)
    env = TradingEnv(problem)
    book = problem.book[0]
    column = problem.names.index("reward_moment_a")
    observation, _ = env.reset(seed=0)
    rows, seen = [], [observation[column]]
    for _ in range(24):
        observation, *_, info = env.step(np.array([1.0], np.float32))
        rows.append(info["dsr_a"])
        seen.append(observation[column])
    scaled = (np.array(rows) - book["first_a"]) / book["moment_a_scale"]
    expected = np.clip(np.concatenate([[scaled[0]], scaled]), -5, 5).astype(np.float32)
    assert seen == expected.tolist()


def test_position_and_unrealised_return_are_marked_at_the_close_not_at_the_fill(
    make_bars, make_problem
):
    bars = make_bars("2021-03-01", "2021-03-01")
    problem = make_problem(bars)
    env = TradingEnv(problem)
    env.reset(seed=0)
    observation, *_, info = env.step(np.array([-0.8], np.float32))
    close = bars.frame["close"].iloc[1]
    position = info["shares_after"] * close / 100_000
    unrealised = -(close / info["fill_price"] - 1.0) / problem.book[0]["unrealised_scale"]
    held = (30.0 - 15.0) / problem.tape.sessions[0]["cutoff_minute"]
    assert observation[1:4].tolist() == pytest.approx([position, unrealised, held], rel=1e-6)


def test_minutes_held_restart_on_a_reversal_but_not_on_adding(make_bars, make_problem):
    problem = make_problem(make_bars("2021-03-01", "2021-03-01"))
    env = TradingEnv(problem)
    env.reset(seed=0)
    minutes = []
    for action in (0.5, 1.0, -1.0, 0.0):
        observation, *_ = env.step(np.array([action], np.float32))
        minutes.append(observation[3] * problem.tape.sessions[0]["cutoff_minute"])
    assert minutes == pytest.approx([15.0, 30.0, 15.0, 0.0], abs=1e-3)


def test_bars_that_will_be_missing_later_change_no_earlier_observation(make_bars, make_problem):
    afternoon = pd.date_range("2021-03-01 13:00", "2021-03-01 15:45", freq="15min")
    dropped = tuple(f"{stamp:%Y-%m-%d %H:%M}" for stamp in afternoon)
    seen = []
    for bars in (
        make_bars("2021-03-01", "2021-03-01"),
        make_bars("2021-03-01", "2021-03-01", drop=dropped),
    ):
        env = TradingEnv(make_problem(bars, moments=FLAT))
        env.reset(seed=0)
        seen.append([env.step(np.array([0.8], np.float32))[0].tolist() for _ in range(11)])
    assert seen[0] == seen[1]


def test_a_ruined_account_ends_the_walk(make_bars, make_problem):
    bars = make_bars("2021-03-01", "2021-03-03")
    bars.frame.loc[bars.frame["bar_start"].dt.strftime("%H:%M") >= "17:00", "open"] *= 0.02
    environment = Environment(action=TargetAction(max_position=1.0))
    env = TradingEnv(make_problem(bars, environment, NetReturn(), moments=FLAT))
    info = play(env, [1.0] * 30)[-1]
    assert info["exit"]["equity_after"] < 10_000
    assert info["finished"]
    with pytest.raises(gym.error.ResetNeeded):
        env.reset()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_action_that_is_not_finite_is_refused(make_bars, make_problem, value):
    problem = make_problem(make_bars("2021-03-01", "2021-03-01"))
    env, vector = TradingEnv(problem), TradingVectorEnv(problem, 2)
    env.reset(seed=0)
    vector.reset(seed=0)
    with pytest.raises(ValueError, match="finite"):
        env.step(np.array([value], np.float32))
    with pytest.raises(ValueError, match=r"action\[1\]"):
        vector.step(np.array([[0.0], [value]], np.float32))


def test_other_rewards_are_the_return_and_its_logarithm(make_bars, make_problem):
    bars = make_bars("2021-03-01", "2021-03-01")
    for reward, expected in ((NetReturn(), lambda r: r), (LogReturn(), np.log1p)):
        infos = play(TradingEnv(make_problem(bars, COSTLY, reward)), [1.0] * 23)
        returns = np.array([info["net_return"] for info in infos])
        assert [info["reward"] for info in infos] == expected(returns).tolist()


def test_the_reward_is_clipped_last_and_says_so(make_bars, make_problem):
    bars = make_bars("2021-03-01", "2021-03-01")
    reward = DifferentialSharpe(clip=0.01)
    infos = play(TradingEnv(make_problem(bars, COSTLY, reward)), [1.0] * 23)
    assert all(abs(info["reward"]) <= 0.01 for info in infos)
    assert [info["dsr_clipped"] for info in infos] == [abs(i["dsr_raw"]) > 0.01 for i in infos]
    assert any(info["dsr_clipped"] for info in infos)


def test_downside_has_no_differential_sharpe_columns(make_bars, make_problem):
    bars = make_bars("2021-03-01", "2021-03-01")
    infos = play(TradingEnv(make_problem(bars, COSTLY, DownsideDeviation())), [1.0] * 5)
    assert all(np.isnan(info["dsr_raw"]) for info in infos)
    assert len({info["reward"] for info in infos}) == 5
