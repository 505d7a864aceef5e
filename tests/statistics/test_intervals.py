from __future__ import annotations

import math
import time

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from intraday_rl.errors import DataError
from intraday_rl.statistics.intervals import (
    abstention,
    block_length,
    bootstrap_interval,
    lower_bound_one_sided,
    paired_interval,
    resample_rows,
)
from intraday_rl.statistics.ratios import mean_rows, sharpe, sharpe_rows


def _noise(seed: int = 0, count: int = 753, mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 0.01, count)


def _autoregressive(seed: int = 0, count: int = 753) -> np.ndarray:
    shocks = _noise(seed, count)
    series = np.zeros(count)
    for t in range(1, count):
        series[t] = 0.6 * series[t - 1] + shocks[t]
    return series


def test_the_percentile_interval_is_the_one_arch_computes():
    returns = _autoregressive()
    blocks = block_length(returns)
    ours = bootstrap_interval(returns, sharpe_rows, np.random.default_rng(7), resamples=300)
    theirs = StationaryBootstrap(blocks, returns, seed=np.random.default_rng(7)).conf_int(
        lambda sample: sharpe_rows(sample), reps=300, method="percentile", size=0.95
    )
    assert [ours.low, ours.high] == pytest.approx(theirs.ravel().tolist(), rel=1e-12)
    assert ours.estimate == pytest.approx(sharpe(returns), rel=1e-12)


def test_the_block_length_is_that_of_arch_rounded_up():
    for returns in (_noise(), _autoregressive()):
        optimum = float(optimal_block_length(returns)["stationary"].iloc[0])
        assert block_length(returns) == max(1, math.ceil(optimum))
    assert block_length(_autoregressive()) > 2 * block_length(_noise())


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    returns = _noise()

    def at(seed: int):
        return bootstrap_interval(returns, sharpe_rows, np.random.default_rng(seed))

    assert at(0) == at(0)
    assert at(0).low != at(1).low
    assert at(0).high != at(1).high


def test_resampled_rows_are_runs_of_the_original_order_that_wrap():
    rows = resample_rows(50, 5, np.random.default_rng(0), 400)
    assert rows.shape == (400, 50)
    assert set(np.unique(rows)) == set(range(50))
    continued = np.mean(rows[:, 1:] == (rows[:, :-1] + 1) % 50)
    assert continued == pytest.approx(1 - 1 / 5 + 1 / 5 / 50, abs=0.01)


@pytest.mark.parametrize("returns", [[], [0.01], [0.01] * 9, [0.01] * 100, [0.0, 0.1] * 4])
def test_a_constant_or_short_series_has_no_interval_but_a_reason(returns):
    interval = bootstrap_interval(returns, sharpe_rows, np.random.default_rng(0))
    assert interval.low is None
    assert interval.high is None
    assert interval.method.startswith("no interval: ")
    assert not interval.above_zero


@pytest.mark.parametrize("count", [10, 11, 12, 20])
def test_the_shortest_series_and_one_that_ends_still_do_not_warn(count):
    series = np.zeros(count)
    series[:2] = 0.01, -0.01
    assert block_length(series) >= 1
    assert bootstrap_interval(_noise(3, count), mean_rows, np.random.default_rng(0)).low is not None


def test_no_optimum_falls_back_to_its_rate_of_growth(monkeypatch):
    import pandas as pd

    from intraday_rl.statistics import intervals

    broken = pd.DataFrame({"stationary": [math.nan], "circular": [math.nan]})
    monkeypatch.setattr(intervals, "optimal_block_length", lambda _: broken)
    assert block_length(_noise(count=729)) in (9, 10)


def test_a_paired_difference_is_the_interval_of_the_difference_for_a_mean():
    policy, baseline = _noise(1, mean=0.002), _noise(2)
    paired = paired_interval(policy, baseline, np.random.default_rng(3))
    single = bootstrap_interval(policy - baseline, mean_rows, np.random.default_rng(3))
    assert (paired.low, paired.high) == pytest.approx((single.low, single.high), rel=1e-9)
    assert paired.above_zero


def test_a_paired_interval_is_narrow_when_both_follow_the_same_market():
    market = _noise(4)
    policy = market + np.random.default_rng(5).normal(0.0, 0.001, len(market))
    paired = paired_interval(policy, market, np.random.default_rng(0), statistic=sharpe_rows)
    alone = bootstrap_interval(policy, sharpe_rows, np.random.default_rng(0))
    assert paired.high - paired.low < 0.3 * (alone.high - alone.low)


def test_a_policy_against_itself_has_a_zero_difference_and_no_interval():
    paired = paired_interval(_noise(), _noise(), np.random.default_rng(0))
    assert (paired.low, paired.estimate, paired.high) == (None, 0.0, None)


def test_series_of_different_length_cannot_be_paired():
    with pytest.raises(DataError, match="lengths differ"):
        paired_interval(_noise(count=20), _noise(count=21), np.random.default_rng(0))


def test_the_one_sided_bound_is_the_five_percent_quantile_of_the_draws():
    returns = _noise(mean=0.001)
    rows = resample_rows(len(returns), block_length(returns), np.random.default_rng(9))
    bound = lower_bound_one_sided(returns, mean_rows, np.random.default_rng(9))
    assert bound == pytest.approx(np.percentile(returns[rows].mean(axis=1), 5), rel=1e-12)
    two_sided = bootstrap_interval(returns, mean_rows, np.random.default_rng(9))
    assert two_sided.low < bound


def test_a_fold_abstains_unless_its_mean_is_positive_beyond_the_bound():
    generator = np.random.default_rng(0)
    strong = abstention(_noise(0, 63, mean=0.005), generator)
    assert not strong.abstain
    assert strong.t_value > 2
    assert strong.lower_bound > 0
    assert abstention(_noise(0, 63, mean=-0.001), generator).abstain
    assert abstention(np.zeros(63), generator).abstain
    assert abstention([0.01, 0.02, 0.01], generator).abstain


def test_intervals_of_independent_normal_returns_cover_the_truth():
    generator = np.random.default_rng(11)
    covered = 0
    for _ in range(200):
        sample = generator.normal(0.1, 1.0, 120)
        interval = bootstrap_interval(sample, mean_rows, generator, resamples=200)
        covered += interval.low <= 0.1 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99


def test_two_thousand_resamples_of_three_years_take_less_than_half_a_second():
    started = time.process_time()
    bootstrap_interval(_noise(), sharpe_rows, np.random.default_rng(0))
    assert time.process_time() - started < 0.5


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, st.integers(0, 40), elements=st.floats(-0.5, 0.5)))
def test_an_interval_is_ordered_and_never_crashes(returns):
    interval = bootstrap_interval(returns, sharpe_rows, np.random.default_rng(0), resamples=50)
    assert (interval.low is None) == (interval.high is None)
    if interval.low is not None:
        assert interval.low <= interval.high
