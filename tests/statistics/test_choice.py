from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from intraday_rl.errors import DataError
from intraday_rl.statistics.choice import choose

SCORES = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 5)),
    elements=st.integers(-5, 5).map(float),
)


def test_each_fold_takes_the_best_mean_of_the_folds_so_far():
    scores = [[1.0, 0.0, 9.0], [0.5, 3.0, 0.0], [0.8, 0.9, 0.0]]
    assert choose(scores) == (0, 1, 0)


def test_the_first_trial_wins_a_tie():
    assert choose([[1.0, 2.0], [2.0, 1.0], [2.0, 1.0]]) == (1, 0)


def test_a_trial_that_failed_cannot_be_chosen_from_there_on():
    nan = float("nan")
    assert choose([[3.0, nan, 9.0], [1.0, 1.0, 1.0]]) == (0, 1, 1)
    assert choose([[nan, 1.0]]) == (None, None)


@pytest.mark.parametrize("scores", [[1.0, 2.0], [], [[np.inf, 1.0]]])
def test_a_table_of_another_kind_is_refused(scores):
    with pytest.raises(DataError, match="validation_scores"):
        choose(scores)


@given(SCORES, st.data())
def test_a_choice_never_depends_on_a_later_fold(scores, data):
    fold = data.draw(st.integers(0, scores.shape[1] - 1))
    later = scores.copy()
    later[:, fold + 1 :] = data.draw(st.floats(-100, 100))
    assert choose(later)[: fold + 1] == choose(scores)[: fold + 1]


@given(SCORES)
def test_the_chosen_has_the_highest_mean_so_far(scores):
    for fold, chosen in enumerate(choose(scores)):
        means = scores[:, : fold + 1].mean(axis=1)
        assert means[chosen] == pytest.approx(means.max())
