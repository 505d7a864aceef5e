from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from intraday_rl.statistics.calendar_tables import monthly_returns, weekday_returns
from intraday_rl.statistics.ratios import sharpe, total_return

DAYS = pd.bdate_range("2020-11-16", "2021-02-12").to_numpy()
RETURNS = np.random.default_rng(0).normal(0.001, 0.01, len(DAYS))


def test_months_compound_to_their_year():
    table = monthly_returns(DAYS, RETURNS)
    assert table.index.tolist() == [2020, 2021]
    assert table.columns.tolist() == [*range(1, 13), "year"]
    for _, row in table.iterrows():
        months = row.drop("year").dropna().to_numpy(dtype=np.float64)
        assert np.prod(1 + months) - 1 == pytest.approx(row["year"])
    december = pd.DatetimeIndex(DAYS).strftime("%Y-%m") == "2020-12"
    assert table.loc[2020, 12] == pytest.approx(total_return(RETURNS[december]))
    assert np.isnan(table.loc[2020, 1])


def test_weekdays_hold_every_session_once():
    table = weekday_returns(DAYS, RETURNS)
    assert table.index.tolist() == ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
    assert table["sessions"].sum() == len(DAYS)
    mondays = RETURNS[pd.DatetimeIndex(DAYS).day_of_week == 0]
    assert table.loc["Monday", "mean"] == pytest.approx(mondays.mean())
    assert table.loc["Monday", "share_positive"] == pytest.approx(np.mean(mondays > 0))
    assert table.loc["Monday", "sharpe"] == pytest.approx(sharpe(mondays))


def test_no_sessions_make_empty_tables_and_flat_ones_no_ratio():
    none = np.array([], dtype="datetime64[ns]")
    assert monthly_returns(none, []).empty
    assert weekday_returns(none, []).empty
    assert weekday_returns(DAYS, np.zeros(len(DAYS)))["sharpe"].isna().all()
