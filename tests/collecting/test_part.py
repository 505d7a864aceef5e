"""A month of rows becomes what the store keeps; what no bar can be is left out and counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from intraday_rl.collecting.part import month_of, settled, tidy
from intraday_rl.market.catalogue import PartState

LATER = pd.Timestamp("2022-01-05 12:00", tz="UTC")


def part_of(rows: pd.DataFrame, now: pd.Timestamp = LATER):
    made = month_of(rows, "2021-11", 15, now, None)
    assert made is not None
    return made


def test_a_whole_month_is_complete_and_the_half_day_counts_as_one(rows):
    frame, part = part_of(rows("2021-11-01", "2021-11-30"))
    assert part.state is PartState.complete
    assert (part.sessions_expected, part.sessions_found, part.left_out) == (21, 21, 0)
    assert part.bars == len(frame) == 20 * 26 + 14  # 2021-11-26 closed at 13:00


def test_the_fingerprint_is_of_the_rows_in_any_order_twice_or_in_another_zone(rows):
    month = rows("2021-11-01", "2021-11-30")
    _, part = part_of(month)
    shuffled = pd.concat([month, month.head(40)]).sample(frac=1.0, random_state=1)
    shuffled["timestamp"] = shuffled["timestamp"].dt.tz_convert("America/New_York")
    assert part_of(shuffled)[1].fingerprint == part.fingerprint
    changed = month.copy()
    changed.loc[100, "close"] = np.nextafter(changed.loc[100, "close"], 0)
    assert part_of(changed)[1].fingerprint != part.fingerprint


def test_a_month_under_way_is_open_and_holds_only_sessions_that_are_over(rows):
    during = pd.Timestamp("2021-11-10 20:00", tz="UTC")  # 15:00 in New York
    frame, part = part_of(rows("2021-11-01", "2021-11-30"), during)
    assert part.state is PartState.open
    assert part.last_session == "2021-11-09"
    assert frame["timestamp"].max() < pd.Timestamp("2021-11-09 21:00", tz="UTC")


@pytest.mark.parametrize("missing", ["2021-11-10", "2021-11-30"])
def test_an_absent_session_makes_a_month_short(rows, missing):
    month = rows("2021-11-01", "2021-11-30")
    _, part = part_of(month[month["timestamp"].dt.strftime("%Y-%m-%d") != missing])
    assert part.state is PartState.short
    assert part.sessions_found == 20


def test_a_session_cut_off_makes_a_month_short_but_a_lost_bar_does_not(rows):
    month = rows("2021-11-01", "2021-11-30")
    assert part_of(month.drop(index=5))[1].state is PartState.complete
    afternoon = (month["timestamp"] >= pd.Timestamp("2021-11-10 19:00", tz="UTC")) & (
        month["timestamp"] < pd.Timestamp("2021-11-11", tz="UTC")
    )
    assert part_of(month[~afternoon])[1].state is PartState.short


def spoiled(month: pd.DataFrame, how: str) -> pd.DataFrame:
    frame = month.copy()
    if how == "nan":
        frame.loc[7, "close"] = np.nan
    elif how == "negative":
        frame.loc[7, "low"] = -1.0
    elif how == "high below low":
        frame.loc[7, ["high", "low"]] = [1.0, 2.0]
    elif how == "close outside":
        frame.loc[7, "close"] = frame.loc[7, "high"] * 2
    elif how == "negative volume":
        frame.loc[7, "volume"] = -5.0
    elif how == "infinite":
        frame.loc[7, "high"] = np.inf
    elif how == "off the grid":
        frame.loc[7, "timestamp"] += pd.Timedelta(minutes=1)
    return frame


@pytest.mark.parametrize(
    "how",
    ["nan", "negative", "high below low", "close outside", "negative volume", "infinite",
     "off the grid"],
)  # fmt: skip
def test_a_row_that_no_bar_can_be_is_left_out_and_counted(rows, how):
    month = rows("2021-11-01", "2021-11-30")
    frame, part = part_of(spoiled(month, how))
    assert part.left_out == 1
    assert len(frame) == len(month) - 1


def test_of_two_different_rows_for_one_bar_neither_is_believed(rows):
    month = rows("2021-11-01", "2021-11-30")
    twice = month.iloc[[7]].assign(volume=1.0)
    frame, part = part_of(pd.concat([month, twice]))
    assert part.left_out == 2
    assert len(frame) == len(month) - 1


def test_rows_outside_the_sessions_are_dropped_without_a_word(rows):
    month = rows("2021-11-01", "2021-11-30")
    early = month.iloc[[0]].assign(timestamp=pd.Timestamp("2021-11-01 12:00", tz="UTC"))
    frame, part = part_of(pd.concat([early, month]))
    assert part.left_out == 0
    assert len(frame) == len(month)


def test_a_month_without_a_bar_is_no_part(rows):
    assert month_of(rows("2021-12-01", "2021-12-31"), "2021-11", 15, LATER, None) is None
    assert month_of(rows("2021-11-01", "2021-11-30").head(0), "2021-11", 15, LATER, None) is None


def test_a_short_month_is_settled_when_it_is_the_same_a_day_later(rows):
    month = rows("2021-11-01", "2021-11-29")
    _, first = part_of(month)
    _, soon = part_of(month, LATER + pd.Timedelta(hours=1))
    _, next_day = part_of(month, LATER + pd.Timedelta(days=1))
    assert settled(soon, first).state is PartState.short
    assert settled(soon, first).fetched_at == first.fetched_at  # the day counts from the first
    assert settled(next_day, first).state is PartState.settled
    _, other = part_of(month.drop(index=3), LATER + pd.Timedelta(days=1))
    assert settled(other, first).state is PartState.short
    assert settled(next_day, replace(first, state=PartState.open)).state is PartState.short


def test_columns_a_vendor_adds_are_ignored_and_no_volume_is_unknown(rows):
    month = rows("2021-11-01", "2021-11-30").assign(trade_count=3, vwap=1.0)
    assert list(tidy(month).columns) == ["timestamp", "open", "high", "low", "close", "volume"]
    assert tidy(month.drop(columns="volume"))["volume"].isna().all()
