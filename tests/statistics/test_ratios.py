from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from intraday_rl.errors import DataError
from intraday_rl.statistics.moments import moments
from intraday_rl.statistics.ratios import (
    cagr,
    calmar,
    sharpe,
    sharpe_daily,
    sharpe_daily_rows,
    sharpe_or_zero,
    sharpe_rows,
    sortino,
    total_return,
)

RETURNS = np.array([0.01, -0.02, 0.015, 0.005, -0.01])
ANY_RETURNS = arrays(
    np.float64, st.integers(2, 60), elements=st.integers(-2_000, 2_000).map(lambda i: i / 10_000)
)


def test_sharpe_is_worked_by_hand():
    deviation = math.sqrt(sum(r * r for r in RETURNS) / 4)  # their mean is 0
    assert sharpe(RETURNS) == pytest.approx(0.0, abs=1e-12)
    shifted = RETURNS + 0.001
    assert sharpe_daily(shifted) == pytest.approx(0.001 / deviation, rel=1e-12)
    assert sharpe(shifted) == pytest.approx(0.001 / deviation * math.sqrt(252), rel=1e-12)


def test_annualisation_by_other_days_or_by_bars_is_another_number():
    returns = np.random.default_rng(0).normal(0.001, 0.01, 753)
    daily = sharpe_daily(returns)
    assert sharpe(returns) == pytest.approx(daily * 15.874507866, rel=1e-9)
    for wrong_periods in (250, 365, 252 * 26):
        assert sharpe(returns) != pytest.approx(daily * math.sqrt(wrong_periods), rel=1e-3)


def test_sharpe_of_bars_annualised_as_days_is_not_the_sharpe_of_sessions():
    bars = np.random.default_rng(1).normal(0.0001, 0.002, (753, 25))
    sessions = np.prod(1 + bars, axis=1) - 1
    mistaken = bars.mean() / bars.std(ddof=1) * math.sqrt(252)
    assert sharpe(sessions) == pytest.approx(5 * mistaken, rel=0.1)


@pytest.mark.parametrize("constant", [0.0, 0.001, -0.1, 1 / 3])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 753])
def test_a_constant_series_is_null_in_tables_and_zero_in_ranks(constant, count):
    returns = np.full(count, constant)
    assert sharpe(returns) is None
    assert sharpe_daily(returns) is None
    assert sortino(returns) is None
    assert moments(returns) is None
    assert sharpe_or_zero(returns) == 0.0


def test_rows_treat_a_constant_row_as_zero_and_leave_the_others():
    matrix = np.vstack([RETURNS + 0.001, np.full(5, 0.1), np.zeros(5)])
    assert sharpe_rows(matrix)[0] == pytest.approx(sharpe(RETURNS + 0.001), rel=1e-12)
    assert sharpe_daily_rows(matrix)[1:].tolist() == [0.0, 0.0]


def test_sortino_divides_by_the_root_mean_square_of_all_losses():
    returns = np.array([0.02, -0.01, 0.0, -0.02])
    downside = math.sqrt((0.01**2 + 0.02**2) / 4)
    assert sortino(returns) == pytest.approx(-0.0025 / downside * math.sqrt(252))
    assert sortino(np.array([0.01, 0.02])) is None


def test_cagr_of_a_year_is_its_return_and_ruin_is_minus_one():
    year = np.full(252, 0.001)
    assert cagr(year) == pytest.approx(total_return(year))
    assert cagr(np.tile(year, 3)) == pytest.approx(total_return(year))
    assert cagr(np.array([0.5, -1.0, 0.3])) == -1.0
    assert cagr(np.array([])) is None


def test_calmar_needs_a_drawdown():
    year = np.full(252, 0.001)
    assert calmar(year, 0.1) == pytest.approx(total_return(year) / 0.1)
    assert calmar(year, 0.0) is None


def test_moments_are_those_of_scipy_with_raw_kurtosis():
    returns = np.random.default_rng(2).standard_t(4, 500) * 0.01
    shape = moments(returns)
    assert shape is not None
    assert shape.skewness == pytest.approx(scipy.stats.skew(returns), rel=1e-12)
    assert shape.kurtosis_raw == pytest.approx(scipy.stats.kurtosis(returns, fisher=False))
    assert shape.sharpe_daily == pytest.approx(sharpe_daily(returns), rel=1e-12)


def test_a_return_that_is_not_finite_is_refused_with_its_place():
    with pytest.raises(DataError, match=r"returns\[1\]=nan"):
        sharpe([0.1, math.nan])
    with pytest.raises(DataError, match="1 needed"):
        sharpe([[0.1, 0.2]])


@given(ANY_RETURNS, st.floats(1e-3, 1e3))
def test_ratios_do_not_depend_on_scale(returns, scale):
    for ratio in (sharpe, sortino):
        base, scaled = ratio(returns), ratio(returns * scale)
        if base is None:
            assert scaled is None
        else:
            assert scaled == pytest.approx(base, rel=1e-9, abs=1e-9)


@given(ANY_RETURNS)
def test_the_sign_of_all_returns_turns_the_sign_of_sharpe(returns):
    assert sharpe_or_zero(-returns) == -sharpe_or_zero(returns)


@given(ANY_RETURNS)
def test_raw_kurtosis_is_at_least_one_plus_squared_skewness(returns):
    shape = moments(returns)
    if shape is not None:
        assert shape.kurtosis_raw >= (1 + shape.skewness**2) * (1 - 1e-9)


def test_returns_too_small_to_square_are_no_ratio_and_no_crash():
    tiny = np.array([0.0, 1e-200, 0.0])
    assert sharpe(tiny) == 0.0
    assert moments(tiny) is None
