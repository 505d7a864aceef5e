"""What every order must pass, whatever the policy wants."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from intraday_rl.live.account import Sight
from intraday_rl.live.book import SessionBook
from intraday_rl.live.brokers.broker import OrderState, Report
from intraday_rl.live.risk import RiskState, jumped, lost_too_much, refusal, strange
from intraday_rl.tasks import RiskLimits
from intraday_rl.trading.kernel.layout import ACCOUNT, BOOK

NOW = pd.Timestamp("2022-03-14 16:00", tz="UTC")
ACTIVE, REDUCING, HALTED = RiskState.ACTIVE, RiskState.REDUCING, RiskState.HALTED


def sight(close: float = 50.0, equity: float = 100_000.0, at_bound: float = 0.0) -> Sight:
    account = np.zeros(1, ACCOUNT)[0]
    account["session_equity"] = 100_000.0
    empty = np.zeros(3, np.float32)
    return Sight(NOW, empty, at_bound, 0.0, equity, close, account, np.zeros(1, BOOK)[0])


def book(position: float = 0.0, sent: int = 0) -> SessionBook:
    made = SessionBook()
    for number in range(max(sent, 1 if position else 0)):
        made.take(
            {
                "event": "order", "time": str(NOW), "client_id": f"t-{number}", "symbol": "SPY",
                "shares": position or 1.0, "opening_of": None, "purpose": "decision",
                "bar_end": str(NOW), "then": 0.0,
            }
        )  # fmt: skip
    if position:
        made.orders["t-0"].report = Report("t-0", OrderState.filled, position, 50.0, NOW)
    return made


def asked(shares, state=ACTIVE, limits=None, position=0.0, sent=0, now=NOW, **seen):
    limits = limits or RiskLimits()
    return refusal(limits, state, book(position, sent), shares, sight(**seen), now)


def test_within_the_limits_an_order_passes():
    assert asked(1_000.0) is None


@pytest.mark.parametrize(
    ("shares", "passes"), [(3_000.0, True), (3_001.0, False), (-3_001.0, False)]
)
def test_the_position_an_order_leads_to_is_bounded_in_equity(shares, passes):
    assert (asked(shares) is None) is passes


def test_the_position_is_bounded_in_money_too():
    limits = RiskLimits(max_notional_usd=10_000.0)
    assert asked(200.0, limits=limits) is None
    assert "max_notional_usd" in asked(201.0, limits=limits)


def test_reducing_passes_what_brings_the_position_nearer_to_zero_and_never_through_it():
    assert asked(-50.0, REDUCING, position=100.0) is None
    assert asked(-100.0, REDUCING, position=100.0) is None
    for shares in (-101.0, 1.0):
        assert "reducing" in asked(shares, REDUCING, position=100.0)
    assert asked(40.0, REDUCING, position=-100.0) is None


def test_less_is_allowed_whatever_the_limits_say():
    limits = RiskLimits(max_notional_usd=10.0)
    assert asked(-10.0, limits=limits, position=100.0) is None


def test_halted_passes_nothing():
    assert asked(-50.0, HALTED, position=100.0) == "halted"


def test_orders_are_counted_within_a_minute():
    limits = RiskLimits(max_orders_per_minute=3)
    assert "max_orders_per_minute" in asked(1.0, limits=limits, sent=3)
    assert asked(1.0, limits=limits, sent=3, now=NOW + pd.Timedelta(seconds=61)) is None


def test_a_loss_at_its_limit_ends_the_day():
    limits = RiskLimits(daily_loss_limit=0.02)
    assert not lost_too_much(limits, 100_000.0, 98_001.0)
    assert lost_too_much(limits, 100_000.0, 98_000.0)


def test_an_observation_out_of_the_trained_range_is_strange():
    limits = RiskLimits(max_columns_at_bound=0.25)
    assert not strange(limits, sight(at_bound=0.25))
    assert strange(limits, sight(at_bound=0.26))


def test_a_night_that_halves_the_price_is_a_split_that_nobody_told():
    assert jumped(RiskLimits(), 60.0, 30.0)
    assert not jumped(RiskLimits(), 60.0, 50.0)
