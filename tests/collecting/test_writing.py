"""Months enter the store whole, by one writer, and the same bars are the same series anywhere."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace

import pandas as pd
import pytest

from intraday_rl.collecting.writing import keep_month, writing_alone
from intraday_rl.errors import DataError
from intraday_rl.market.files import Prices
from intraday_rl.market.store import Series, read_part, read_parts, unreadable_months

NOW = pd.Timestamp("2022-03-01 12:00", tz="UTC")


def kept(series, catalogue, rows, months=("2021-11", "2021-12"), now=NOW, through=None):
    for month in months:
        local = rows["timestamp"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m")
        catalogue = keep_month(series, catalogue, month, rows[local == month], now, through)
    return catalogue


def test_the_same_bars_have_the_same_fingerprint_in_whatever_order_they_came(
    tmp_path, series, catalogue, rows
):
    months = rows("2021-11-01", "2021-12-31")
    with writing_alone(series):
        one = kept(series, catalogue, months)
    elsewhere = Series(tmp_path / "elsewhere", "TQQQ", "somebody", 15)
    with writing_alone(elsewhere):
        other = kept(elsewhere, catalogue, months, ("2021-12", "2021-11"), NOW + pd.Timedelta("1D"))
    assert one.fingerprint() == other.fingerprint()
    assert series.read() == one
    pd.testing.assert_frame_equal(
        pd.concat(read_parts(series, one).values(), ignore_index=True),
        months.reset_index(drop=True),
    )


def test_a_lost_file_comes_back_when_its_month_is_fetched_again(series, catalogue, rows):
    month = rows("2021-11-01", "2021-11-30")
    with writing_alone(series):
        before = kept(series, catalogue, month, ("2021-11",))
        series.part("2021-11").unlink()
        after = kept(series, before, month, ("2021-11",))
    assert unreadable_months(series, after) == []


def test_sessions_that_a_vendor_no_longer_has_are_kept(series, catalogue, rows):
    month = rows("2021-11-01", "2021-11-30")
    with writing_alone(series):
        before = kept(series, catalogue, month, ("2021-11",))
        recent = month[month["timestamp"] >= pd.Timestamp("2021-11-15", tz="UTC")]
        after = kept(series, before, recent, ("2021-11",))
    assert after.parts["2021-11"].fingerprint == before.parts["2021-11"].fingerprint
    assert after.parts["2021-11"].sessions_found == 21


def test_kept_sessions_of_adjusted_prices_follow_a_split_that_came_between(series, catalogue, rows):
    catalogue = replace(catalogue, prices=Prices.adjusted)
    month = rows("2021-11-01", "2021-11-30")
    with writing_alone(series):
        before = kept(series, catalogue, month, ("2021-11",), through="2021-11-30")
        told = replace(before, splits={"2021-12-06": 2.0})
        late = month[month["timestamp"] >= pd.Timestamp("2021-11-15", tz="UTC")].copy()
        late[["open", "high", "low", "close"]] /= 2
        late["volume"] *= 2
        after = kept(series, told, late, ("2021-11",), through="2021-12-31")
    stored = read_part(series, "2021-11", after.parts["2021-11"])
    assert stored is not None
    pd.testing.assert_series_equal(stored["close"], month["close"] / 2, check_names=False)
    pd.testing.assert_series_equal(stored["volume"], month["volume"] * 2, check_names=False)


def test_a_file_that_is_not_the_catalogues_is_refused_and_fetched_again(series, catalogue, rows):
    months = rows("2021-11-01", "2021-12-31")
    with writing_alone(series):
        stored = kept(series, catalogue, months)
    series.part("2021-11").write_bytes(b"PAR1 damaged")
    assert unreadable_months(series, stored) == ["2021-11"]
    with pytest.raises(DataError, match=r"2021-11\.parquet.*download or import TQQQ again"):
        read_parts(series, stored)


def test_nothing_unfinished_is_left_and_what_a_kill_left_is_swept(series, catalogue, rows):
    series.folder.mkdir(parents=True)
    (series.folder / ".2021-11.parquet.abc").write_bytes(b"half")
    with writing_alone(series):
        kept(series, catalogue, rows("2021-11-01", "2021-12-31"))
    names = {path.name for path in series.folder.iterdir()}
    assert names - {"writing.lock"} == {"catalogue.json", "2021-11.parquet", "2021-12.parquet"}


def _hold(folder, held, release):
    with writing_alone(Series(folder, "TQQQ", "somebody", 15)):
        held.set()
        release.wait(60)


def test_a_second_writer_is_refused(series):
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(series.store, held, release))
    other.start()
    try:
        assert held.wait(60)
        with pytest.raises(DataError, match="another process is writing"), writing_alone(series):
            pass
    finally:
        release.set()
        other.join(60)
    with writing_alone(series):  # free again
        assert series.lock.exists()
