"""Fine bars in any order become the traded bars of the whole file, and nothing is known early."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.live.feeds.fine_bar import FineBar
from intraday_rl.live.feeds.terms import DayTerms
from intraday_rl.market.bars import Bars
from intraday_rl.market.sources import BarLabel, Prices
from tests.live.feeds.conftest import (
    HALF,
    ORDINARY,
    assert_same,
    at,
    day_of_bars,
    intake_of,
    read_whole,
    real_minutes,
    rows_of,
)

SLOT = 15
EVENING = pd.Timestamp("2021-11-26 22:00", tz="UTC")
DAY = day_of_bars(ORDINARY)
ROWS = rows_of(DAY)


def whole(frame: pd.DataFrame, folder: Path) -> Bars:
    file = folder / "SPY.parquet"
    frame.to_parquet(file)
    return read_whole(file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.mark.parametrize("day", [ORDINARY, HALF])
@pytest.mark.parametrize("minutes", [1, 5, 15])
def test_a_day_fed_in_is_the_day_read_whole(day: date, minutes: int, tmp_path: Path) -> None:
    frame = day_of_bars(day, minutes)
    intake = intake_of(day, feed_bar_minutes=minutes)
    for row in rows_of(frame):
        intake.take(*row, now=row[0] + pd.Timedelta(minutes=minutes))
    assert_same(intake.bars(EVENING), whole(frame, tmp_path))
    assert intake.findings.new() == ()
    assert len(intake.bars(at("10:00", day)).frame) == 2


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_order_with_repeats_and_holes_gives_the_bars_of_the_whole_file(
    data: st.DataObject, folder: Path
) -> None:
    first = data.draw(st.integers(0, 330))
    some = ROWS[first : first + 60]
    kept = data.draw(st.lists(st.sampled_from(some), min_size=1, max_size=80))
    there = DAY[DAY["timestamp"].isin({row[0] for row in kept})]
    intake = intake_of()
    for row in kept:
        intake.take(*row, now=EVENING)
    found = intake.bars(EVENING)
    assert intake.findings.new() == ()
    ours, minutes = found.frame, there["timestamp"].diff().dt.total_seconds().div(60)
    if len(there) > 2 and minutes.min() == 1 and (minutes == 1).sum() > len(there) / 2:
        if len(found.frame):
            assert_same(found, whole(there, folder))  # else the file's bars have another length
        else:
            with pytest.raises(DataError, match="no bar of 15 minutes can be built"):
                whole(there, folder)
    started = there[(there["timestamp"].dt.minute % SLOT) == 0]["timestamp"]
    assert ours["bar_start"].tolist() == started.tolist()


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), most_seconds=st.sampled_from([5, 60, 900, 4000]))
def test_nothing_appears_before_its_end_and_nothing_given_out_ever_changes(
    seed: int, most_seconds: int
) -> None:
    """Minutes come late and in any order; what is known only ever grows at its end."""
    late = np.random.default_rng(seed).integers(0, most_seconds, 46)
    arrivals = sorted(
        (row[0] + pd.Timedelta(minutes=1, seconds=int(seconds)), row)
        for row, seconds in zip(ROWS[:46], late, strict=True)
    )
    intake = intake_of()
    before = intake.bars(at("9:30")).frame
    for now, row in arrivals:
        intake.take(*row, now=now)
        known = intake.bars(now).frame
        assert (known["bar_end"] <= now).all()
        assert known.iloc[: len(before)].equals(before)
        assert known["bar_end"].is_monotonic_increasing
        before = known
        told = intake.opening(at("9:45"), now)
        assert told is None or told[0] + pd.Timedelta(minutes=1) <= now


CORRUPT = {
    "a NaN price": ({"close": math.nan}, "close=nan: must be a positive number"),
    "a price of zero": ({"low": 0.0}, "low=0: must be a positive number"),
    "a price below zero": ({"open": -1.0}, "open=-1: must be a positive number"),
    "an endless price": ({"high": math.inf}, "high=inf: must be a positive number"),
    "a price nobody believes": ({"high": 1e13}, "must lie between 1e-09 and 1e+12"),
    "high below low": ({"high": 50.0}, "high is below low"),
    "an open outside": ({"open": 500.0}, "open is outside [low, high]"),
    "a close outside": ({"close": 5.0}, "close is outside [low, high]"),
    "a volume below zero": ({"volume": -1.0}, "volume=-1: must be zero or more"),
    "an endless volume": ({"volume": math.inf}, "volume=inf: must be zero or more"),
    "a volume nobody believes": ({"volume": 1e16}, "must be at most 1e+15"),
    "off the grid": ({"start": at("10:03:30")}, "is off the 1-minute grid"),
}


@pytest.mark.parametrize("how", CORRUPT)
def test_a_corrupt_bar_is_said_once_and_changes_nothing(how: str, folder: Path) -> None:
    changed, reason = CORRUPT[how]
    intake, good = intake_of(), FineBar(*ROWS[33])
    assert good.start == at("10:03")
    for row in ROWS[:60]:
        for _ in range(2):
            if row[0] == good.start:
                intake.take(*good._replace(**changed), now=EVENING)
        intake.take(*row, now=EVENING)
    (said,) = intake.findings.new()
    assert said.startswith("SPY 10:03")
    assert reason in said
    assert said.endswith("the bar is left out") or reason.startswith("is off")
    assert_same(intake.bars(EVENING), whole(DAY.head(60), folder))
    assert intake.findings.new() == ()


def test_bars_outside_the_session_are_said_once_a_side() -> None:
    intake = intake_of()
    for text in ("4:00", "9:29", "16:00", "19:59"):
        intake.take(at(text), 1.0, 1.0, 1.0, 1.0, 1.0, EVENING)
    assert intake.findings.new() == (
        "SPY: bars before the session are left out",
        "SPY: bars after the session are left out",
    )
    assert intake.bars(EVENING).frame.empty


def test_a_bar_that_is_not_over_is_refused_and_may_come_again() -> None:
    intake = intake_of()
    intake.take(*ROWS[0], now=at("9:30:59"))
    assert intake.findings.new() == ("SPY 09:30: ends in the future; the bar is left out",)
    assert intake.opening(at("9:30"), at("9:31")) is None
    intake.take(*ROWS[0], now=at("9:31"))
    assert intake.opening(at("9:30"), at("9:31")) == (at("9:30"), ROWS[0][1])


def test_of_two_bars_for_one_minute_the_first_stays_and_it_is_said() -> None:
    intake, bar = intake_of(), FineBar(*ROWS[0])
    intake.take(*bar, now=EVENING)
    intake.take(*bar, now=EVENING)
    assert intake.findings.new() == ()
    for _ in range(2):
        intake.take(*bar._replace(volume=bar.volume + 1), now=EVENING)
    (said,) = intake.findings.new()
    assert said == "SPY 09:30: came again with other values; the first ones stay"
    assert intake.bars(EVENING).frame["volume"].tolist() == [bar.volume]


def test_unknown_volumes_are_alike_and_make_the_sum_unknown() -> None:
    intake = intake_of()
    for row in (ROWS[0], ROWS[0], *ROWS[1:15]):
        intake.take(*row[:5], math.nan if row is ROWS[0] else row[5], now=EVENING)
    assert intake.findings.new() == ()
    assert intake.bars(EVENING).frame["volume"].isna().tolist() == [True]


def test_a_bar_is_known_when_its_last_minute_came_or_when_the_grace_is_over() -> None:
    intake = intake_of()
    for row in ROWS[:14]:
        intake.take(*row, now=row[0] + pd.Timedelta(minutes=1))
    assert intake.bars(at("9:45:14")).frame.empty
    assert len(intake.bars(at("9:45:15")).frame) == 1
    prompt = intake_of()
    for row in ROWS[:15]:
        prompt.take(*row, now=at("9:45"))
    assert len(prompt.bars(at("9:45")).frame) == 1


def test_a_bar_without_its_first_minute_is_missing_and_may_still_come() -> None:
    intake = intake_of()
    for row in ROWS[1:15]:
        intake.take(*row, now=at("9:45"))
    assert intake.bars(at("9:50")).frame.empty
    intake.take(*ROWS[0], now=at("9:51"))
    assert len(intake.bars(at("9:51")).frame) == 1


def test_what_comes_after_its_bar_was_given_out_is_a_finding() -> None:
    intake = intake_of()
    for row in ROWS[:10] + ROWS[11:15]:
        intake.take(*row, now=at("9:45"))
    given_out = intake.bars(at("9:45"))
    intake.take(*ROWS[10], now=at("9:46"))
    assert_same(intake.bars(at("9:46")), given_out)
    (said,) = intake.findings.new()
    assert said.startswith("SPY 09:40: came after the bars around it were used")


def test_a_missing_bar_stays_missing_once_a_later_one_was_given_out() -> None:
    intake = intake_of()
    for row in ROWS[15:30]:
        intake.take(*row, now=at("10:00"))
    given_out = intake.bars(at("10:00"))
    assert given_out.frame["bar_start"].tolist() == [at("9:45")]
    for row in ROWS[:15]:
        intake.take(*row, now=at("10:01"))
    assert_same(intake.bars(at("10:01")), given_out)
    assert len(intake.findings.new()) == 15


def test_an_opening_is_told_with_the_first_minute_of_the_first_bar_that_has_one() -> None:
    intake = intake_of()
    assert intake.opening(at("9:45"), at("9:46")) is None
    intake.take(*ROWS[16], now=at("9:47"))
    assert intake.opening(at("9:45"), at("9:47")) is None
    intake.take(*ROWS[30], now=at("10:01"))
    assert intake.opening(at("9:45"), at("10:01")) == (at("10:00"), ROWS[30][1])
    assert intake.opening(at("9:45"), at("9:59")) is None
    intake.take(*ROWS[15], now=at("10:02"))  # the fill is told already: its bar stays missing
    assert intake.opening(at("9:45"), at("10:02")) == (at("10:00"), ROWS[30][1])
    assert "09:45: came after" in intake.findings.new()[0]
    assert intake.opening(at("15:59"), EVENING) is None


def test_a_correction_replaces_what_nobody_has_used() -> None:
    intake, bar = intake_of(), FineBar(*ROWS[14])
    for row in ROWS[:15]:
        intake.take(*row, now=at("9:45"))
    better = bar._replace(close=bar.low)
    intake.correct(better, at("9:45"))
    assert intake.bars(at("9:45")).frame["close"].tolist() == [bar.low]
    intake.correct(better, at("9:45"))
    assert intake.findings.new() == ()
    intake.correct(bar, at("9:46"))
    assert intake.findings.new() == (
        "SPY 09:44: is corrected after it was used; the first values stay",
    )
    assert intake.bars(at("9:46")).frame["close"].tolist() == [bar.low]


def test_an_opening_that_was_told_is_not_corrected() -> None:
    intake, bar = intake_of(), FineBar(*ROWS[15])
    intake.take(*bar, now=at("9:46"))
    assert intake.opening(at("9:45"), at("9:46")) == (bar.start, bar.open)
    intake.correct(bar._replace(open=bar.low), at("9:46"))
    assert "is corrected after it was used" in intake.findings.new()[0]
    assert intake.opening(at("9:45"), at("9:46")) == (bar.start, bar.open)


def test_a_correction_of_a_bar_that_never_came_is_the_bar() -> None:
    intake = intake_of()
    intake.correct(FineBar(*ROWS[0]), at("9:31"))
    assert intake.has(ROWS[0][0].value)


@pytest.mark.parametrize("ratio", [2.0, 3.0, 0.1])
def test_a_split_of_the_day_leaves_no_jump_and_is_what_the_whole_file_says(
    ratio: float, tmp_path: Path
) -> None:
    """Yesterday at about 100 USD, today at 100 / ratio with as many more shares."""
    yesterday = day_of_bars(date(2021, 11, 23), seed=1)
    today = DAY.assign(
        **{name: DAY[name] / ratio for name in ("open", "high", "low", "close")},
        volume=DAY["volume"] * ratio,
    )
    file = tmp_path / "SPY.parquet"
    pd.concat([yesterday, today], ignore_index=True).to_parquet(file)
    splits = {"2021-11-24": ratio}
    both = read_whole(
        file, prices=Prices.traded, splits=splits, adjusted_through="2021-11-23",
        bar_label=BarLabel.start,
    )  # fmt: skip
    history = both.between(date(2021, 11, 23), date(2021, 11, 23))
    terms = DayTerms.after(history, ORDINARY, splits)
    assert terms == DayTerms(1 / ratio, split_factor_known=True)
    intake = intake_of(terms=terms)
    for row in rows_of(today):
        intake.take(*row, now=EVENING)
    found = intake.bars(EVENING)
    assert_same(found, both.between(ORDINARY, ORDINARY))
    assert abs(found.frame["open"].iloc[0] / history.frame["close"].iloc[-1] - 1) < 0.1
    assert found.frame["volume"].sum() == pytest.approx(DAY["volume"].sum())
    assert intake.opening(at("9:30"), EVENING) == (at("9:30"), today["open"].iloc[0])


def test_the_days_factor_goes_on_from_the_historys_last_one(tmp_path: Path) -> None:
    """Prices adjusted through a later date than the history's last session, and a split between."""
    file = tmp_path / "SPY.parquet"
    frame = pd.concat([day_of_bars(date(2021, 11, 22)), day_of_bars(date(2021, 11, 23))])
    frame.to_parquet(file, index=False)
    splits = {"2021-11-24": 2.0, "2021-12-01": 3.0}
    history = read_whole(file, splits=splits, adjusted_through="2021-12-31")
    assert history.frame["split_factor"].iloc[-1] == 6.0
    assert DayTerms.after(history, ORDINARY, splits).split_factor == 3.0
    assert DayTerms.after(history, date(2021, 12, 1), splits).split_factor == 1.0
    with pytest.raises(DataError, match="must end"):
        DayTerms.after(history, date(2021, 11, 23), splits)


