"""Stored bars feed every task: chosen without guessing, the same as the file they came from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from intraday_rl.collecting.writing import keep_month, writing_alone
from intraday_rl.errors import DataError
from intraday_rl.market import store
from intraday_rl.market.files import BarLabel, FileData, Prices
from intraday_rl.market.sources import load
from intraday_rl.market.store import Series
from intraday_rl.market.store_data import StoreData

NOW = pd.Timestamp("2022-03-01 12:00", tz="UTC")
MONTHS = ("2021-11", "2021-12")
PRICES = ["open", "high", "low", "close"]


def fill(series, catalogue, rows, through=None):
    catalogue = replace(
        catalogue, symbol=series.symbol, vendor=series.vendor, bar_minutes=series.bar_minutes
    )
    months = rows["timestamp"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m")
    with writing_alone(series):
        for month in MONTHS:
            at = through.get(month) if isinstance(through, dict) else through
            catalogue = keep_month(series, catalogue, month, rows[months == month], NOW, at)
    return catalogue


def stored(series, **fields):
    return StoreData(store=str(series.store), **fields)


def test_stored_bars_are_the_bars_of_the_file_they_came_from(tmp_path, series, catalogue, rows):
    bars = rows("2021-11-01", "2021-12-31")
    file = tmp_path / "bars.parquet"
    bars.to_parquet(file)
    fill(series, replace(catalogue, prices=Prices.adjusted, splits=None), bars, "2021-12-31")
    read = load(stored(series), "TQQQ", None)
    given = load(FileData(path=str(file), bar_label=BarLabel.start), "TQQQ", None)
    assert read.symbol.fingerprint() == given.symbol.fingerprint()
    assert read.source == "store"
    assert any("stored bars of somebody (15 min)" in note for note in read.notes)


def test_any_multiple_of_the_stored_length_can_be_traded(series, catalogue, rows):
    fine = Series(series.store, "TQQQ", "somebody", 5)
    fill(fine, catalogue, rows("2021-11-01", "2021-12-31", 5))
    hour = load(stored(series, bar_minutes=30), "TQQQ", None).symbol
    assert hour.bar_minutes == 30
    assert len(hour.frame) == 42 * 13 + 7
    with pytest.raises(
        DataError, match="12-minute bars can be made from; the store has TQQQ 5 min"
    ):
        load(stored(series, bar_minutes=12), "TQQQ", None)


def test_between_several_series_the_user_chooses(series, catalogue, rows):
    bars = rows("2021-11-01", "2021-12-31")
    fill(series, catalogue, bars)
    other = Series(series.store, "TQQQ", "another", 15)
    fill(other, catalogue, bars)
    with pytest.raises(DataError, match=r"several series fit: .*another; .*data\.vendor"):
        load(stored(series), "TQQQ", None)
    assert load(stored(series, vendor="another"), "TQQQ", None).symbol.symbol == "TQQQ"


def test_what_is_not_there_is_said_with_the_way_to_get_it(tmp_path):
    with pytest.raises(DataError, match="nothing of TQQQ; task=download symbol=TQQQ"):
        load(StoreData(store=str(tmp_path / "nowhere")), "TQQQ", None)


def test_the_benchmark_comes_from_the_same_vendor_or_not_at_all(series, catalogue, rows):
    bars = rows("2021-11-01", "2021-12-31")
    fill(series, catalogue, bars)
    alone = load(stored(series), "TQQQ", None)
    assert alone.benchmark_is_own
    assert any("no stored bars for QQQ" in note for note in alone.notes)
    fill(Series(series.store, "QQQ", "somebody", 15), catalogue, rows("2021-11-01", "2021-12-31"))
    assert load(stored(series), "TQQQ", None).benchmark.symbol == "QQQ"


def test_a_span_is_read_and_a_later_month_changes_no_earlier_fingerprint(series, catalogue, rows):
    fill(series, catalogue, rows("2021-11-01", "2021-12-31"))
    november = load(stored(series, start="2021-11-01", end="2021-11-30"), "TQQQ", None).symbol
    both = load(stored(series), "TQQQ", None).symbol
    last = november.session_index()[-1].date()
    assert both.fingerprint(last) == november.fingerprint()
    with pytest.raises(DataError, match=r"nothing of data\.start=2022-05-01"):
        load(stored(series, start="2022-05-01", end="2022-06-01"), "TQQQ", None)


def test_traded_prices_are_adjusted_by_the_vendors_splits(series, catalogue, rows):
    adjusted = rows("2021-11-01", "2021-12-31")
    before = adjusted["timestamp"] < pd.Timestamp("2021-12-06", tz="UTC")
    traded = adjusted.copy()
    traded.loc[before, PRICES] *= 4.0
    traded.loc[before, "volume"] /= 4.0
    symbol = Series(series.store, "ABC", "somebody", 15)
    fill(symbol, replace(catalogue, splits={"2021-12-06": 4.0}), traded)
    read = load(stored(series), "ABC", None).symbol
    assert read.split_factor_known
    np.testing.assert_array_equal(read.frame["close"], adjusted["close"])
    np.testing.assert_array_equal(read.frame["volume"], adjusted["volume"])
    assert read.frame["split_factor"].unique().tolist() == [4.0, 1.0]


def test_months_adjusted_on_different_days_come_out_in_the_same_terms(series, catalogue, rows):
    """A vendor adjusts what it delivers to the day of asking; older months are older terms."""
    today = rows("2021-11-01", "2021-12-31")
    november = today["timestamp"] < pd.Timestamp("2021-12-01", tz="UTC")
    delivered = today.copy()
    delivered.loc[november, PRICES] *= 2.0  # asked for before the split of December
    delivered.loc[november, "volume"] /= 2.0
    symbol = Series(series.store, "ABC", "somebody", 15)
    fill(
        symbol,
        replace(catalogue, prices=Prices.adjusted, splits={"2021-12-06": 2.0}),
        delivered,
        {"2021-11": "2021-11-30", "2021-12": "2021-12-31"},
    )
    read = load(stored(series), "ABC", None).symbol
    np.testing.assert_allclose(read.frame["close"], today["close"], rtol=1e-15)
    np.testing.assert_allclose(read.frame["volume"], today["volume"], rtol=1e-15)


def test_a_symbol_whose_splits_nobody_knows_says_so(series, catalogue, rows):
    symbol = Series(series.store, "ABC", "somebody", 15)
    fill(symbol, replace(catalogue, splits=None), rows("2021-11-01", "2021-12-31"))
    assert not load(stored(series), "ABC", None).symbol.split_factor_known


def test_a_damaged_catalogue_is_refused_in_one_line(series, catalogue, rows):
    fill(series, catalogue, rows("2021-11-01", "2021-12-31"))
    series.catalogue.write_text('{"symbol": "TQQQ", "parts": 3}')
    with pytest.raises(DataError, match=r"catalogue\.json cannot be read"):
        load(stored(series), "TQQQ", None)


def test_a_split_on_the_second_stored_session_is_compared_too(series, catalogue, rows):
    months = rows("2018-05-23", "2018-05-31")  # the shipped table: TQQQ 3:1 on 2018-05-24
    now = pd.Timestamp("2018-07-01", tz="UTC")
    with writing_alone(series):
        keep_month(series, catalogue, "2018-05", months, now, None)
    notes = load(stored(series), "TQQQ", None).notes
    assert any("settled by the prices (2018-05-24: vendor none, shipped 3:1)" in n for n in notes)


def test_a_month_replaced_while_it_is_read_is_read_again(series, catalogue, rows, monkeypatch):
    month, now = rows("2021-11-01", "2021-11-30"), pd.Timestamp("2022-03-01", tz="UTC")
    with writing_alone(series):
        before = keep_month(series, catalogue, "2021-11", month.iloc[:200], now, None)
    plain, replaced = store.read_part, []

    def overtaken(*asked):
        if not replaced:
            replaced.append(True)
            keep_month(series, before, "2021-11", month, now, None)
        return plain(*asked)

    monkeypatch.setattr(store, "read_part", overtaken)
    read = load(stored(series), "TQQQ", None)
    assert len(read.symbol.frame) == len(month)


def test_a_catalogue_with_what_is_no_date_is_refused_in_one_line(series, catalogue, rows):
    with writing_alone(series):
        now = pd.Timestamp("2022-03-01", tz="UTC")
        told = replace(catalogue, splits={"tomorrow": 2.0})
        keep_month(series, told, "2021-11", rows("2021-11-01", "2021-11-30"), now, None)
    with pytest.raises(DataError, match=r"catalogue\.json cannot be read"):
        load(stored(series), "TQQQ", None)
