"""Coverage tells what is there, what is missing and how the bars were built."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from intraday_rl.errors import DataError
from intraday_rl.market.bars import Bars
from intraday_rl.market.coverage import coverage, holes, without_bad_sessions
from intraday_rl.market.sources import BarLabel, FileData, load

MakeBars = Callable[..., Bars]
FIRST, LAST = date(2021, 11, 22), date(2021, 12, 3)


@pytest.fixture
def bars(make_bars: MakeBars) -> Bars:
    return make_bars(str(FIRST), str(LAST))


def without(bars: Bars, day: str, count: int) -> Bars:
    """The bars without the last `count` of a day."""
    rows = np.flatnonzero(bars.frame["session"] == pd.Timestamp(day))[::-1][:count]
    return replace(bars, frame=bars.frame.drop(rows).reset_index(drop=True))


def test_complete_bars_are_covered(bars: Bars) -> None:
    found = coverage(bars, FIRST, LAST)
    assert (found.sessions_expected, found.sessions_found, found.sessions_short) == (9, 9, 0)
    assert (found.half_days, found.bars_missing) == (1, 0)
    assert found.has_volume
    assert found.missing_sessions == []


def test_absent_sessions_and_missing_bars_are_counted(bars: Bars) -> None:
    holed = without(without(bars, "2021-11-26", 14), "2021-11-24", 3)
    found = coverage(holed, date(2021, 11, 1), LAST)
    assert (found.sessions_expected, found.sessions_found, found.sessions_short) == (24, 8, 1)
    assert (found.half_days, found.bars_missing) == (0, 3)
    assert found.missing_sessions[0] == "2021-11-01"
    assert len(found.missing_sessions) == 5
    assert holes(holed) == (
        "1 session is absent: 2021-11-26",
        "3 bars are missing in 1 session: 2021-11-24 (3 of 26)",
    )
    assert holes(bars) == ()


def test_bars_outside_the_span_do_not_count(bars: Bars) -> None:
    frame = bars.frame.copy()
    frame.loc[0, "volume"] = np.nan
    holed = replace(bars, frame=frame)
    assert not coverage(holed, FIRST, LAST).has_volume
    assert coverage(holed, date(2021, 11, 23), LAST).has_volume
    nothing = coverage(bars, date(2020, 1, 2), date(2020, 1, 3))
    assert (nothing.sessions_expected, nothing.sessions_found) == (2, 0)
    assert not nothing.has_volume
    assert nothing.equal_open_share == 0


def test_the_share_of_equal_opens_leaves_the_first_bar_of_a_session_out(bars: Bars) -> None:
    frame = bars.frame.copy()
    frame["open"] = frame["close"].shift(fill_value=1.0)
    first_bars = bars.session_starts()
    frame.loc[first_bars, "open"] = 1.0
    assert coverage(replace(bars, frame=frame), FIRST, LAST).equal_open_share == 1.0
    second = first_bars[0] + 1
    frame.loc[second, "open"] *= 1.01
    inside = len(frame) - len(first_bars)
    got = coverage(replace(bars, frame=frame), FIRST, LAST).equal_open_share
    assert got == pytest.approx(1 - 1 / inside)


def test_coverage_is_plain_json(bars: Bars) -> None:
    found = coverage(bars, FIRST, LAST)
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False)) == found.as_dict()


def test_bad_sessions_are_refused_with_their_counts_or_dropped(bars: Bars) -> None:
    holed = without(without(bars, "2021-11-26", 5), "2021-11-24", 4)
    with pytest.raises(DataError) as caught:
        without_bad_sessions(holed, 4, "bars.csv", drop=False)
    message = str(caught.value)
    assert "bars.csv: more than 4 bars missing in 1 session: 2021-11-26 (5 of 14)" in message
    assert "data.on_bad_session=drop" in message
    kept = without_bad_sessions(holed, 4, "bars.csv", drop=True)
    assert len(kept.session_index()) == 8
    assert pd.Timestamp("2021-11-24") in kept.session_index()
    assert kept.notes == ("dropped, more than 4 bars missing in 1 session: 2021-11-26 (5 of 14)",)
    assert without_bad_sessions(holed, 5, "bars.csv", drop=False) is holed


def test_a_refusal_shows_five_sessions_and_a_drop_lists_all(bars: Bars) -> None:
    holed = bars
    for day in bars.session_index()[:7]:
        holed = without(holed, str(day.date()), 6)
    with pytest.raises(DataError, match=r"in 7 sessions: .*2021-11-29 \(6 of 26\), \.\.\.; check"):
        without_bad_sessions(holed, 4, "bars.csv", drop=False)
    (note,) = without_bad_sessions(holed, 4, "bars.csv", drop=True).notes
    assert note.count("2021-1") == 7


def test_dropping_every_session_is_refused(bars: Bars) -> None:
    holed = bars
    for day in bars.session_index():
        holed = without(holed, str(day.date()), 6)
    with pytest.raises(DataError, match="no session is left"):
        without_bad_sessions(holed, 4, "bars.csv", drop=True)


def test_the_first_years_of_the_real_spy_file_were_built_from_closes(real_data: Path) -> None:
    path = str(real_data / "SPY_15min_2018_2025.parquet")
    spy = load(FileData(path=path, bar_label=BarLabel.start), "SPY", None).symbol
    early = coverage(spy, date(2018, 1, 1), date(2020, 12, 31))
    late = coverage(spy, date(2024, 1, 1), date(2024, 12, 31))
    assert (early.sessions_expected, early.sessions_found, early.bars_missing) == (756, 756, 0)
    assert early.equal_open_share > 0.9 > late.equal_open_share
    assert late.has_volume
    assert not early.has_volume
