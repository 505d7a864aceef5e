"""Splits: the factor between adjusted and traded prices, and the nights that look like one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.market.bars import Bars
from intraday_rl.market.splits import (
    SHIPPED,
    check_factor_column,
    check_splits,
    known_splits,
    late_splits,
    overnight_jumps,
    split_factors,
)

MakeBars = Callable[..., Bars]


def factors(
    days: list[str], through: str, *, traded: bool = False, symbol: str = "TQQQ"
) -> list[float]:
    session_ns = pd.DatetimeIndex(days).as_unit("ns").asi8
    got = split_factors(
        session_ns, SHIPPED[symbol], date.fromisoformat(through), prices_are_traded=traded
    )
    return [float(factor) for factor in got]


DAYS = ["2018-05-23", "2018-05-24", "2021-01-20", "2021-01-21", "2022-01-12", "2022-01-13"]


def test_a_file_that_ends_in_2023_has_twelve_in_early_2018() -> None:
    assert factors(DAYS, "2023-12-29") == [12, 4, 4, 2, 2, 1]


def test_a_file_that_ends_after_the_split_of_2025_has_twenty_four() -> None:
    assert factors(DAYS, "2025-11-20") == [24, 8, 8, 4, 4, 2]
    assert factors(DAYS, "2025-11-19") == [12, 4, 4, 2, 2, 1]


def test_spy_and_qqq_had_no_split() -> None:
    assert factors(DAYS, "2025-12-31", symbol="SPY") == factors(DAYS, "2025-12-31", symbol="QQQ")
    assert set(factors(DAYS, "2025-12-31", symbol="SPY")) == {1.0}


def test_later_splits_do_not_enter_the_factor_of_adjusted_prices() -> None:
    assert factors(["2025-11-19", "2025-11-20"], "2025-06-30") == [1, 1]
    assert late_splits(SHIPPED["TQQQ"], date(2025, 6, 30), date(2026, 1, 2)) == ["2025-11-20"]
    assert late_splits(SHIPPED["TQQQ"], date(2025, 6, 30), date(2025, 11, 19)) == []


def test_traded_prices_stay_without_a_jump_after_the_adjustment_date() -> None:
    days = ["2018-05-23", "2022-01-12", "2022-01-13"]
    assert factors(days, "2021-12-31", traded=True) == [6, 1, 0.5]


@settings(deadline=None, max_examples=50)
@given(through=st.dates(date(2018, 1, 1), date(2026, 1, 1)), cut=st.integers(1, 2000))
def test_days_that_follow_change_no_earlier_factor(through: date, cut: int) -> None:
    days = pd.bdate_range("2018-01-01", periods=2100).as_unit("ns").asi8
    for traded in (False, True):
        whole = split_factors(days, SHIPPED["TQQQ"], through, prices_are_traded=traded)
        part = split_factors(days[:cut], SHIPPED["TQQQ"], through, prices_are_traded=traded)
        assert np.array_equal(whole[:cut], part)


def test_a_declaration_wins_over_the_table_and_an_empty_one_means_none() -> None:
    assert known_splits("tqqq", None) == SHIPPED["TQQQ"]
    assert known_splits("TQQQ", {}) == {}
    assert known_splits("ABC", {"2020-01-02": 2.0}) == {"2020-01-02": 2.0}
    assert known_splits("ABC", None) is None


@pytest.mark.parametrize(
    ("splits", "through", "key"),
    [
        ({"2020-13-01": 2.0}, None, "splits"),
        ({"2020-01-02": 0.0}, None, "splits"),
        ({"2020-01-02": float("nan")}, None, "splits"),
        (None, "end of 2020", "adjusted_through"),
    ],
)
def test_a_malformed_declaration_is_refused(
    splits: dict[str, float] | None, through: str | None, key: str
) -> None:
    with pytest.raises(ConfigError, match=key):
        check_splits(splits, through)


def test_a_factor_that_changes_inside_a_session_is_refused() -> None:
    session_ns = pd.DatetimeIndex(["2021-01-20", "2021-01-21", "2021-01-21"]).as_unit("ns").asi8
    check_factor_column(session_ns, np.array([2.0, 1.0, 1.0]), "bars")
    with pytest.raises(DataError, match="inside the session 2021-01-21"):
        check_factor_column(session_ns, np.array([2.0, 2.0, 1.0]), "bars")


@pytest.mark.parametrize(("factor", "ratio"), [(0.5, "2"), (1 / 3, "3"), (10.0, "10")])
def test_an_overnight_jump_close_to_a_split_ratio_is_reported(
    make_bars: MakeBars, factor: float, ratio: str
) -> None:
    bars = make_bars("2021-01-19", "2021-01-22")
    assert overnight_jumps(bars, {}) == ()
    frame = bars.frame.copy()
    late = frame["session"] >= pd.Timestamp("2021-01-21")
    frame.loc[late, ["open", "high", "low", "close"]] *= factor
    (note,) = overnight_jumps(replace(bars, frame=frame), {})
    assert "into 2021-01-21" in note
    assert f"a split of {ratio};" in note


def test_a_jump_of_a_declared_uncommon_ratio_is_reported(make_bars: MakeBars) -> None:
    bars = make_bars("2021-01-19", "2021-01-22")
    frame = bars.frame.copy()
    late = frame["session"] >= pd.Timestamp("2021-01-21")
    frame.loc[late, ["open", "high", "low", "close"]] /= 1.5
    jumped = replace(bars, frame=frame)
    assert overnight_jumps(jumped, {}) == ()
    assert len(overnight_jumps(jumped, {"2021-01-21": 1.5})) == 1
