"""The null distribution: the policy's own days, dealt at random, under the same costs."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from intraday_rl.agents.baselines import FlatPolicy, HoldPolicy, RandomPolicy
from intraday_rl.config import compose_plan
from intraday_rl.dataset import Split, open_dataset, open_fold
from intraday_rl.loading import resolve
from intraday_rl.research.random_null import random_null, target_paths
from intraday_rl.research.rollout import walk
from intraday_rl.trading.replay import replay_shares, replay_targets


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    plan = compose_plan([
        "data.start=2020-01-02", "data.end=2022-12-30", "data.edge=0.3", "windows=auto",
        "tracking=none", f"paths.outputs={tmp_path_factory.mktemp('o')}",
        "windows.train_size=1 year", "windows.test_size=1 year",
    ])  # fmt: skip
    resolved = resolve(plan)
    return open_fold(open_dataset(plan, resolved.market), resolved.windows[0]).problem(Split.test)


def random_policy(seed):
    return RandomPolicy(np.random.default_rng(seed))


def test_the_own_deal_is_the_walk_itself_to_the_last_bit(problem):
    walked = walk(problem, random_policy(0))
    own = np.arange(problem.eligible.size)[None, :]
    assert np.array_equal(replay_targets(problem, target_paths(walked), own)[0],
                          walked.daily_returns())  # fmt: skip


def test_recorded_shares_reproduce_the_equity_to_the_last_bit(problem):
    walked = walk(problem, random_policy(1))
    held = np.zeros(problem.tape.rows.size)
    held[walked.entries["row"]] = walked.entries["shares_after"]
    daily, ends = replay_shares(problem, problem.book, held)
    assert ends[0] == walked.entries["equity_after"][-1]
    assert np.array_equal(daily[0], walked.daily_returns())


def test_a_thousand_draws_of_a_year_take_seconds(problem):
    walked = walk(problem, random_policy(0))
    random_null(walked, np.random.default_rng(0), draws=2)
    started = time.perf_counter()
    random_null(walked, np.random.default_rng(0))
    assert time.perf_counter() - started < 5.0


def test_holding_has_no_timing_so_every_deal_ties_with_it(problem):
    assert random_null(walk(problem, HoldPolicy()), np.random.default_rng(0)).p_value == 1.0


def test_a_policy_that_never_trades_has_nothing_to_show(problem):
    found = random_null(walk(problem, FlatPolicy()), np.random.default_rng(0))
    assert (found.p_value, found.mean_sharpe) == (1.0, 0.0)


def test_following_a_planted_signal_beats_every_deal(problem):
    class Follow(FlatPolicy):
        def predict(self, observation):
            return float(np.sign(observation[problem.names.index("symbol_return_1")]))

    found = random_null(walk(problem, Follow()), np.random.default_rng(0))
    assert found.p_value == pytest.approx(1 / 1000)
    assert found.mean_sharpe < 0.0


def test_half_days_trade_places_only_with_half_days(problem):
    lengths = problem.tape.sessions["decisions"][problem.eligible]
    assert set(lengths.tolist()) == {12, 24}
    walked = walk(problem, random_policy(3))
    paths = target_paths(walked)
    assert (paths[lengths == 12][:, 12:] == 0).all()


@pytest.mark.slow("truth")
def test_p_values_of_policies_without_skill_are_uniform(problem):
    ranks = [
        random_null(
            walk(problem, random_policy(seed)), np.random.default_rng(10_000 + seed)
        ).p_value
        for seed in range(500)
    ]
    found = stats.kstest(ranks, "uniform")
    print(f"Kolmogorov–Smirnov {found.statistic:.4f}, p {found.pvalue:.4f}")
    assert found.pvalue > 0.001
