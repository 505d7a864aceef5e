"""Files become market data, or one clear refusal."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from intraday_rl.errors import DataError
from intraday_rl.market.bars import Bars
from intraday_rl.market.calendar import NEW_YORK
from intraday_rl.market.sources import (
    KNOWN_BENCHMARKS,
    FileData,
    OnBadSession,
    Prices,
    SyntheticData,
    load,
)

MakeFrame = Callable[..., pd.DataFrame]
WriteFile = Callable[..., FileData]
PRICES = ["open", "high", "low", "close"]


@pytest.fixture
def frame(make_frame: MakeFrame) -> pd.DataFrame:
    return make_frame("2021-01-11", "2021-01-29")


def session_close_time(bars: Bars, day: str) -> str:
    rows = bars.frame[bars.frame["session"] == pd.Timestamp(day)]
    return str(rows["bar_end"].iloc[-1].tz_convert(NEW_YORK).strftime("%H:%M"))


def test_parquet_and_csv_give_the_same_bars(frame: pd.DataFrame, write_file: WriteFile) -> None:
    parquet = load(write_file(frame), "SPY", None)
    csv = load(write_file(frame, "bars.csv"), "SPY", None)
    assert parquet.symbol.fingerprint() == csv.symbol.fingerprint()
    assert (parquet.source, csv.source) == ("parquet", "csv")
    assert not parquet.synthetic
    assert parquet.benchmark is parquet.symbol
    assert parquet.benchmark_is_own
    assert "SPY's own series stands in for its benchmark" in parquet.notes[0]


def test_a_file_whose_bars_start_no_traded_bar_is_refused(
    frame: pd.DataFrame, write_file: WriteFile
) -> None:
    data = write_file(frame[frame["timestamp"].dt.minute != 30], bar_minutes=60)
    with pytest.raises(DataError, match="no bar of 60 minutes can be built"):
        load(data, "SPY", None)


# --- splits -----------------------------------------------------------------------------------


def test_traded_prices_are_divided_by_the_factor_and_volume_is_multiplied_by_it(
    frame: pd.DataFrame, write_file: WriteFile
) -> None:
    before = frame["timestamp"] < pd.Timestamp("2021-01-21", tz="UTC")
    raw = frame.copy()
    raw.loc[before, PRICES] *= 2
    raw.loc[before, "volume"] /= 2
    adjusted = load(write_file(frame), "TQQQ", None).symbol
    traded = load(write_file(raw, prices=Prices.traded), "TQQQ", None).symbol
    assert adjusted.fingerprint() == traded.fingerprint()
    assert set(adjusted.frame.loc[before, "split_factor"]) == {2.0}
    assert set(adjusted.frame.loc[~before, "split_factor"]) == {1.0}
    assert not any("jump" in note for note in traded.notes)
    assert any("into 2021-01-21" in note for note in load(write_file(raw), "TQQQ", None).notes)


def test_the_fingerprint_is_stable_when_adjusted_through_is_fixed(
    frame: pd.DataFrame, write_file: WriteFile
) -> None:
    prefix = frame[frame["timestamp"] < pd.Timestamp("2021-01-19", tz="UTC")]
    through = pd.Timestamp("2021-01-15").date()
    prints = {}
    for fixed in (None, "2021-01-15"):
        for prices in Prices:
            fields = {"adjusted_through": fixed, "prices": prices}
            long = load(write_file(frame, **fields), "TQQQ", None).symbol
            short = load(write_file(prefix, **fields), "TQQQ", None).symbol
            prints[fixed, prices] = long.fingerprint(through) == short.fingerprint()
    # Without a fixed date the longer file reaches the split and its factor is another.
    assert prints == {(f, p): f is not None for f in (None, "2021-01-15") for p in Prices}


def test_a_split_factor_column_wins(frame: pd.DataFrame, write_file: WriteFile) -> None:
    data = write_file(frame.assign(split_factor=7.0), splits={"2021-01-21": 2.0})
    market = load(data, "ABC", None)
    assert market.symbol.split_factor_known
    assert set(market.symbol.frame["split_factor"]) == {7.0}
    assert any("data.splits ignored" in note for note in market.notes)


def test_a_symbol_of_unknown_splits_loads_and_says_so(
    frame: pd.DataFrame, write_file: WriteFile
) -> None:
    unknown = load(write_file(frame), "ABC", None)
    assert not unknown.symbol.split_factor_known
    assert any("splits unknown" in note for note in unknown.notes)
    assert load(write_file(frame, splits={}), "ABC", None).symbol.split_factor_known


# --- symbol and benchmark ---------------------------------------------------------------------


def pair(
    write_file: WriteFile, own: pd.DataFrame, other: pd.DataFrame, **fields: object
) -> FileData:
    other_path = write_file(other, "other.parquet").path
    return write_file(own, benchmark_path=other_path, **fields)


def test_both_are_clipped_to_their_common_span_and_nothing_is_filled(
    make_frame: MakeFrame, write_file: WriteFile
) -> None:
    own, other = make_frame("2021-11-01", "2021-11-30"), make_frame("2021-11-15", "2021-12-31")
    market = load(pair(write_file, own, other.drop(index=[30, 31])), "TQQQ", None)
    for bars in (market.symbol, market.benchmark):
        days = bars.session_index()
        assert (str(days[0].date()), str(days[-1].date())) == ("2021-11-15", "2021-11-30")
    assert market.benchmark.symbol == "QQQ"
    assert len(market.symbol.frame) - len(market.benchmark.frame) == 2
    assert session_close_time(market.symbol, "2021-11-26") == "13:00"
    assert any("benchmark QQQ: 2 bars are missing" in note for note in market.notes)


def test_a_short_session_outside_the_common_span_does_not_matter(
    make_frame: MakeFrame, write_file: WriteFile
) -> None:
    own, other = make_frame("2021-11-01", "2021-11-30"), make_frame("2021-11-01", "2021-11-29")
    assert len(load(pair(write_file, own.iloc[:-20], other), "TQQQ", None).symbol.frame) > 0


def test_bad_sessions_of_the_symbol_count_and_the_benchmarks_are_reported(
    make_frame: MakeFrame, write_file: WriteFile
) -> None:
    whole = make_frame("2021-11-01", "2021-11-30")
    holed = whole.drop(index=range(30, 40))
    reported = load(pair(write_file, whole, holed), "TQQQ", None)
    assert len(reported.symbol.frame) == len(whole)
    with pytest.raises(DataError, match=r"2021-11-02 \(10 of 26\).*data.on_bad_session=drop"):
        load(pair(write_file, holed, whole), "TQQQ", None)
    dropped = load(pair(write_file, holed, whole, on_bad_session=OnBadSession.drop), "TQQQ", None)
    assert len(dropped.symbol.frame) == len(whole) - 26
    assert len(dropped.benchmark.frame) == len(whole)
    assert any("dropped" in note and "2021-11-02" in note for note in dropped.notes)


def test_series_without_a_common_session_are_refused(
    make_frame: MakeFrame, write_file: WriteFile
) -> None:
    own, other = make_frame("2021-11-01", "2021-11-05"), make_frame("2022-11-01", "2022-11-04")
    with pytest.raises(DataError, match="no session in common"):
        load(pair(write_file, own, other), "TQQQ", None)


def test_benchmarks_are_known_for_leveraged_funds() -> None:
    expected = {"TQQQ": "QQQ", "SQQQ": "QQQ", "UPRO": "SPY", "SPXL": "SPY", "TNA": "IWM"}
    assert expected.items() <= KNOWN_BENCHMARKS.items()
    assert KNOWN_BENCHMARKS["UDOW"] == "DIA"


def test_synthetic_bars_say_that_they_are() -> None:
    market = load(SyntheticData(start="2021-11-01", end="2021-12-31"), "TQQQ", None)
    assert market.synthetic
    assert market.source == "synthetic"
    assert (market.symbol.symbol, market.benchmark.symbol) == ("TQQQ", "QQQ")
    assert not market.benchmark_is_own
    assert "synthetic" in market.notes[0]
    assert session_close_time(market.symbol, "2021-11-26") == "13:00"


def test_a_reconstruction_is_recognised_by_name_unless_declared(
    frame: pd.DataFrame, write_file: WriteFile
) -> None:
    named = "abc_Reconstructed.parquet"
    assert load(write_file(frame, named), "SPY", None).reconstructed
    assert not load(write_file(frame, named, reconstructed=False), "SPY", None).reconstructed
    assert load(write_file(frame, reconstructed=True), "SPY", None).reconstructed
