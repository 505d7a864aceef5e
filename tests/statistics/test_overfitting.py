from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from intraday_rl.errors import DataError
from intraday_rl.statistics.overfitting import half_sharpes, half_splits, overfitting
from intraday_rl.statistics.ratios import sharpe_daily_rows


def _noise(seed: int = 0, sessions: int = 750, trials: int = 10) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.01, (sessions, trials))


def _by_the_book(returns: np.ndarray, blocks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The definition, one split at a time."""
    sessions = len(returns) - len(returns) % blocks
    parts = np.split(returns[:sessions], blocks)
    logits, inside, outside = [], [], []
    for chosen in combinations(range(blocks), blocks // 2):
        rest = [b for b in range(blocks) if b not in chosen]
        first = sharpe_daily_rows(np.concatenate([parts[b] for b in chosen]).T)
        second = sharpe_daily_rows(np.concatenate([parts[b] for b in rest]).T)
        best = int(np.argmax(first))
        rank = scipy.stats.rankdata(second)[best] / (returns.shape[1] + 1)
        logits.append(np.log(rank / (1 - rank)))
        inside.append(first[best])
        outside.append(second[best])
    return np.array(logits), np.array(inside), np.array(outside)


@pytest.mark.parametrize(("blocks", "sessions"), [(4, 40), (6, 103), (8, 65)])
def test_the_fast_way_is_the_definition(blocks, sessions):
    returns = _noise(3, sessions, 7)
    result = overfitting(returns, blocks)
    logits, inside, outside = _by_the_book(returns, blocks)
    assert result is not None
    assert result.logits == pytest.approx(logits, rel=1e-12)
    assert result.in_sample_sharpe == pytest.approx(inside, rel=1e-9)
    assert result.out_of_sample_sharpe == pytest.approx(outside, rel=1e-9, abs=1e-12)
    assert result.probability == np.mean(logits <= 0)
    slope = scipy.stats.linregress(inside, outside)
    assert result.degradation_slope == pytest.approx(slope.slope, rel=1e-9)
    assert result.degradation_intercept == pytest.approx(slope.intercept, rel=1e-9)
    assert result.sessions_trimmed == sessions % blocks


def test_sixteen_blocks_make_twelve_thousand_eight_hundred_and_seventy_splits():
    splits = half_splits(16)
    assert splits.shape == (12_870, 8)
    for row in (0, 1, 4_000, 12_869):
        together = np.concatenate([splits[row], splits[len(splits) - 1 - row]])
        assert sorted(together.tolist()) == list(range(16))
    result = overfitting(_noise())
    assert result is not None
    assert len(result.logits) == 12_870
    assert (result.sessions_used, result.sessions_trimmed) == (736, 14)


def test_the_sessions_that_are_trimmed_are_the_last():
    returns = _noise()
    assert overfitting(returns).probability == overfitting(returns[:736]).probability


def test_fifty_trials_over_three_years_take_less_than_a_second():
    returns = _noise(trials=50)
    started = time.process_time()
    overfitting(returns)
    assert time.process_time() - started < 1.0


def test_an_edge_that_lasts_has_a_low_probability_and_one_that_turns_a_high_one():
    returns = _noise()
    returns[:, 3] += 0.0025
    assert overfitting(returns).probability < 0.05
    turning = _noise(1)
    for block in range(16):
        turning[block * 46 : (block + 1) * 46, block % 10] += 0.02
    assert overfitting(turning).probability > 0.5


def test_halves_without_movement_have_sharpe_zero_whatever_the_rounding():
    returns = _noise(trials=4)[:64]
    returns[:, 0] = 0.1  # constant everywhere; its sums do not cancel
    returns[:32, 1] = 1 / 3  # constant on the first half
    ours = half_sharpes(returns, 16)
    assert np.all(ours[:, 0] == 0)
    assert ours[0, 1] == 0
    assert np.all(ours[1:, 1] != 0)


def test_copies_share_a_mean_rank_and_flat_trials_do_not_crash():
    flat = overfitting(np.zeros((64, 3)))
    assert flat.probability == 1.0
    assert np.all(flat.logits == 0.0)
    assert flat.degradation_slope is None
    assert np.all(flat.winner == 0)
    copies = overfitting(np.repeat(_noise(trials=1), 4, axis=1))
    assert np.all(copies.logits == 0.0)


def test_copies_are_ties_wherever_they_stand():
    returns = _noise(2, trials=5)
    one, other = returns[:, [0, 1, 2, 3, 4, 0]], returns[:, [0, 0, 1, 2, 3, 4]]
    assert np.sort(overfitting(one).logits).tolist() == np.sort(overfitting(other).logits).tolist()


def test_too_little_to_judge_is_null_and_a_missing_return_is_refused():
    assert overfitting(_noise(trials=1)) is None
    assert overfitting(_noise(sessions=31)) is None
    broken = _noise()
    broken[5, 2] = np.nan
    with pytest.raises(DataError, match=r"returns\[5, 2\]=nan"):
        overfitting(broken)
    with pytest.raises(DataError, match="even number"):
        overfitting(_noise(), blocks=5)


@settings(max_examples=40, deadline=None)
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(12, 50), st.integers(2, 6)),
        elements=st.sampled_from([-0.02, -0.01, 0.0, 0.01, 0.03]),
    )
)
def test_the_probability_lies_between_zero_and_one_even_with_many_ties(returns):
    result = overfitting(returns, blocks=6)
    assert result is not None
    assert 0 <= result.probability <= 1
    assert np.all(np.isfinite(result.logits))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(-8, 8))
def test_the_probability_does_not_depend_on_scale(seed, power):
    returns = _noise(seed, 60, 5)
    assert overfitting(returns, 6).probability == overfitting(returns * 2.0**power, 6).probability
