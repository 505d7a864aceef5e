"""A download asks for what is missing, stores it month by month and says what it found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date

import pandas as pd
import pytest

from intraday_rl.collecting.vendors.vendor import VendorError
from intraday_rl.config import compose_plan
from intraday_rl.entry.job import dry_run, run_plan
from intraday_rl.errors import ConfigError, DataError
from intraday_rl.loading import load_market
from intraday_rl.market import stamps
from intraday_rl.market.files import Prices
from intraday_rl.market.store import Series


class Recording:
    """A vendor of synthetic bars that notes what it is asked; `broken` fails on a month."""

    prices = Prices.traded
    limits = "bars of nobody"

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows
        self.asked: list[str] = []
        self.broken: str | None = None
        self.split_days: Mapping[str, float] | None = {}
        self.begins: date | None = None

    def earliest(self, bar_minutes: int, today: date) -> date | None:
        return self.begins

    def bars(self, symbol: str, first: date, last: date, bar_minutes: int) -> pd.DataFrame:
        self.asked.append(f"{symbol} {first:%Y-%m}")
        if self.broken == f"{first:%Y-%m}":
            raise VendorError("the vendor has a bad day")
        days = self.rows["timestamp"].dt.date
        return self.rows[(days >= first) & (days <= last)]

    def splits(self, symbol: str, first: date, last: date) -> Mapping[str, float] | None:
        self.asked.append(f"{symbol} splits")
        return self.split_days


@pytest.fixture
def vendor(monkeypatch, rows) -> Recording:
    one = Recording(rows("2021-10-01", "2021-12-31"))
    monkeypatch.setattr("intraday_rl.collecting.download.vendor_of", lambda data: ("alpaca", one))
    return one


def download(tmp_path, *more: str):
    overrides = [
        "task=download", "data=alpaca", "symbol=SPY", "task.start='2021-10-01'",
        "task.end='2021-12-31'", "task.bar_minutes=15", f"data.store={tmp_path}/bars",
        f"paths.outputs={tmp_path}/outputs", "tracking=none", *more,
    ]  # fmt: skip
    plan = compose_plan(overrides)
    return dry_run([("", overrides, plan)]) if plan.dry_run else run_plan(plan, overrides).code


def test_a_download_fills_the_store_and_the_second_asks_nobody(tmp_path, vendor, capsys):
    assert download(tmp_path) == 0
    assert vendor.asked == ["SPY splits", "SPY 2021-10", "SPY 2021-11", "SPY 2021-12"]
    shown = capsys.readouterr().out
    assert "SPY 15 min of alpaca: 2021-10-01 to 2021-12-31, 64 of 64 sessions" in shown
    vendor.asked.clear()
    assert download(tmp_path) == 0
    assert vendor.asked == []


def test_a_download_that_broke_off_goes_on_where_it_was(tmp_path, vendor):
    vendor.broken = "2021-12"
    with pytest.raises(VendorError):
        download(tmp_path)
    vendor.broken = None
    vendor.asked.clear()
    assert download(tmp_path) == 0
    assert [asked for asked in vendor.asked if "splits" not in asked] == ["SPY 2021-12"]


def test_the_benchmark_is_downloaded_with_its_symbol(tmp_path, vendor):
    download(tmp_path, "symbol=TQQQ")
    assert {asked.split()[0] for asked in vendor.asked} == {"TQQQ", "QQQ"}
    assert Series(tmp_path / "bars", "QQQ", "alpaca", 15).read() is not None


def test_a_month_that_was_not_over_is_asked_for_again(tmp_path, vendor, monkeypatch):
    monkeypatch.setattr(
        "intraday_rl.collecting.download.clock",
        lambda: pd.Timestamp("2021-12-10 12:00", tz="UTC"),
    )
    download(tmp_path)
    series = Series(tmp_path / "bars", "SPY", "alpaca", 15)
    assert series.read().parts["2021-12"].last_session == "2021-12-09"
    vendor.asked.clear()
    monkeypatch.setattr("intraday_rl.collecting.download.clock", stamps.now)
    download(tmp_path)
    assert [asked for asked in vendor.asked if "splits" not in asked] == ["SPY 2021-12"]
    assert series.read().parts["2021-12"].last_session == "2021-12-31"


def test_a_vendor_without_such_early_bars_says_where_it_begins(tmp_path, vendor, capsys):
    vendor.begins = date(2021, 11, 10)
    download(tmp_path)
    streams = capsys.readouterr()
    assert "begins 2021-11-10, not 2021-10-01" in streams.err
    assert "2021-11: 7 of 21 sessions are absent" in streams.out


def read_back(tmp_path, symbol: str, *more: str):
    return load_market(
        compose_plan([f"symbol={symbol}", "data=store", f"data.store={tmp_path}/bars", *more])
    )


def test_a_split_that_only_the_vendor_knows_is_believed_if_the_prices_show_it(
    tmp_path, vendor, capsys
):
    vendor.split_days = {"2021-11-08": 4.0}
    before = vendor.rows["timestamp"] < pd.Timestamp("2021-11-08", tz="UTC")
    vendor.rows.loc[before, ["open", "high", "low", "close"]] *= 4.0
    download(tmp_path)
    shown = capsys.readouterr().out
    assert "2021-11-08: vendor 4:1, shipped none" in shown
    assert "the prices of these nights settle it" in shown
    bars = read_back(tmp_path, "SPY").symbol
    assert bars.frame["split_factor"].unique().tolist() == [4.0, 1.0]
    assert any("splits settled by the prices" in note for note in bars.notes)


def test_a_split_that_the_prices_do_not_show_is_not_believed(tmp_path, vendor):
    vendor.split_days = {"2021-11-08": 4.0}
    download(tmp_path)
    assert (read_back(tmp_path, "SPY").symbol.frame["split_factor"] == 1.0).all()


def test_splits_told_differently_on_a_night_that_is_not_clear_are_the_users_to_say(
    tmp_path, vendor, capsys
):
    vendor.split_days = {"2021-11-08": 1.2}
    download(tmp_path)
    assert "reading is refused until data.splits says what is right" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"disagree on splits: 2021-11-08.*data\.splits"):
        read_back(tmp_path, "SPY")
    assert read_back(tmp_path, "SPY", "data.splits={}").symbol.split_factor_known


def test_adjusted_prices_settle_nothing(tmp_path, vendor):
    vendor.prices, vendor.split_days = Prices.adjusted, {"2021-11-08": 4.0}
    download(tmp_path)
    with pytest.raises(DataError, match="disagree on splits"):
        read_back(tmp_path, "SPY")


def test_a_dry_run_asks_nobody_and_writes_nothing(tmp_path, vendor, capsys):
    assert download(tmp_path, "dry_run=true") == 0
    assert vendor.asked == []
    assert not (tmp_path / "bars").exists()
    assert "3 months to fetch (2021-10 to 2021-12)" in capsys.readouterr().out


@pytest.mark.parametrize("data", ["data=synthetic", "data=store", "data.vendor=nobody"])
def test_a_download_without_a_vendor_says_which_there_are(tmp_path, data):
    overrides = ["task=download", "data=store", data, "task.start='2021-10-01'"]
    with pytest.raises(ConfigError, match=r"data=alpaca or data=yfinance or data=twelvedata"):
        run_plan(compose_plan([*overrides, "tracking=none", f"paths.outputs={tmp_path}"]), [])


def test_the_catalogue_is_plain_json_that_names_what_each_month_is(tmp_path, vendor):
    download(tmp_path)
    content = json.loads(Series(tmp_path / "bars", "SPY", "alpaca", 15).catalogue.read_text())
    assert content["vendor"] == "alpaca"
    assert content["prices"] == "traded"
    assert content["parts"]["2021-11"]["state"] == "complete"
    assert set(content["parts"]["2021-11"]) >= {"fetched_at", "fingerprint", "adjusted_through"}
