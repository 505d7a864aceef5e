"""Every cost against an invoice worked by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.trading.book import Moments, build_book
from intraday_rl.trading.costs import Commission, Fees, Financing, Impact, Slippage
from intraday_rl.trading.environment import Environment
from intraday_rl.trading.fees import sec_rates, taf_rates
from intraday_rl.trading.kernel.charges import financing, settle_order
from intraday_rl.trading.kernel.layout import ENTRY, SESSION
from intraday_rl.trading.rewards import NetReturn


def settle(environment, shares, price, **session_fields):
    book = build_book(
        environment, NetReturn(), Moments(0.0, 1e-6, 1e-6), market_columns=0, observed=(),
        observation_clip=5.0, decisions_per_session=24.0, sequential=True,
    )  # fmt: skip
    session = np.zeros(1, SESSION)
    for name, value in session_fields.items():
        session[name] = value
    entry = np.zeros(1, ENTRY)
    total = settle_order(book[0], session[0], entry[0], float(shares), price)
    return entry[0], total


def test_ibkr_fixed_charges_half_a_cent_a_share_with_bounds():
    book = Environment(
        commission=Commission(usd_per_share=0.005, minimum_usd=1.0, maximum_percent=1.0)
    )
    assert settle(book, 1000, 60.0)[0]["commission"] == pytest.approx(5.0)
    assert settle(book, 10, 60.0)[0]["commission"] == pytest.approx(1.0)
    assert settle(book, 1, 20.0)[0]["commission"] == pytest.approx(0.20)


def test_ibkr_tiered_adds_exchange_and_clearing_outside_the_bounds():
    tiered = Environment(
        commission=Commission(
            usd_per_share=0.0035,
            minimum_usd=0.35,
            maximum_percent=1.0,
            pass_through_usd_per_share=0.0032,
        )
    )
    assert settle(tiered, 1000, 60.0)[0]["commission"] == pytest.approx(3.5 + 3.2)
    assert settle(tiered, 10, 60.0)[0]["commission"] == pytest.approx(0.35 + 0.032)


def test_slippage_components_add_and_are_adverse_on_both_sides():
    environment = Environment(slippage=Slippage(bps=2.0, per_share=0.01, half_spread_ticks=0.5))
    buy, _ = settle(environment, 100, 50.0)
    sell, _ = settle(environment, -100, 50.0)
    assert buy["fill_price"] == pytest.approx(50.0 + 0.01 + 0.01 + 0.005)
    assert sell["fill_price"] == pytest.approx(50.0 - 0.025)
    assert buy["slippage"] == pytest.approx(2.5)
    assert sell["slippage"] == pytest.approx(2.5)


def test_a_per_side_value_replaces_the_common_one_and_null_takes_it():
    environment = Environment(
        slippage=Slippage(bps=5.0, bps_sell=0.0),
        commission=Commission(usd_per_share=0.01, usd_per_share_buy=0.0),
        impact=Impact(coefficient=1.0, coefficient_sell=0.0),
    )
    known = {"daily_volatility": 0.02, "daily_volume": 1e6}
    buy, _ = settle(environment, 100, 100.0, **known)
    sell, _ = settle(environment, -100, 100.0, **known)
    assert (buy["slippage"], sell["slippage"]) == (pytest.approx(5.0), 0.0)
    assert (buy["commission"], sell["commission"]) == (0.0, pytest.approx(1.0))
    assert buy["impact"] == pytest.approx(0.02 * np.sqrt(1e-4) * 10_000)
    assert sell["impact"] == 0.0


def test_sec_and_taf_are_charged_on_sales_only_and_taf_is_capped():
    environment = Environment(fees=Fees(sec_section_31=True, finra_taf=True))
    rates = {"sec_rate": 22.90e-6, "taf_rate": 0.000130, "taf_cap": 6.49}
    assert settle(environment, 1000, 30.0, **rates)[0]["fees"] == 0.0
    assert settle(environment, -1000, 30.0, **rates)[0]["fees"] == pytest.approx(0.687 + 0.13)
    sold = settle(environment, -1_000_000, 30.0, **rates)[0]["fees"]
    assert sold == pytest.approx(22.90e-6 * 30e6 + 6.49)


def test_an_order_of_nothing_costs_nothing():
    environment = Environment(commission=Commission(minimum_usd=1.0))
    entry, total = settle(environment, 0.0, 60.0)
    assert total == 0.0
    assert entry["commission"] == 0.0


@given(shares=st.integers(-100_000, 100_000), price=st.floats(0.5, 2_000))
def test_the_zero_book_is_exactly_zero(shares, price):
    zero = Environment()
    entry, total = settle(zero, shares, price)
    assert total == 0.0
    assert entry["fill_price"] == price


@given(shares=st.integers(1, 100_000), price=st.floats(1.0, 2_000), bps=st.floats(0, 100))
def test_slippage_in_the_ledger_is_what_the_fill_price_says(shares, price, bps):
    environment = Environment(slippage=Slippage(bps=bps, half_spread_ticks=0.5))
    for signed in (shares, -shares):
        entry, _ = settle(environment, signed, price)
        assert entry["slippage"] == shares * abs(entry["fill_price"] - price)
        assert (entry["fill_price"] - price) * signed >= 0.0


def test_the_default_book_costs_about_3_6_basis_points_a_round_trip_at_60_dollars():
    environment = Environment(
        slippage=Slippage(half_spread_ticks=0.5),
        commission=Commission(usd_per_share=0.005, minimum_usd=1.0, maximum_percent=1.0),
        fees=Fees(sec_section_31=True, finra_taf=True),
    )
    day = np.array(["2021-06-01"], "datetime64[D]")
    rates = {
        "sec_rate": sec_rates(day)[0],
        "taf_rate": taf_rates(day)[0, 0],
        "taf_cap": taf_rates(day)[0, 1],
    }
    shares = 100_000 // 60
    total = sum(settle(environment, side * shares, 60.0, **rates)[1] for side in (1, -1))
    assert total / (shares * 60.0) * 1e4 == pytest.approx(3.6, abs=0.3)


@pytest.mark.parametrize(
    ("day", "sec_per_million", "taf", "cap"),
    [
        (date(2018, 1, 2), 23.10, 0.000119, 5.95),
        (date(2018, 5, 21), 23.10, 0.000119, 5.95),
        (date(2018, 5, 22), 13.00, 0.000119, 5.95),
        (date(2021, 2, 25), 5.10, 0.000119, 5.95),
        (date(2022, 5, 13), 5.10, 0.000130, 6.49),
        (date(2022, 5, 14), 22.90, 0.000130, 6.49),
        (date(2023, 12, 29), 8.00, 0.000145, 7.27),
        (date(2025, 6, 2), 0.00, 0.000166, 8.30),
        (date(2026, 6, 1), 20.60, 0.000195, 9.79),
    ],
)
def test_fees_are_those_in_force_on_the_session(day, sec_per_million, taf, cap):
    dates = np.array([day], "datetime64[D]")
    assert sec_rates(dates)[0] * 1e6 == pytest.approx(sec_per_million)
    assert taf_rates(dates)[0].tolist() == pytest.approx([taf, cap])


def test_a_session_before_the_fee_table_is_refused():
    with pytest.raises(DataError, match="2016-01-04"):
        sec_rates(np.array(["2016-01-04"], "datetime64[D]"))


def test_financing_charges_interest_on_the_borrowed_part_pro_rata_by_minutes():
    environment = Environment(financing=Financing(annual_rate=0.072, annual_borrow_rate=0.036))
    book = build_book(
        environment, NetReturn(), Moments(0.0, 1e-6, 1e-6), market_columns=0, observed=(),
        observation_clip=5.0, decisions_per_session=24.0, sequential=True,
    )[0]  # fmt: skip
    one_day = 24 * 60.0
    assert financing(book, 1000.0, 150.0, 100_000.0, one_day) == pytest.approx(50_000 * 0.0002)
    assert financing(book, 500.0, 150.0, 100_000.0, one_day) == 0.0
    assert financing(book, -1000.0, 150.0, 100_000.0, one_day) == pytest.approx(150_000 * 0.0001)
    assert financing(book, 1000.0, 150.0, 100_000.0, 15.0) == pytest.approx(10.0 * 15 / one_day)


@pytest.mark.parametrize(
    ("part", "settings", "key"),
    [
        (Slippage, {"bps": -1.0}, "bps"),
        (Slippage, {"bps_sell": float("nan")}, "bps_sell"),
        (Commission, {"maximum_percent": 101.0}, "maximum_percent"),
        (Impact, {"window_sessions": 1}, "window_sessions"),
        (Financing, {"annual_rate": -0.1}, "annual_rate"),
    ],
)
def test_a_cost_out_of_range_is_refused_by_key_and_value(part, settings, key):
    with pytest.raises(ConfigError, match=f"{key}="):
        part(**settings)
