"""Rows of a file are refused with the row and the reason, or become clean bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from intraday_rl.errors import DataError
from intraday_rl.market.calendar import NEW_YORK, utc
from intraday_rl.market.validation import CleanBars, validate

MakeFrame = Callable[..., pd.DataFrame]
# Holds the Monday after clocks go forward.
FIRST, LAST = "2021-03-08", "2021-03-19"


@pytest.fixture
def frame(make_frame: MakeFrame) -> pd.DataFrame:
    return make_frame(FIRST, LAST)


def check(frame: pd.DataFrame, *, at_end: bool = False, timezone: str | None = None) -> CleanBars:
    return validate(frame, "bars.csv", stamped_at_end=at_end, timezone=timezone)


def refusal(frame: pd.DataFrame, *, at_end: bool = False, timezone: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        check(frame, at_end=at_end, timezone=timezone)
    return str(caught.value)


def wall_time(frame: pd.DataFrame, zone: str) -> pd.DataFrame:
    """The same bars with naive stamps as a clock in `zone` showed them."""
    stamps = pd.DatetimeIndex(frame["timestamp"]).tz_convert(zone).tz_localize(None)
    return frame.assign(timestamp=stamps)


def moved(frame: pd.DataFrame, row: int, minutes: int) -> pd.DataFrame:
    """The same bars, one of them stamped so many minutes later."""
    shift = np.zeros(len(frame))
    shift[row] = minutes
    return frame.assign(timestamp=frame["timestamp"] + pd.to_timedelta(shift, unit="min"))


def test_clean_bars_pass_unchanged(frame: pd.DataFrame) -> None:
    clean = check(frame)
    assert clean.notes == ()
    assert clean.file_bar_ns == 15 * 60 * 10**9
    assert np.array_equal(clean.values["close"], frame["close"])
    assert np.array_equal(utc(clean.start_ns), pd.DatetimeIndex(frame["timestamp"]))


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("open", np.nan, "open=nan: must be a positive number"),
        ("close", 0.0, "close=0: must be a positive number"),
        ("low", -1.0, "low=-1: must be a positive number"),
        ("high", np.inf, "high=inf: must be a positive number"),
        ("high", 1.0, "high is below low"),
        ("open", 150.0, "open is outside"),
        ("close", 50.0, "close is outside"),
        ("volume", -1.0, "volume=-1: must be zero or more"),
        ("volume", np.inf, "volume=inf: must be zero or more"),
    ],
)
def test_a_bad_value_is_refused_with_its_row(
    frame: pd.DataFrame, column: str, value: float, reason: str
) -> None:
    frame.loc[27, column] = value
    message = refusal(frame)
    assert message.startswith("bars.csv: row 28 (2021-03-09 14:45:00+00:00): ")
    assert reason in message


def test_unknown_volume_is_allowed(frame: pd.DataFrame) -> None:
    frame.loc[3, "volume"] = np.nan
    assert np.isnan(check(frame).values["volume"][3])
    assert np.isnan(check(frame.drop(columns="volume")).values["volume"]).all()


def test_a_split_factor_must_be_positive(frame: pd.DataFrame) -> None:
    assert "row 5 " in refusal(frame.assign(split_factor=[1.0] * 4 + [0.0] * (len(frame) - 4)))


def test_duplicate_and_unordered_stamps_are_refused(frame: pd.DataFrame) -> None:
    twice = pd.concat([frame.iloc[:5], frame.iloc[4:]])
    assert "row 6 (2021-03-08 15:30:00+00:00): the time stamp is duplicate" in refusal(twice)
    swapped = pd.concat([frame.iloc[:4], frame.iloc[[5, 4]], frame.iloc[6:]])
    assert "row 6 (2021-03-08 15:30:00+00:00): the time stamp is earlier" in refusal(swapped)


def test_a_naive_stamp_needs_a_zone(frame: pd.DataFrame) -> None:
    message = refusal(wall_time(frame, NEW_YORK))
    assert "naive" in message
    assert "data.timezone" in message


@pytest.mark.parametrize("zone", ["UTC", NEW_YORK, "Europe/Berlin"])
def test_naive_stamps_are_read_in_the_declared_zone_across_a_change_of_clocks(
    frame: pd.DataFrame, zone: str
) -> None:
    clean = check(wall_time(frame, zone), timezone=zone)
    assert np.array_equal(utc(clean.start_ns), pd.DatetimeIndex(frame["timestamp"]))


def test_utc_read_as_new_york_is_refused(frame: pd.DataFrame) -> None:
    message = refusal(wall_time(frame, "UTC"), timezone=NEW_YORK)
    assert "data.timezone" in message


def test_new_york_read_as_utc_is_refused(frame: pd.DataFrame) -> None:
    assert "data.timezone" in refusal(wall_time(frame, NEW_YORK), timezone="UTC")


def test_a_clock_without_summer_time_is_refused(make_frame: MakeFrame) -> None:
    year = wall_time(make_frame("2021-01-04", "2021-12-31"), "Etc/GMT+5")
    assert "shifted" in refusal(year, timezone=NEW_YORK)


def test_stamps_with_an_offset_must_agree_with_the_declared_zone(frame: pd.DataFrame) -> None:
    local = frame.assign(timestamp=frame["timestamp"].dt.tz_convert(NEW_YORK))
    assert any("not needed" in note for note in check(local, timezone=NEW_YORK).notes)
    assert "contradicts data.timezone=UTC" in refusal(local, timezone="UTC")
    text = local.assign(timestamp=local["timestamp"].astype(str))
    assert any("not needed" in note for note in check(text, timezone=NEW_YORK).notes)
    assert "contradicts data.timezone=UTC" in refusal(text, timezone="UTC")
    assert np.array_equal(check(text).start_ns, check(frame).start_ns)


def test_a_time_that_the_clocks_skip_is_refused(frame: pd.DataFrame) -> None:
    local = wall_time(frame, NEW_YORK)
    local.loc[130, "timestamp"] = pd.Timestamp("2021-03-14 02:30")
    assert "row 131 (2021-03-14 02:30:00): this time does not exist" in refusal(
        local, timezone=NEW_YORK
    )


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_the_resolution_of_the_stamps_does_not_matter(
    frame: pd.DataFrame, unit: Literal["s", "ms", "us"]
) -> None:
    stamps = pd.DatetimeIndex(frame["timestamp"]).as_unit(unit)
    assert np.array_equal(check(frame.assign(timestamp=stamps)).start_ns, check(frame).start_ns)


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        ("08/03/2021 09:45", "not ISO 8601"),
        ("yesterday", "not ISO 8601"),
        ("2021-03-08 14:45:00", "some stamps carry a UTC offset and some do not"),
        (None, "the time stamp is empty"),
        ("1812-03-08 14:45:00+00:00", "lies outside"),
    ],
)
def test_text_that_is_no_time_is_refused_with_its_row(
    frame: pd.DataFrame, stamp: str | None, reason: str
) -> None:
    text = frame["timestamp"].astype(str).astype(object)
    text[1] = stamp
    message = refusal(frame.assign(timestamp=text))
    assert "row 2" in message
    assert reason in message


def test_an_epoch_is_refused_since_its_unit_would_be_a_guess(frame: pd.DataFrame) -> None:
    seconds = frame["timestamp"].astype("int64") // 10**9
    assert "epoch" in refusal(frame.assign(timestamp=seconds))


def test_text_in_a_price_column_is_refused(frame: pd.DataFrame) -> None:
    mixed = frame["open"].astype(object)
    mixed[2] = "1,234.5"
    assert "row 3 (2021-03-08 15:00:00+00:00): open='1,234.5' is not a number" in refusal(
        frame.assign(open=mixed)
    )
    assert "column open is stored as" in refusal(frame.assign(open=frame["open"].astype(str)))


def test_bars_outside_the_session_are_dropped_and_counted(make_frame: MakeFrame) -> None:
    frame = make_frame(FIRST, LAST)
    around = []
    for shift in (-7, 7):
        extra = frame.assign(timestamp=frame["timestamp"] + pd.Timedelta(hours=shift), open=-1.0)
        around.append(extra)
    clean = check(pd.concat([frame, *around]).sort_values("timestamp"))
    assert clean.notes == (f"{2 * len(frame)} bars outside the exchange's sessions dropped",)
    assert np.array_equal(clean.values["close"], frame["close"])


def test_bars_after_the_early_close_of_a_half_day_are_dropped(make_frame: MakeFrame) -> None:
    whole = make_frame("2021-11-24", "2021-11-24").iloc[:26]
    friday = whole.assign(timestamp=whole["timestamp"] + pd.Timedelta(days=2))
    clean = check(pd.concat([whole, friday], ignore_index=True))
    assert len(clean.start_ns) == 26 + 14
    assert clean.notes == ("12 bars outside the exchange's sessions dropped",)


@pytest.mark.parametrize("day", ["2018-12-05", "2025-01-09"])
def test_bars_on_a_day_of_closure_are_dropped(make_frame: MakeFrame, day: str) -> None:
    closed = pd.Timestamp(day)
    before = str((closed - pd.Timedelta(days=1)).date())
    frame = make_frame(before, before)
    ghost = frame.assign(timestamp=frame["timestamp"] + pd.Timedelta(days=1))
    assert len(check(pd.concat([frame, ghost], ignore_index=True)).start_ns) == len(frame)


def test_bars_of_the_last_day_of_2021_are_kept(make_frame: MakeFrame) -> None:
    assert len(check(make_frame("2021-12-31", "2021-12-31")).start_ns) == 26


@pytest.mark.parametrize(("row", "minutes"), [(26, -7), (51, 7)])
def test_a_bar_across_a_session_border_is_refused(
    frame: pd.DataFrame, row: int, minutes: int
) -> None:
    message = refusal(moved(frame, row, minutes))
    assert f"row {row + 1} " in message
    assert "crosses the border of the session" in message


def test_a_bar_off_the_grid_is_refused(frame: pd.DataFrame) -> None:
    message = refusal(moved(frame, 30, 5))
    assert "row 31 " in message
    assert "off the 15-minute grid" in message


@pytest.mark.parametrize("bar_minutes", [1, 5, 15, 30, 60])
def test_bars_stamped_by_their_end_are_the_same_bars(
    make_frame: MakeFrame, bar_minutes: int
) -> None:
    frame = make_frame("2021-11-22", "2021-11-29", bar_minutes)
    starts = check(frame)
    place = starts.start_ns + bar_minutes * 60 * 10**9
    ends = frame.assign(timestamp=utc(np.minimum(place, starts.close_ns)))
    assert np.array_equal(check(ends, at_end=True).start_ns, starts.start_ns)


def test_the_wrong_label_is_refused(frame: pd.DataFrame) -> None:
    assert "data.bar_label=end contradicts the stamps" in refusal(frame, at_end=True)
    ends = frame.assign(timestamp=frame["timestamp"] + pd.Timedelta(minutes=15))
    assert "data.bar_label=start contradicts the stamps" in refusal(ends)


def test_data_without_an_intraday_bar_length_are_refused(frame: pd.DataFrame) -> None:
    assert "at most one bar a session" in refusal(frame.iloc[::26])
    night = frame.assign(timestamp=frame["timestamp"] + pd.Timedelta(hours=8))
    assert "no time stamp lies inside a session" in refusal(night)
    assert "no data rows" in refusal(frame.iloc[:0])
