from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from intraday_rl.errors import DataError
from intraday_rl.statistics.seeds import (
    equal_weight,
    interquartile_mean,
    interquartile_mean_interval,
    interquartile_mean_rows,
)

SCORES = st.lists(st.floats(-10, 10), min_size=1, max_size=30)


@given(SCORES)
def test_the_interquartile_mean_is_scipys_trimmed_mean_between_min_and_max(scores):
    ours = interquartile_mean(scores)
    assert ours == pytest.approx(scipy.stats.trim_mean(scores, 0.25), rel=1e-12, abs=1e-12)
    assert min(scores) - 1e-12 <= ours <= max(scores) + 1e-12


def test_outliers_do_not_move_the_interquartile_mean():
    assert interquartile_mean([1, 2, 3, 4, 5, 6, 7, 1000]) == interquartile_mean(range(1, 9))


def test_the_stratified_bootstrap_is_the_loop_written_out():
    folds = [np.array([0.1, 0.5, 0.2]), np.array([1.0, 1.4]), np.array([-0.3, 0.0, 0.4, 0.2])]
    interval = interquartile_mean_interval(folds, np.random.default_rng(0), resamples=500)
    generator = np.random.default_rng(0)
    picks = [generator.integers(len(fold), size=(500, len(fold))) for fold in folds]
    loop = [
        scipy.stats.trim_mean(
            np.concatenate([fold[pick[i]] for fold, pick in zip(folds, picks, strict=True)]), 0.25
        )
        for i in range(500)
    ]
    assert (interval.low, interval.high) == pytest.approx(tuple(np.percentile(loop, [2.5, 97.5])))


def test_seeds_never_leave_their_fold():
    interval = interquartile_mean_interval([[0.0] * 4, [1.0] * 4], np.random.default_rng(0))
    assert (interval.low, interval.estimate, interval.high) == (0.5, 0.5, 0.5)


def test_one_seed_per_fold_has_an_estimate_and_no_interval():
    interval = interquartile_mean_interval([[0.1], [0.2], [0.9]], np.random.default_rng(0))
    assert (interval.low, interval.high) == (None, None)
    assert interval.estimate == pytest.approx(0.4)
    assert interval.method == "no interval: one seed per fold"


def test_the_seed_decides_the_interval():
    folds = np.random.default_rng(5).normal(size=(3, 5))
    first, again, other = (
        interquartile_mean_interval(folds, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)


def test_no_score_at_all_is_refused():
    with pytest.raises(DataError, match="at least one score"):
        interquartile_mean([])
    with pytest.raises(DataError, match="at least one score"):
        interquartile_mean_interval([[], []], np.random.default_rng(0))


def test_seeds_are_averaged_with_equal_weight():
    assert equal_weight([[0.1, 0.0], [0.3, -0.2]]).tolist() == pytest.approx([0.2, -0.1])


@settings(max_examples=30, deadline=None)
@given(st.lists(SCORES, min_size=1, max_size=4))
def test_the_interval_lies_within_the_scores(folds):
    interval = interquartile_mean_interval(folds, np.random.default_rng(0), resamples=50)
    flat = np.concatenate([np.asarray(fold) for fold in folds])
    if interval.low is not None:
        assert flat.min() - 1e-9 <= interval.low <= interval.high <= flat.max() + 1e-9


def test_rows_are_judged_one_by_one():
    matrix = np.random.default_rng(0).normal(size=(4, 9))
    expected = [interquartile_mean(row) for row in matrix]
    assert interquartile_mean_rows(matrix) == pytest.approx(expected)
