"""Alpaca's order objects as reports, and reports put together in whatever order they come."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pandas as pd
import pytest

from intraday_rl.live.brokers.alpaca_orders import (
    NOT_UNDERSTOOD,
    STATES,
    KnownOrders,
    merged,
    report_of,
)
from intraday_rl.live.brokers.broker import OrderState, Report

OPEN = {
    "new", "accepted", "pending_new", "accepted_for_bidding", "pending_review",
    "partially_filled", "pending_cancel", "pending_replace", "stopped", "suspended", "held",
}  # fmt: skip


def order(**changes: Any) -> dict[str, Any]:
    return {
        "id": "904837e3-3b76-47ec-b432-046db621571b",
        "client_order_id": "agent-001",
        "symbol": "SPY",
        "side": "buy",
        "qty": "10",
        "filled_qty": "0",
        "filled_avg_price": None,
        "filled_at": None,
        "status": "new",
        **changes,
    }


def report(state: OrderState, filled: float, second: int | None = None) -> Report:
    at = None if second is None else pd.Timestamp(f"2024-05-06T14:00:{second:02d}Z")
    return Report("agent-001", state, filled, 100.0 + filled if filled else None, at, "b")


def test_every_documented_status_is_an_open_or_a_final_state():
    for status in STATES:
        whole = {"filled_qty": "10", "filled_avg_price": "7"} if status == "filled" else {}
        state = report_of(order(status=status, **whole)).state
        assert state.is_final == (status not in OPEN), status
    assert report_of(order(status="rejected")).state is OrderState.rejected
    assert report_of(order(status="expired")).state is OrderState.cancelled


def test_a_status_of_tomorrow_is_open_until_all_is_filled():
    assert report_of(order(status="pondered")).state is OrderState.open
    whole = order(status="pondered", filled_qty="10", filled_avg_price="7")
    assert report_of(whole).state is OrderState.filled


def test_all_shares_filled_is_filled_even_if_the_day_is_done():
    whole = order(status="calculated", filled_qty="10", filled_avg_price="7")
    assert report_of(whole).state is OrderState.filled
    part = report_of(order(status="done_for_day", filled_qty="4", filled_avg_price="7"))
    assert (part.state, part.filled, part.reason) == (OrderState.cancelled, 4.0, "done_for_day")


def test_fills_of_a_sale_are_negative_with_a_time_in_utc():
    sold = report_of(
        order(side="sell", status="partially_filled", filled_qty="4.5", filled_avg_price="99.25",
              filled_at="2024-05-06T10:30:00.123456789-04:00")
    )  # fmt: skip
    assert (sold.filled, sold.average_price) == (-4.5, 99.25)
    assert sold.filled_at == pd.Timestamp("2024-05-06T14:30:00.123456789Z")
    assert str(sold.filled_at.tz) == "UTC"
    assert (sold.broker_id, sold.reason) == ("904837e3-3b76-47ec-b432-046db621571b", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"filled_qty": "nan"}, {"filled_qty": "-1"}, {"filled_qty": True}, {"filled_qty": None},
        {"qty": None}, {"qty": "inf", "filled_qty": "inf"}, {"side": "hold"}, {"status": None},
        {"client_order_id": "another"}, {"client_order_id": ""}, {"id": 7},
        {"status": "filled"}, {"status": "filled", "filled_qty": "9", "filled_avg_price": "7"},
        {"filled_qty": "4", "filled_avg_price": None}, {"filled_qty": "4", "filled_avg_price": "0"},
        {"filled_qty": "4", "filled_avg_price": "7", "filled_at": "yesterday"},
    ],
)  # fmt: skip
def test_an_order_that_makes_no_sense_is_not_understood(changes: dict[str, Any]) -> None:
    with pytest.raises(NOT_UNDERSTOOD):
        report_of(order(**changes), "agent-001")


@pytest.mark.parametrize("answer", [None, [], "order", 7, {}])
def test_what_is_no_order_is_not_understood(answer: Any) -> None:
    with pytest.raises(NOT_UNDERSTOOD):
        report_of(answer, "agent-001")


def test_news_in_any_order_and_any_number_ends_at_the_same_report():
    news = [
        report(OrderState.open, 0.0),
        report(OrderState.open, 4.0, 1),
        report(OrderState.open, 7.0, 2),
        report(OrderState.cancelled, 7.0),
    ]
    for heard in itertools.permutations([*news, news[1]]):
        known = None
        for one in heard:
            before, known = known, merged(known, one)
            assert before is None or abs(known.filled) >= abs(before.filled)
            assert before is None or known.state.is_final or not before.state.is_final
        assert known == report(OrderState.cancelled, 7.0, 2)


def test_a_cancelled_order_may_still_turn_out_to_be_filled():
    late = merged(report(OrderState.cancelled, 4.0, 1), report(OrderState.filled, 10.0, 2))
    assert late == report(OrderState.filled, 10.0, 2)
    assert merged(late, report(OrderState.cancelled, 4.0, 1)) == late


def test_the_first_time_of_a_fill_stays():
    first, later = report(OrderState.filled, 10.0, 1), report(OrderState.filled, 10.0, 2)
    assert merged(first, later).filled_at == first.filled_at


def test_a_wait_ends_with_news_also_with_news_from_before_it():
    known = KnownOrders()
    known.heard(report(OrderState.open, 4.0))
    assert not known.wait(0.0)  # what was asked for is no news
    known.heard(report(OrderState.open, 7.0), unasked=True)
    assert known.wait(0.0)
    assert not known.wait(0.0)
    known.heard(report(OrderState.open, 7.0), unasked=True)
    assert not known.wait(0.0)  # heard twice
    waits = threading.Thread(target=known.wait, args=(60.0,))
    waits.start()
    known.heard(report(OrderState.filled, 10.0), unasked=True)
    waits.join(10.0)
    assert not waits.is_alive()
