from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from intraday_rl.errors import DataError
from intraday_rl.statistics.null import deal_sessions, rank_p_value


def test_the_p_value_counts_the_observed_among_the_draws():
    assert rank_p_value(3.0, [1.0, 2.0, 3.0, 4.0]) == 3 / 5
    assert rank_p_value(9.0, [1.0, 2.0, 3.0, 4.0]) == 1 / 5
    assert rank_p_value(0.0, []) == 1.0


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(DataError, match="observed=nan"):
        rank_p_value(float("nan"), [1.0])
    with pytest.raises(DataError, match="draws"):
        rank_p_value(1.0, [float("inf")])


@given(st.floats(-1, 1), st.lists(st.floats(-1, 1), max_size=50))
def test_a_p_value_is_above_zero_and_at_most_one(observed, draws):
    assert 0 < rank_p_value(observed, draws) <= 1


def test_five_hundred_p_values_under_the_null_are_uniform():
    generator = np.random.default_rng(0)
    p_values = [rank_p_value(draws[0], draws[1:]) for draws in generator.normal(size=(500, 1_000))]
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.001


@given(st.lists(st.sampled_from([12, 20, 24]), max_size=30), st.integers(1, 20))
def test_paths_are_dealt_to_sessions_of_equal_length_none_left_over(lengths, draws):
    dealt = deal_sessions(lengths, draws, np.random.default_rng(0))
    assert dealt.shape == (draws, len(lengths))
    for draw in dealt:
        assert sorted(draw.tolist()) == list(range(len(lengths)))
        assert [lengths[i] for i in draw] == lengths


def test_every_draw_deals_anew_and_the_seed_decides():
    lengths = [24] * 20
    dealt = deal_sessions(lengths, 50, np.random.default_rng(0))
    assert len(np.unique(dealt, axis=0)) == 50
    assert np.array_equal(dealt, deal_sessions(lengths, 50, np.random.default_rng(0)))
    assert not np.array_equal(dealt, deal_sessions(lengths, 50, np.random.default_rng(1)))
