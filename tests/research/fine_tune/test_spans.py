"""Tuning ends before the held-out days begin, in days or in sessions."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.market.calendar import sessions
from intraday_rl.research.fine_tune.drift import kolmogorov_smirnov, population_stability
from intraday_rl.research.fine_tune.periods import periods_of
from intraday_rl.research.fine_tune.spans import spans_of
from intraday_rl.tasks import Cadence, FineTune

DAYS = [day.date() for day in sessions(dt.date(2021, 1, 4), dt.date(2021, 12, 31)).index]


def test_days_are_calendar_days_up_to_the_last_session_before_the_hold_out():
    spans = spans_of(DAYS, days=30, sessions=None, holdout_sessions=20)
    assert spans.held_out == tuple(DAYS[-20:])
    assert spans.tuning[-1] == DAYS[-21]
    assert (spans.tuning[-1] - spans.tuning[0]).days < 30
    before = DAYS[DAYS.index(spans.tuning[0]) - 1]
    assert (spans.tuning[-1] - before).days >= 30


def test_sessions_are_counted():
    spans = spans_of(DAYS, days=None, sessions=7, holdout_sessions=3)
    assert spans.tuning == tuple(DAYS[-10:-3])
    assert spans.name == f"until_{DAYS[-4]}"


@pytest.mark.parametrize(("tuned", "held_out"), [(240, 20), (1, 252)])
def test_too_short_data_are_refused_by_the_option_that_asks_for_more(tuned, held_out):
    with pytest.raises(DataError, match=r"task\.(sessions|holdout_sessions)="):
        spans_of(DAYS, days=None, sessions=tuned, holdout_sessions=held_out)


@pytest.mark.parametrize(
    "given",
    [
        {"sessions": 5},
        {"days": None},
        {"days": 0},
        {"holdout_sessions": 0},
        {"timesteps": -1},
        {"learning_rate": 0.0},
        {"margin_bps_per_day": -1.0},
        {"model": " "},
    ],
)
def test_options_out_of_range_are_refused_by_their_key(given):
    with pytest.raises(ConfigError):
        FineTune(**given)
    assert FineTune(days=None, sessions=5).sessions == 5


def test_drift_is_zero_for_the_same_law_and_large_for_another():
    random = np.random.default_rng(0)
    then, same, moved = (random.normal(mean, 1.0, 5_000) for mean in (0.0, 0.0, 1.0))
    assert population_stability(then, same) < 0.02
    assert population_stability(then, moved) > 0.5
    assert kolmogorov_smirnov(then, same) < 0.05
    # The largest distance of two unit normals a standard deviation apart: 2 Φ(½) − 1.
    assert kolmogorov_smirnov(then, moved) == pytest.approx(0.383, abs=0.03)
    assert kolmogorov_smirnov(then, then) == 0.0


def test_drift_of_a_column_that_stands_still_is_a_number():
    still = np.ones(100)
    assert population_stability(still, still) == 0.0
    assert population_stability(still, still + 1.0) == 0.0 or np.isfinite(
        population_stability(still, still + 1.0)
    )


def test_a_study_tunes_by_iso_week_or_by_month_as_task_cadence_says():
    # task.cadence
    weeks, months = (periods_of(DAYS, Cadence[one]) for one in ("weekly", "monthly"))
    for periods in (weeks, months):
        assert [day for period in periods for day in period] == DAYS
    assert all(len({day.isocalendar().week for day in week}) == 1 for week in weeks)
    assert [month[0].month for month in months] == list(range(1, 13))
