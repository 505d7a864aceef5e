"""The calendar is the exchange's, with its special days, half days and changes of the clocks."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from intraday_rl.market.calendar import (
    NEW_YORK,
    expected_bars,
    nanoseconds,
    open_close_ns,
    sessions,
    utc,
)

MINUTE_NS = 60 * 10**9


def one(day: str) -> pd.Series:
    table = sessions(date.fromisoformat(day), date.fromisoformat(day))
    assert len(table) == 1
    return table.iloc[0]


@pytest.mark.parametrize("day", ["2018-12-05", "2025-01-09", "2021-11-25", "2022-06-20"])
def test_a_special_closure_or_holiday_has_no_session(day: str) -> None:
    assert sessions(date.fromisoformat(day), date.fromisoformat(day)).empty


def test_the_last_day_of_2021_is_a_full_session() -> None:
    day = one("2021-12-31")
    assert not day["half_day"]
    assert day["close"].tz_convert(NEW_YORK).strftime("%H:%M") == "16:00"


@pytest.mark.parametrize("day", ["2021-11-26", "2018-07-03", "2020-12-24", "2023-11-24"])
def test_a_half_day_closes_at_thirteen(day: str) -> None:
    session = one(day)
    assert session["half_day"]
    assert session["close"].tz_convert(NEW_YORK).strftime("%H:%M") == "13:00"


@pytest.mark.parametrize(
    ("day", "open_utc"),
    [
        ("2021-03-12", "14:30"),
        ("2021-03-15", "13:30"),
        ("2021-11-05", "13:30"),
        ("2021-11-08", "14:30"),
    ],
)
def test_the_open_is_half_past_nine_in_new_york_on_both_sides_of_a_change_of_clocks(
    day: str, open_utc: str
) -> None:
    session = one(day)
    assert session["open"].strftime("%H:%M") == open_utc
    assert session["open"].tz_convert(NEW_YORK).strftime("%H:%M") == "09:30"


@pytest.mark.parametrize(("year", "count"), [(2021, 252), (2022, 251), (2023, 250)])
def test_the_test_years_have_their_sessions(year: int, count: int) -> None:
    assert len(sessions(date(year, 1, 1), date(year, 12, 31))) == count


def test_a_full_session_has_26_bars_of_15_minutes_and_a_half_day_14() -> None:
    table = sessions(date(2021, 11, 24), date(2021, 11, 26))
    opens, closes = open_close_ns(table)
    assert expected_bars(opens, closes, 15 * MINUTE_NS).tolist() == [26, 14]
    assert expected_bars(opens, closes, 60 * MINUTE_NS).tolist() == [7, 4]


def test_the_table_has_the_agreed_types_and_is_a_copy() -> None:
    table = sessions(date(2021, 1, 1), date(2021, 1, 31))
    assert table.index.dtype == "datetime64[ns]"
    assert table.index.name == "session"
    assert [str(kind) for kind in table.dtypes] == [*["datetime64[ns, UTC]"] * 2, "bool"]
    table["half_day"] = True
    assert not sessions(date(2021, 1, 1), date(2021, 1, 31))["half_day"].any()


def test_a_span_beyond_the_usual_years_is_answered_too() -> None:
    assert len(sessions(date(2041, 1, 1), date(2041, 12, 31))) > 240


def test_a_span_without_sessions_is_empty() -> None:
    assert sessions(date(2021, 1, 2), date(2021, 1, 3)).empty


def test_stamps_survive_the_way_to_nanoseconds_and_back() -> None:
    stamps = sessions(date(2021, 3, 1), date(2021, 4, 1))["open"]
    back = utc(nanoseconds(stamps))
    assert np.array_equal(back, pd.DatetimeIndex(stamps))
