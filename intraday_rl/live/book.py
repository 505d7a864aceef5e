"""What a session has done, folded from its journal: the same before and after a restart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pandas as pd

from intraday_rl.live.account import Filled, Opening
from intraday_rl.live.brokers.broker import Order, OrderState, Report
from intraday_rl.market.bars import PRICES


class Purpose(Enum):
    """Why an order was sent."""

    decision = "decision"
    exit = "exit"


@dataclass(slots=True)
class SentOrder:
    """An order and the newest of what the broker said about it.

    `bar_end`: of the decision it carries out; null for an exit. `report` null: nobody has
    answered yet, so that it may exist at the broker or not. `then`: signed shares that are to
    follow when it is filled, where a broker takes no order through zero.
    """

    order: Order
    purpose: Purpose
    bar_end: pd.Timestamp | None
    sent_at: pd.Timestamp
    then: float = 0.0
    report: Report | None = None
    lost: bool = False
    cancel_asked: bool = False

    @property
    def is_open(self) -> bool:
        """It may still be filled."""
        return not self.lost and (self.report is None or not self.report.state.is_final)

    @property
    def filled(self) -> float:
        return 0.0 if self.report is None else self.report.filled


@dataclass(slots=True)
class SessionBook:
    """Position, orders, decisions and how the session stands.

    | field | what |
    |---|---|
    | `opening`, `after` | the account when it began and, once closed, when it ended |
    | `actions` | raw actions by the end of their bar |
    | `wanted` | shares that the newest decision meant |
    | `handled` | ends of the bars that were decided on or skipped |
    | `leaving`, `left_at` | why and since when nothing is opened any more; null while trading |
    | `adjusted` | shares that the broker has and no order explains |
    | `bars`, `left_close` | traded prices by the end of their bar; the last close when it left |
    | `alarms` | what a person should look at |
    | `stops_before` | number of the last emergency stop before it was opened |
    """

    opening: Opening | None = None
    after: Opening | None = None
    orders: dict[str, SentOrder] = field(default_factory=dict)
    actions: dict[pd.Timestamp, float] = field(default_factory=dict)
    wanted: float | None = None
    handled: set[pd.Timestamp] = field(default_factory=set)
    bars: dict[pd.Timestamp, dict[str, float]] = field(default_factory=dict)
    left_close: float | None = None
    leaving: str | None = None
    left_at: pd.Timestamp | None = None
    risk_state: str = "ACTIVE"
    risk_reason: str | None = None
    adjusted: float = 0.0
    stops_before: int = 0
    alarms: list[str] = field(default_factory=list)
    closed: bool = False

    @classmethod
    def of(cls, entries: Iterable[Mapping[str, Any]]) -> SessionBook:
        book = cls()
        for entry in entries:
            book.take(entry)
        return book

    def _sent(self) -> list[SentOrder]:
        """All of them as they are now: the watchdog may send another one meanwhile."""
        return list(self.orders.values())

    @property
    def position(self) -> float:
        """Signed shares that our fills add up to."""
        return self.adjusted + sum(one.filled for one in self._sent())

    def last_close(self) -> float | None:
        """Traded close of the newest bar that was written down."""
        return self.bars[max(self.bars)]["close"] if self.bars else None

    def open_orders(self) -> list[SentOrder]:
        """Those that may still be filled, in the order in which they were sent."""
        return [one for one in self._sent() if one.is_open]

    def fills(self) -> dict[pd.Timestamp, Filled]:
        """What was filled for each decision."""
        rows: dict[pd.Timestamp, list[SentOrder]] = {}
        for one in self._sent():
            if one.bar_end is not None and one.filled:
                rows.setdefault(one.bar_end, []).append(one)
        return {bar_end: together(orders) for bar_end, orders in rows.items()}

    def exit(self) -> Filled:
        """What closed the position."""
        return together([one for one in self._sent() if one.purpose is Purpose.exit])

    def exited_at(self) -> pd.Timestamp | None:
        """When the last of the exit was filled; None without one."""
        times = [
            one.report.filled_at
            for one in self._sent()
            if one.purpose is Purpose.exit and one.report and one.report.filled_at is not None
        ]
        return max(times, default=None)

    def sent_since(self, moment: pd.Timestamp) -> int:
        """Orders for decisions since then."""
        return sum(one.sent_at > moment and one.purpose is Purpose.decision for one in self._sent())

    def take(self, entry: Mapping[str, Any]) -> None:
        """One line of the journal; an event that is unknown here changes nothing."""
        event, time = entry["event"], pd.Timestamp(entry["time"])
        match event:
            case "opened":
                self.opening = _opening(entry)
                self.stops_before = int(entry["stops_before"])
            case "bar":
                prices = {name: float(entry[name]) for name in PRICES}
                self.bars[pd.Timestamp(entry["bar_end"])] = prices
            case "decision":
                bar_end = pd.Timestamp(entry["bar_end"])
                self.actions[bar_end] = float(entry["action"])
                self.wanted = float(entry["wanted"])
                self.handled.add(bar_end)
            case "skipped":
                self.handled.add(pd.Timestamp(entry["bar_end"]))
            case "order":
                self._add(entry, time)
            case "report":
                self.orders[entry["client_id"]].report = _report(entry)
            case "cancel":
                self.orders[entry["client_id"]].cancel_asked = True
            case "lost":
                self.orders[entry["client_id"]].lost = True
            case "alarm":
                self.alarms.append(str(entry["text"]))
            case "adjusted":
                self.adjusted += float(entry["shares"])
            case "leaving":
                self.leaving, self.left_at = str(entry["reason"]), time
                self.left_close = self.last_close()
            case "risk":
                self.risk_state, self.risk_reason = entry["state"], entry["reason"]
            case "closed":
                self.closed, self.after = True, _opening(entry)

    def _add(self, entry: Mapping[str, Any], time: pd.Timestamp) -> None:
        opening_of = entry["opening_of"]
        order = Order(
            client_id=entry["client_id"],
            symbol=entry["symbol"],
            shares=float(entry["shares"]),
            opening_of=None if opening_of is None else pd.Timestamp(opening_of),
        )
        bar_end = entry["bar_end"]
        self.orders[order.client_id] = SentOrder(
            order,
            Purpose(entry["purpose"]),
            None if bar_end is None else pd.Timestamp(bar_end),
            time,
            float(entry["then"]),
        )


def together(orders: list[SentOrder]) -> Filled:
    """Several orders as one: all their shares, and the price that they come to."""
    reports = [one.report for one in orders if one.report is not None and one.report.filled]
    shares = sum(one.filled for one in reports)
    prices = {one.average_price for one in reports}
    if len(prices) == 1 or not shares:
        return Filled(shares, prices.pop() if len(prices) == 1 else None)
    paid = sum(one.filled * one.average_price for one in reports if one.average_price is not None)
    return Filled(shares, paid / shares)


def _report(entry: Mapping[str, Any]) -> Report:
    filled_at = entry["filled_at"]
    return Report(
        client_id=entry["client_id"],
        state=OrderState(entry["state"]),
        filled=float(entry["filled"]),
        average_price=entry["average_price"],
        filled_at=None if filled_at is None else pd.Timestamp(filled_at),
        broker_id=entry["broker_id"],
        reason=entry["reason"],
    )


def _opening(entry: Mapping[str, Any]) -> Opening:
    return Opening(float(entry["equity"]), float(entry["moment_a"]), float(entry["moment_b"]))