def test_an_empty_day_is_well_typed() -> None:
    known = intake_of().bars(EVENING)
    assert isinstance(known, Bars)
    assert len(known.frame) == 0
    assert known.split_factor_known


@pytest.mark.parametrize("minutes", [2, 4, 30, 0])
def test_bars_that_do_not_divide_the_traded_one_are_refused(minutes: int) -> None:
    with pytest.raises(ConfigError, match="feed_bar_minutes"):
        intake_of(feed_bar_minutes=minutes)


def test_a_holiday_is_refused() -> None:
    with pytest.raises(DataError, match="no session of the exchange"):
        intake_of(date(2021, 11, 25))


def test_real_minutes_fed_in_are_the_file_read_whole(real_data: Path, tmp_path: Path) -> None:
    day = date(2024, 11, 29)
    frame = real_minutes(real_data, day)
    assert frame["timestamp"].iloc[-1] == at("13:00", day)  # one of the file's bars after a close
    wanted = whole(frame, tmp_path)
    assert len(wanted.frame) == 14
    random = np.random.default_rng(0)
    rows, intake = rows_of(frame), intake_of(day)
    seen = []
    for row in rows[:-1]:
        end = row[0] + pd.Timedelta(minutes=1)
        intake.take(*row, now=end)
        intake.take(*rows[random.integers(len(rows))], now=end)
        seen.append(len(intake.bars(end).frame))
    assert seen == [(minute + 1) // 15 for minute in range(210)]
    assert_same(intake.bars(at("13:00", day)), wanted)
