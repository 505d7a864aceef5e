"""The differential Sharpe ratio against its golden numbers and its own definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intraday_rl.trading.book import Moments
from intraday_rl.trading.kernel.moments import differential_sharpe, downside_deviation

GOLDEN_RETURNS = [0.001, -0.002, 0.0015, 0.0005, -0.001]
GOLDEN_D = [
    0.4441454991675811,
    -1.126929041138074,
    0.688681638701738,
    0.2012720138374973,
    -0.5784470190270855,
]


def test_the_golden_sequence_without_floor_and_clip():
    a, b, eta, found = 2e-4, 4e-6, 0.01, []
    for value in GOLDEN_RETURNS:
        found.append(differential_sharpe(a, b, value, 0.0))
        a, b = a + eta * (value - a), b + eta * (value * value - b)
    assert found == pytest.approx(GOLDEN_D, rel=1e-12)
    assert (a, b) == (
        pytest.approx(1.9004949008e-4, rel=1e-10),
        pytest.approx(3.8869053697e-6, rel=1e-10),
    )


@given(
    a=st.floats(-1e-3, 1e-3),
    spread=st.floats(1e-7, 1e-4),
    value=st.floats(-0.05, 0.05),
)
def test_it_is_the_derivative_of_the_exponential_sharpe_ratio_by_eta(a, spread, value):
    b = a * a + spread

    def ratio(eta):
        mean, second = a + eta * (value - a), b + eta * (value**2 - b)
        return mean / np.sqrt(second - mean**2)

    step = 1e-7
    slope = (ratio(step) - ratio(-step)) / (2 * step)
    assert differential_sharpe(a, b, value, 0.0) == pytest.approx(slope, rel=1e-3, abs=1e-4)


@given(a=st.floats(-1e-3, 1e-3), b=st.floats(1e-7, 1e-4), value=st.floats(-0.05, 0.05))
def test_the_downside_version_is_the_derivative_of_mean_over_downside_deviation(a, b, value):
    def ratio(eta):
        mean = a + eta * (value - a)
        second = b + eta * (min(value, 0.0) ** 2 - b)
        return mean / np.sqrt(second)

    step = 1e-7
    slope = (ratio(step) - ratio(-step)) / (2 * step)
    assert downside_deviation(a, b, value, 0.0) == pytest.approx(slope, rel=1e-3, abs=1e-4)


def test_the_floor_acts_in_the_denominator_only():
    raw = differential_sharpe(1e-4, 1e-6, 0.01, 0.0)
    floored = differential_sharpe(1e-4, 1e-6, 0.01, 4e-6)
    assert floored == pytest.approx(raw * ((1e-6 - 1e-8) / 4e-6) ** 1.5)


def test_first_moments_are_the_means_of_the_hold():
    returns = np.array([0.01, -0.02, 0.03])
    moments = Moments.of(returns)
    assert moments.first == pytest.approx(returns.mean())
    assert moments.second == pytest.approx((returns**2).mean())
    assert moments.downside == pytest.approx(0.0004 / 3)
    assert moments.volatility == pytest.approx(returns.std())
