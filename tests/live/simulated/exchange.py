"""A broker with a market of its own, and with everything that goes wrong at brokers.

It outlives the session's processes, as a real one does, and keeps the truth that the session's
journal is held against at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from intraday_rl.live.brokers.broker import (
    BrokerUnavailable,
    Order,
    OrderRefused,
    OrderState,
    Report,
)
from intraday_rl.live.feeds.feed import DayBars, Feed


@dataclass
class Booked:
    """An order as the exchange has it; `slow`: its rest is filled at this time."""

    order: Order
    filled: float = 0.0
    price: float | None = None
    state: OrderState = OrderState.open
    filled_at: pd.Timestamp | None = None
    slow: pd.Timestamp | None = None
    cancel_at: pd.Timestamp | None = None


@dataclass(frozen=True)
class Faults:
    """Shares of requests or orders that go wrong in each way."""

    rejected: float = 0.0
    partial: float = 0.0
    partial_stays: float = 0.0  # of the partial ones: the rest is never filled
    no_answer: float = 0.0  # the order arrived, its answer did not
    not_arrived: float = 0.0  # neither did
    arrives_late: float = 0.0  # no answer, and it arrives seconds later
    query_fails: float = 0.0
    twice: float = 0.0  # the answer comes again, older than what is known
    slow_cancel: float = 0.0


@dataclass
class SimulatedExchange:
    """`price`: of the symbol at a moment; `down`: outages as (from, until)."""

    price: Callable[[pd.Timestamp], float]
    now: Callable[[], pd.Timestamp]
    random: np.random.Generator
    faults: Faults
    down: list[tuple[pd.Timestamp, pd.Timestamp]] = field(default_factory=list)
    orders: dict[str, Booked] = field(default_factory=dict)
    on_their_way: list[tuple[pd.Timestamp, Order]] = field(default_factory=list)
    older: dict[str, Report] = field(default_factory=dict)
    happened: dict[str, int] = field(default_factory=dict)
    name = "simulated"
    turns: bool = True
    patience = pd.Timedelta(seconds=20)

    def look(self, feed: Feed, known: DayBars, now: pd.Timestamp) -> None:
        """It has a market of its own."""

    def close(self) -> None:
        """The exchange stays when a session's process goes."""

    def check(self) -> None:
        self._answer("outage")

    def submit(self, order: Order) -> Report:
        self._answer("outage")
        if order.client_id in self.orders:
            return self._report(order.client_id)
        if not self.turns and self.true_position * (self.true_position + order.shares) < 0.0:
            raise OrderRefused("insufficient qty available for order")
        if self._strikes(self.faults.not_arrived, "not arrived"):
            raise BrokerUnavailable("the request timed out")
        if self._strikes(self.faults.arrives_late, "arrived late"):
            seconds = int(self.random.integers(1, 6))
            self.on_their_way.append((self.now() + pd.Timedelta(seconds=seconds), order))
            raise BrokerUnavailable("the request timed out")
        self._book(order)
        if self._strikes(self.faults.no_answer, "no answer"):
            raise BrokerUnavailable("the answer was cut off")
        booked = self.orders[order.client_id]
        if booked.state is OrderState.rejected:
            raise OrderRefused("insufficient day trading buying power")
        return self._report(order.client_id)

    def find(self, client_id: str) -> Report | None:
        self._answer("query failed", self.faults.query_fails)
        if client_id not in self.orders:
            return None
        if client_id in self.older and self._strikes(self.faults.twice, "answered twice"):
            return self.older[client_id]
        return self._report(client_id)

    def cancel(self, client_id: str) -> None:
        self._answer("query failed", self.faults.query_fails)
        booked = self.orders.get(client_id)
        if booked is not None and not booked.state.is_final and booked.cancel_at is None:
            slow = self._strikes(self.faults.slow_cancel, "slow cancel")
            booked.cancel_at = self.now() + pd.Timedelta(seconds=4 if slow else 0)
            self.pass_time()

    def position(self) -> float:
        self._answer("query failed", self.faults.query_fails)
        return self.true_position

    @property
    def true_position(self) -> float:
        return sum(booked.filled for booked in self.orders.values())

    def pass_time(self) -> None:
        """What has been on its way arrives, slow fills and cancels happen."""
        now = self.now()
        arrived = [order for due, order in self.on_their_way if due <= now]
        self.on_their_way = [one for one in self.on_their_way if one[0] > now]
        for order in arrived:
            if order.client_id not in self.orders:
                self._book(order)
        for booked in self.orders.values():
            if booked.state.is_final:
                continue
            if booked.slow is not None and booked.slow <= now:
                self._fill(booked, booked.order.shares)
                booked.state = OrderState.filled
            elif booked.cancel_at is not None and booked.cancel_at <= now:
                booked.state = OrderState.cancelled

    def _book(self, order: Order) -> None:
        booked = Booked(order)
        self.orders[order.client_id] = booked
        if self._strikes(self.faults.rejected, "rejected"):
            booked.state = OrderState.rejected
            return
        if abs(order.shares) > 1 and self._strikes(self.faults.partial, "partial fill"):
            self.older[order.client_id] = self._report(order.client_id)
            share = self.random.uniform(0.1, 0.9)
            self._fill(booked, np.trunc(order.shares * share) or np.sign(order.shares))
            if not self._strikes(self.faults.partial_stays, "rest never filled"):
                booked.slow = self.now() + pd.Timedelta(seconds=int(self.random.integers(1, 9)))
            return
        self.older[order.client_id] = self._report(order.client_id)
        self._fill(booked, order.shares)
        booked.state = OrderState.filled

    def _fill(self, booked: Booked, shares: float) -> None:
        """Up to `shares` in all, a little worse or better than the market."""
        price = self.price(self.now()) * (1.0 + self.random.normal(0.0, 2e-4))
        before = booked.filled * (booked.price or 0.0)
        booked.price = (before + (shares - booked.filled) * price) / shares
        booked.filled, booked.filled_at = float(shares), self.now()

    def _report(self, client_id: str) -> Report:
        booked = self.orders[client_id]
        return Report(
            client_id,
            booked.state,
            booked.filled,
            booked.price,
            booked.filled_at,
            f"x{client_id}",
            None,
        )

    def _answer(self, what: str, share: float = 0.0) -> None:
        now = self.now()
        if any(begin <= now < end for begin, end in self.down):
            self.happened["outage"] = self.happened.get("outage", 0) + 1
            raise BrokerUnavailable("connection refused")
        if self._strikes(share, what):
            raise BrokerUnavailable("the request timed out")

    def _strikes(self, share: float, what: str) -> bool:
        struck = bool(self.random.random() < share)
        if struck:
            self.happened[what] = self.happened.get(what, 0) + 1
        return struck
