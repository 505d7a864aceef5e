from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from intraday_rl.statistics.trials import TrialCount, correlation, effective_trials

NOISE = np.random.default_rng(0).normal(0, 0.01, (753, 20))


@pytest.mark.parametrize("method", TrialCount)
def test_independent_trials_count_nearly_in_full_and_copies_as_one(method):
    independent = effective_trials(NOISE, method)
    assert independent.number == pytest.approx(20, rel=0.06)
    assert (independent.raw, independent.method) == (20, method.value)
    copies = effective_trials(np.repeat(NOISE[:, :1], 20, axis=1), method)
    assert copies.number == pytest.approx(1.0, abs=1e-6)


def test_half_correlated_trials_follow_the_published_formula():
    common = np.random.default_rng(1).normal(0, 0.01, (753, 1))
    related = correlation(NOISE + common)
    mean = related[~np.eye(20, dtype=bool)].mean()
    assert mean == pytest.approx(0.5, abs=0.05)
    assert effective_trials(NOISE + common).number == pytest.approx(mean + (1 - mean) * 20)


def test_correlation_is_that_of_numpy():
    assert correlation(NOISE) == pytest.approx(np.corrcoef(NOISE.T), abs=1e-12)


def test_trials_that_never_trade_are_copies_of_one_another():
    flat = np.hstack([NOISE[:, :2], np.zeros((753, 2))])
    related = correlation(flat)
    assert related[2, 3] == 1.0
    assert related[0, 2] == 0.0


def test_one_trial_is_one_trial():
    assert effective_trials(NOISE[:, :1]).number == 1.0


@settings(max_examples=50, deadline=None)
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 20), st.integers(1, 6)),
        elements=st.floats(-0.5, 0.5),
    ),
    st.sampled_from(TrialCount),
)
def test_the_effective_number_lies_between_one_and_the_raw_number(returns, method):
    assert 1 <= effective_trials(returns, method).number <= returns.shape[1]
