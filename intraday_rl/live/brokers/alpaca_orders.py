"""Alpaca's orders as reports, and what is known of each from all that was heard."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from intraday_rl.live.brokers.broker import OrderState, Report

# What an answer of another shape than the documented one raises while it is read.
NOT_UNDERSTOOD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)

# All that Alpaca documents; one it adds later counts as open, since shares may still come.
STATES = {
    "new": OrderState.open,
    "accepted": OrderState.open,
    "pending_new": OrderState.open,
    "accepted_for_bidding": OrderState.open,
    "pending_review": OrderState.open,
    "partially_filled": OrderState.open,
    "pending_cancel": OrderState.open,
    "pending_replace": OrderState.open,
    "stopped": OrderState.open,  # a trade is guaranteed and has not happened yet
    "suspended": OrderState.open,
    "held": OrderState.open,
    "filled": OrderState.filled,
    "canceled": OrderState.cancelled,
    "expired": OrderState.cancelled,
    "replaced": OrderState.cancelled,  # by somebody else; its successor has an id that is not ours
    # For an order of the day there is no other day. If it were called open, an exit would wait
    # for it until the market is closed.
    "done_for_day": OrderState.cancelled,
    "calculated": OrderState.cancelled,  # done for the day as well, if not filled
    "rejected": OrderState.rejected,
}
STRONGEST_FIRST = (OrderState.filled, OrderState.cancelled, OrderState.rejected, OrderState.open)


def report_of(
    order: Mapping[str, Any], client_id: str | None = None, filled_at: str | None = None
) -> Report:
    """An order object of Alpaca's answers and events; `NOT_UNDERSTOOD` if it is none.

    `client_id`: the order that was asked for. `filled_at`: a better time than the order's own.
    """
    named = _text(order["client_order_id"])
    if client_id is not None and named != client_id:
        raise ValueError("another order than was asked for")
    direction = {"buy": 1.0, "sell": -1.0}[order["side"]]
    filled, ordered = _number(order["filled_qty"]), _number(order["qty"])
    state = STATES.get(_text(order["status"]), OrderState.open)
    if filled >= ordered > 0.0:
        state = OrderState.filled
    elif state is OrderState.filled:
        raise ValueError("filled, but not all of it")
    price = _number(order["filled_avg_price"]) if filled else None
    if price == 0.0:
        raise ValueError("filled without a price")
    ended_early = state in (OrderState.cancelled, OrderState.rejected)
    return Report(
        client_id=named,
        state=state,
        filled=direction * filled if filled else 0.0,
        average_price=price,
        filled_at=_time(filled_at or order.get("filled_at")) if filled else None,
        broker_id=_text(order["id"]),
        reason=order["status"] if ended_early else None,
    )


def position_of(position: Mapping[str, Any]) -> float:
    """Signed shares of a position object; `NOT_UNDERSTOOD` if it is none."""
    direction = {"long": 1.0, "short": -1.0}[position["side"]]
    # The number of a short position has a sign of its own.
    return direction * _number(position["qty"].removeprefix("-"))


def merged(before: Report | None, news: Report) -> Report:
    """What is known of an order after some news, which may be old, or heard twice.

    Fills are cumulative: the larger number is the newer one. A final state stays.
    """
    if before is None:
        return news
    more = before if abs(before.filled) > abs(news.filled) else news
    state = next(one for one in STRONGEST_FIRST if one in (before.state, news.state))
    # Both ways tell a time of the same fill; the first one stays, or it would change to and fro.
    same_fill = before.filled == news.filled
    return replace(
        more,
        state=state,
        filled_at=(before.filled_at if same_fill else None) or more.filled_at,
        reason=None if state is OrderState.filled else before.reason or news.reason,
    )


class KnownOrders:
    """The newest of each order, whichever way it came; for several threads."""

    def __init__(self) -> None:
        self._reports: dict[str, Report] = {}
        self._changed = threading.Condition()
        self._told = False

    def of(self, client_id: str) -> Report | None:
        with self._changed:
            return self._reports.get(client_id)

    def heard(self, news: Report, *, unasked: bool = False) -> Report:
        """Take in a report and return what is known now; `unasked` news wakes whoever waits."""
        with self._changed:
            before = self._reports.get(news.client_id)
            known = self._reports[news.client_id] = merged(before, news)
            if unasked and known != before:
                self._told = True
                self._changed.notify_all()
            return known

    def wait(self, seconds: float) -> bool:
        """Until there is unasked news that no wait has returned for; False if none came."""
        with self._changed:
            told = self._changed.wait_for(lambda: self._told, seconds)
            self._told = False
            return told


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("no text")
    return value


def _number(value: object) -> float:
    """At least 0: Alpaca writes most numbers as text."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise TypeError("no number")
    number = float(value)
    if not math.isfinite(number) or number < 0.0:
        raise ValueError("no amount")
    return number


def _time(value: object) -> pd.Timestamp | None:
    """UTC, which is also meant where no zone is written."""
    if value is None:
        return None
    stamp = pd.Timestamp(_text(value))
    return stamp.tz_localize("UTC") if stamp.tz is None else stamp.tz_convert("UTC")
