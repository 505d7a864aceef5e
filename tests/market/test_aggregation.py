"""Finer bars become traded bars inside their own session, and nothing is invented."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intraday_rl.errors import DataError
from intraday_rl.market.aggregation import TradedBars, aggregate
from intraday_rl.market.calendar import NEW_YORK, utc
from intraday_rl.market.sources import BarLabel, FileData, FileFormat, load
from intraday_rl.market.validation import validate

MakeFrame = Callable[..., pd.DataFrame]


def traded(frame: pd.DataFrame, bar_minutes: int) -> TradedBars:
    return aggregate(validate(frame, "bars", stamped_at_end=False, timezone=None), bar_minutes)


def times(ns: np.ndarray) -> list[str]:
    return [str(text) for text in utc(ns).tz_convert(NEW_YORK).strftime("%d %H:%M")]


def test_three_bars_become_one_as_by_hand(make_frame: MakeFrame) -> None:
    frame = make_frame("2021-11-24", "2021-11-24", 5)
    bars, three = traded(frame, 15), frame.iloc[3:6]
    assert times(bars.start_ns[1:2]) + times(bars.end_ns[1:2]) == ["24 09:45", "24 10:00"]
    got = {name: column[1] for name, column in bars.values.items()}
    assert got == {
        "open": three["open"].iloc[0],
        "high": three["high"].max(),
        "low": three["low"].min(),
        "close": three["close"].iloc[-1],
        "volume": three["volume"].sum(),
    }
    assert bars.notes == ()


def test_bars_of_the_traded_length_stay_as_they_are(make_frame: MakeFrame) -> None:
    frame = make_frame("2021-11-22", "2021-11-29", 15)
    bars = traded(frame, 15)
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(bars.values[name], frame[name])


def test_a_half_day_has_14_bars_and_sessions_never_mix(make_frame: MakeFrame) -> None:
    bars = traded(make_frame("2021-11-24", "2021-11-29", 5), 15)
    _, counts = np.unique(bars.session_ns, return_counts=True)
    assert counts.tolist() == [26, 14, 26]
    assert times(bars.end_ns[[25, 39, 65]]) == ["24 16:00", "26 13:00", "29 16:00"]


@pytest.mark.parametrize("file_minutes", [15, 30, 60])
def test_a_length_that_does_not_divide_the_session_ends_in_a_short_bar(
    make_frame: MakeFrame, file_minutes: int
) -> None:
    bars = traded(make_frame("2021-11-24", "2021-11-26", file_minutes), 60)
    assert times(bars.start_ns)[6:8] == ["24 15:30", "26 09:30"]
    assert times(bars.end_ns)[6:8] == ["24 16:00", "26 10:30"]
    assert times(bars.end_ns)[-1] == "26 13:00"
    assert bars.notes == ()


def test_a_traded_bar_exists_when_its_first_fine_bar_does_and_the_notes_count_holes(
    make_frame: MakeFrame,
) -> None:
    frame = make_frame("2021-11-24", "2021-11-24", 5)
    holed = frame.drop(index=[3, 7, 8, 9, 10, 11])
    bars = traded(holed, 15)
    assert len(bars.start_ns) == 24
    assert times(bars.start_ns)[:3] == ["24 09:30", "24 10:00", "24 10:30"]
    assert bars.values["open"][1] == frame["open"][6]
    assert bars.values["close"][1] == frame["close"][6]
    assert bars.notes == (
        "2 of 25 15-minute bars are built from fewer than their full number of 5-minute bars",
        "1 15-minute bars are missing: no bar of the file starts with them",
    )


def test_volume_is_unknown_when_any_part_of_it_is(make_frame: MakeFrame) -> None:
    frame = make_frame("2021-11-24", "2021-11-24", 5)
    frame.loc[4, "volume"] = np.nan
    volume = traded(frame, 15).values["volume"]
    assert np.flatnonzero(np.isnan(volume)).tolist() == [1]


@pytest.mark.parametrize("bar_minutes", [5, 20, 40])
def test_a_length_that_is_no_multiple_of_the_files_is_refused(
    make_frame: MakeFrame, bar_minutes: int
) -> None:
    with pytest.raises(DataError, match=f"data.bar_minutes={bar_minutes} is not a multiple"):
        traded(make_frame("2021-11-24", "2021-11-24", 15), bar_minutes)


@settings(deadline=None, max_examples=30)
@given(
    keep=st.integers(0, 2**32 - 1),
    share=st.floats(0.7, 1.0),
    bar_minutes=st.sampled_from([5, 10, 15, 30, 45, 60, 390]),
)
def test_aggregation_agrees_with_a_plain_group_by(
    make_frame: MakeFrame, keep: int, share: float, bar_minutes: int
) -> None:
    frame = make_frame("2021-11-23", "2021-11-29", 5)
    kept = np.random.default_rng(keep).random(len(frame)) < share
    frame = frame[kept]
    bars = traded(frame, bar_minutes)
    local = frame["timestamp"].dt.tz_convert(NEW_YORK)
    minutes = local.dt.hour * 60 + local.dt.minute - (9 * 60 + 30)
    groups = frame.groupby([local.dt.date, minutes // bar_minutes])
    expected = groups.agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )
    begun = ((minutes % bar_minutes) == 0).groupby([local.dt.date, minutes // bar_minutes]).any()
    expected = expected[begun]
    for name in expected:
        assert np.array_equal(bars.values[str(name)], expected[name])
    assert (bars.end_ns > bars.start_ns).all()
    assert (np.diff(bars.start_ns) > 0).all()


def test_a_bar_whose_first_fine_bar_is_missing_is_missing_not_opened_later(
    real_data: Path, tmp_path: Path
) -> None:
    """At the cutoff a later open would be an exit at 15:50 that calls itself 15:45."""
    raw = pd.read_parquet(real_data / "TQQQ_5min_2025_2026.parquet")
    clock = raw["timestamp"].dt.tz_convert("America/New_York").dt.strftime("%H:%M")
    path = tmp_path / "holes.parquet"
    raw[clock != "15:45"].to_parquet(path)
    data = FileData(path=str(path), format=FileFormat.parquet, bar_label=BarLabel.start, splits={})
    bars = load(data, "TQQQ", None).symbol.frame
    starts = bars["bar_start"].dt.tz_convert("America/New_York").dt.strftime("%H:%M")
    assert "15:45" not in set(starts)
    assert {"15:30", "09:30"} <= set(starts)
