from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from intraday_rl.errors import DataError
from intraday_rl.statistics.drawdowns import (
    drawdown_curve,
    equity_of_returns,
    equity_path,
    max_drawdown,
    worst_intraday_drawdown,
)


def test_drawdown_is_the_fall_below_the_highest_equity_so_far():
    assert drawdown_curve([100, 120, 90, 130, 117]).tolist() == pytest.approx([0, 0, 0.25, 0, 0.1])
    assert max_drawdown([100, 120, 90, 130, 117]) == 0.25


def test_a_loss_in_the_first_bar_counts_from_the_starting_equity():
    assert max_drawdown(equity_path([100.0, 80.0], [80.0, 90.0])) == pytest.approx(0.2)


def test_debt_is_a_loss_of_everything():
    assert max_drawdown([100, -50]) == 1.0


def test_equity_that_does_not_start_above_zero_is_refused():
    with pytest.raises(DataError, match="must start above 0"):
        max_drawdown([0.0, 1.0])


def test_the_worst_intraday_drawdown_looks_inside_each_session_alone():
    session = np.array(["2021-01-04"] * 3 + ["2021-01-05"] * 2, dtype="datetime64[D]")
    after = [110.0, 99.0, 105.0, 90.0, 95.0]
    before = [100.0, *after[:-1]]
    assert worst_intraday_drawdown(before, after, session) == pytest.approx(15 / 105)
    assert max_drawdown(equity_path(before, after)) == pytest.approx(20 / 110)


def test_no_rows_mean_no_drawdown():
    assert max_drawdown([]) == 0.0
    assert worst_intraday_drawdown([], [], np.array([], dtype="datetime64[D]")) == 0.0


@given(arrays(np.float64, st.integers(0, 80), elements=st.floats(-1.5, 3.0)))
def test_drawdown_lies_between_zero_and_one(returns):
    curve = drawdown_curve(equity_of_returns(returns))
    assert np.all((curve >= 0) & (curve <= 1))
    assert max_drawdown(equity_of_returns(returns)) == curve.max()


@given(arrays(np.float64, st.integers(1, 80), elements=st.floats(-0.5, 0.5)), st.integers(1, 8))
def test_the_worst_intraday_drawdown_is_at_most_the_one_over_all_bars(returns, bars):
    equity = equity_of_returns(returns)
    session = np.arange(len(returns)) // bars
    worst = worst_intraday_drawdown(equity[:-1], equity[1:], session)
    assert 0 <= worst <= max_drawdown(equity) + 1e-12
