"""Bars: slicing by session and a fingerprint that a longer future does not change."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intraday_rl.market.bars import Bars

MakeBars = Callable[..., Bars]


@pytest.fixture(scope="module")
def bars(make_bars: MakeBars) -> Bars:
    return make_bars("2021-11-15", "2021-12-10")


def test_the_sessions_are_those_of_the_exchange(bars: Bars) -> None:
    days = [str(day.date()) for day in bars.session_index()]
    assert days[0] == "2021-11-15"
    assert "2021-11-25" not in days
    assert len(days) == len(bars.session_starts()) == 19


def test_between_keeps_whole_sessions_and_counts_rows_from_zero(bars: Bars) -> None:
    part = bars.between(date(2021, 11, 25), date(2021, 11, 28))
    assert [str(day.date()) for day in part.session_index()] == ["2021-11-26"]
    assert len(part.frame) == 14
    assert part.frame.index[0] == 0


def test_between_dates_without_bars_is_empty(bars: Bars) -> None:
    part = bars.between(date(2020, 1, 1), date(2020, 2, 1))
    assert len(part.frame) == len(part.session_index()) == len(part.session_starts()) == 0
    assert not part.has_volume()


@settings(deadline=None, max_examples=25)
@given(day=st.integers(15, 40))
def test_a_prefix_has_the_same_fingerprint_whatever_follows(bars: Bars, day: int) -> None:
    whole, through = bars, date(2021, 11, 1) + timedelta(days=day - 1)
    prefix = whole.between(date(2000, 1, 1), through)
    other = whole.frame.copy()
    later = other["session"] > pd.Timestamp(through)
    other.loc[later, ["open", "high", "low", "close"]] *= 1.5
    assert whole.fingerprint(through) == prefix.fingerprint()
    assert replace(whole, frame=other).fingerprint(through) == prefix.fingerprint()


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume", "split_factor"])
def test_the_last_bit_of_any_value_changes_the_fingerprint(bars: Bars, column: str) -> None:
    values = bars.frame[column].to_numpy(copy=True)
    values[7] = np.nextafter(values[7], np.inf)
    assert (
        replace(bars, frame=bars.frame.assign(**{column: values})).fingerprint()
        != bars.fingerprint()
    )


def test_a_shifted_bar_or_another_length_changes_the_fingerprint(bars: Bars) -> None:
    frame = bars.frame.copy()
    frame["bar_end"] += pd.Timedelta(minutes=1)
    assert replace(bars, frame=frame).fingerprint() != bars.fingerprint()
    assert replace(bars, bar_minutes=30).fingerprint() != bars.fingerprint()


def test_name_notes_and_the_form_of_nan_and_zero_do_not_enter_the_fingerprint(bars: Bars) -> None:
    named = replace(bars, symbol="OTHER", notes=("a note",))
    assert named.fingerprint() == bars.fingerprint()
    prints = set()
    for nan in (0x7FF8000000000000, 0xFFF8000000000001):
        frame = bars.frame.copy()
        volume = frame["volume"].to_numpy(copy=True)
        volume[3] = np.array([nan], dtype=np.uint64).view(np.float64)[0]
        volume[4] = -0.0 if nan >> 63 else 0.0
        frame["volume"] = volume
        prints.add(replace(bars, frame=frame).fingerprint())
    assert len(prints) == 1


def test_the_fingerprint_can_be_recomputed_by_hand(make_bars: MakeBars) -> None:
    bars = make_bars("2021-11-26", "2021-11-29")
    hashed = struct.pack("<q", 15)
    for row in bars.frame.to_dict("records"):
        times = [row[name].value for name in ("session", "bar_start", "bar_end")]
        values = [row[name] for name in ("open", "high", "low", "close", "volume", "split_factor")]
        hashed += struct.pack("<3q6d", *times, *values)
    assert bars.fingerprint() == hashlib.sha256(hashed).hexdigest()


def test_volume_is_there_only_if_every_bar_has_it(bars: Bars) -> None:
    assert bars.has_volume()
    frame = bars.frame.copy()
    frame.loc[5, "volume"] = np.nan
    assert not replace(bars, frame=frame).has_volume()


def test_a_frame_of_another_shape_is_a_programming_error(bars: Bars) -> None:
    with pytest.raises(TypeError, match="volume"):
        replace(bars, frame=bars.frame.drop(columns="volume"))
    with pytest.raises(TypeError, match="bar_start"):
        replace(bars, frame=bars.frame.assign(bar_start=0))
    with pytest.raises(TypeError, match="RangeIndex"):
        replace(bars, frame=bars.frame.set_index("bar_end", drop=False))
