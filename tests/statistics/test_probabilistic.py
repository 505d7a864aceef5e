from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intraday_rl.errors import DataError
from intraday_rl.statistics.moments import moments
from intraday_rl.statistics.probabilistic import (
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    probabilistic_sharpe_of,
)

SHARPE, OBSERVATIONS, SKEWNESS, KURTOSIS_RAW = 0.036 / 0.079, 24, -2.448, 10.164
DAYS = 250
ANNUAL, LENGTH, ANNUAL_VARIANCE = 2.5, 1250, 0.5


def _deflated(trials: int, skewness: float, kurtosis_raw: float) -> float:
    threshold = expected_maximum_sharpe(ANNUAL_VARIANCE / DAYS, trials)
    daily = ANNUAL / math.sqrt(DAYS)
    return probabilistic_sharpe(daily, LENGTH, skewness, kurtosis_raw, threshold)


def test_probabilistic_sharpe_has_its_golden_values():
    golden = probabilistic_sharpe(SHARPE, OBSERVATIONS, SKEWNESS, KURTOSIS_RAW)
    assert golden == pytest.approx(0.91271, abs=5e-6)
    beyond = probabilistic_sharpe(SHARPE, OBSERVATIONS, SKEWNESS, KURTOSIS_RAW, 0.1)
    assert beyond == pytest.approx(0.85536, abs=5e-6)


def test_excess_kurtosis_by_mistake_would_give_another_value():
    mistaken = probabilistic_sharpe(SHARPE, OBSERVATIONS, SKEWNESS, KURTOSIS_RAW - 3)
    assert mistaken == pytest.approx(0.9193, abs=5e-5)


def test_excess_kurtosis_of_a_calm_series_is_refused():
    with pytest.raises(DataError, match="raw kurtosis, not the excess"):
        probabilistic_sharpe(0.1, 500, 0.0, 0.0)


def test_deflated_sharpe_has_its_golden_values():
    assert expected_maximum_sharpe(ANNUAL_VARIANCE / DAYS, 100) == pytest.approx(0.11317, abs=5e-6)
    assert _deflated(100, -3, 10) == pytest.approx(0.90040, abs=5e-6)
    assert _deflated(46, -3, 10) == pytest.approx(0.95050, abs=5e-6)
    assert _deflated(88, 0, 3) == pytest.approx(0.95049, abs=5e-6)


def test_annual_numbers_by_mistake_would_give_another_value():
    threshold = expected_maximum_sharpe(ANNUAL_VARIANCE, 100)
    assert threshold == pytest.approx(0.11317 * math.sqrt(DAYS), rel=1e-4)
    mistaken = probabilistic_sharpe(ANNUAL, LENGTH, -3, 10, threshold)
    assert abs(mistaken - 0.90040) > 0.05
    half_mistaken = probabilistic_sharpe(ANNUAL / math.sqrt(DAYS), LENGTH, -3, 10, threshold)
    assert half_mistaken < 1e-6
    other_year = expected_maximum_sharpe(ANNUAL_VARIANCE / 252, 100)
    assert other_year != pytest.approx(0.11317, abs=5e-6)


def test_one_trial_expects_nothing_and_is_not_deflated():
    assert expected_maximum_sharpe(0.002, 1) == 0.0
    returns = np.random.default_rng(0).normal(0.001, 0.01, 500)
    result = deflated_sharpe(returns, [0.1])
    assert result is not None
    assert result.expected_maximum_daily == 0.0
    assert result.probability == probabilistic_sharpe_of(returns)


@pytest.mark.parametrize("trials", [2, 10, 50, 200])
def test_the_expected_maximum_is_near_the_simulated_one(trials):
    maxima = np.random.default_rng(0).normal(size=(20_000, trials)).max(axis=1)
    assert expected_maximum_sharpe(1.0, trials) == pytest.approx(maxima.mean(), abs=0.06)


def test_deflated_sharpe_puts_its_pieces_together():
    generator = np.random.default_rng(0)
    matrix = generator.normal(0.0, 0.01, (750, 20))
    sharpes = matrix.mean(axis=0) / matrix.std(axis=0, ddof=1)
    best = matrix[:, np.argmax(sharpes)]
    result = deflated_sharpe(best, sharpes)
    shape = moments(best)
    assert result is not None
    assert shape is not None
    assert result.trials == 20
    assert result.sharpe_daily == pytest.approx(sharpes.max())
    assert result.sharpe_variance_daily == pytest.approx(sharpes.var(ddof=1))
    assert (result.skewness, result.kurtosis_raw) == (shape.skewness, shape.kurtosis_raw)
    assert result.probability == probabilistic_sharpe_of(best, result.expected_maximum_daily)


def test_failed_trials_and_looks_raise_the_bar():
    returns = np.random.default_rng(0).normal(0.001, 0.01, 500)
    sharpes = [0.1, 0.05, -0.02]
    few, many = deflated_sharpe(returns, sharpes), deflated_sharpe(returns, sharpes, trials=40)
    assert few is not None
    assert many is not None
    assert many.probability < few.probability


def test_a_constant_series_has_no_probability():
    assert probabilistic_sharpe_of(np.zeros(100)) is None
    assert deflated_sharpe(np.full(100, 0.01), [0.1, 0.0]) is None


def test_a_two_point_law_on_its_edge_is_certain_and_does_not_divide_by_zero():
    # skewness 0, raw kurtosis 1: the variance term is 1; with skewness it can vanish
    skewness = 2.0
    assert probabilistic_sharpe(1.0, 10, skewness, 1 + skewness**2) == 1.0
    assert probabilistic_sharpe(1.0, 10, skewness, 1 + skewness**2, benchmark_daily=2.0) == 0.0
    assert probabilistic_sharpe(1.0, 10, skewness, 1 + skewness**2, benchmark_daily=1.0) == 0.5


@pytest.mark.parametrize(("trials", "variance"), [(0, 1.0), (math.nan, 1.0), (5, -1.0)])
def test_impossible_trials_or_variance_are_refused(trials, variance):
    with pytest.raises(DataError, match="must be"):
        expected_maximum_sharpe(variance, trials)


def test_the_minimum_track_record_is_where_the_probability_is_reached():
    length = minimum_track_record(SHARPE, SKEWNESS, KURTOSIS_RAW)
    assert length is not None
    below, above = (
        probabilistic_sharpe(SHARPE, n, SKEWNESS, KURTOSIS_RAW)
        for n in (math.floor(length), math.ceil(length))
    )
    assert below < 0.95 <= above
    assert minimum_track_record(0.1, 0.0, 3.0, benchmark_daily=0.1) is None
    assert minimum_track_record(-0.1, 0.0, 3.0) is None


@given(st.floats(-0.5, 0.5), st.integers(2, 2_000), st.floats(-3, 3), st.floats(0, 20))
def test_a_probability_lies_between_zero_and_one_and_falls_with_the_benchmark(
    sharpe, observations, skewness, tail
):
    kurtosis_raw = 1 + skewness**2 + tail
    easy = probabilistic_sharpe(sharpe, observations, skewness, kurtosis_raw, 0.0)
    hard = probabilistic_sharpe(sharpe, observations, skewness, kurtosis_raw, 0.05)
    assert 0 <= hard <= easy <= 1


@given(st.floats(0, 1), st.floats(1, 1e6), st.floats(1, 10))
def test_more_trials_never_expect_a_lower_maximum(variance, trials, factor):
    fewer = expected_maximum_sharpe(variance, trials)
    assert 0 <= fewer <= expected_maximum_sharpe(variance, trials * factor) + 1e-12
