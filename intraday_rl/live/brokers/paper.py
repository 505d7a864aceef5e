"""The environment's own fills: what a backtest would have got, as a broker that keeps its book.

It is a broker like others: what it was asked and what it filled is on the disk before it answers,
so that a session which was killed finds its orders again.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from intraday_rl.live.brokers.broker import Order, OrderState, Report
from intraday_rl.live.clock import Clock
from intraday_rl.live.feeds.feed import DayBars, Feed, upto
from intraday_rl.live.journal import Journal
from intraday_rl.trading.kernel.charges import fill_price

# How long after a beginning a feed may say nothing before it counts as gone.
SILENCE = pd.Timedelta(seconds=60)
NO_BAR = "no bar came at whose opening it could be filled"


class PaperBroker:
    """Fills at the opening an order is meant for, moved against it by the book's slippage.

    | order | fills |
    |---|---|
    | at the opening of a bar | when that opening, or the next one that comes, is known |
    | of these, the exit | without such a bar at the last close before, as the environment does |
    | at once | at the last close that is known |

    `look` hands in what the feed knows: this broker asks nobody, so that a feed that hangs holds
    up no exit.
    """

    name = "paper"
    turns = True

    def __init__(
        self,
        folder: Path,
        book: np.void,
        clock: Clock,
        exit_at: pd.Timestamp,
        exit_patience: pd.Timedelta,
        last_close: float | None = None,
    ) -> None:
        self._sides = {1.0: book["buy"], -1.0: book["sell"]}
        self._clock, self._exit_at, self._exit_patience = clock, exit_at, exit_patience
        # It gives up waiting by itself, and only asks for news of the order then.
        self.patience = exit_patience * 2
        self._journal = Journal(folder / "paper_broker.jsonl")
        self._began = clock.now()
        self._orders: dict[str, Order] = {}
        self._reports: dict[str, Report] = {}
        self._last_close = last_close
        self._known: DayBars | None = None
        self._heard_at: pd.Timestamp | None = None
        self._lock = threading.Lock()
        self._journal.__enter__()
        for entry in self._journal.read():
            self._take(entry)

    def look(self, feed: Feed, known: DayBars, now: pd.Timestamp) -> None:
        """Fill what can be filled by what the feed knows."""
        with self._lock:
            self._heard_at = now
            self._known = known
            self._last_close = known.last_close() or self._last_close
            for client_id, order in self._open():
                if order.opening_of is None:
                    self._fill_at_once(client_id, order)
                else:
                    opening = feed.opening(order.opening_of, now)
                    if opening is not None and self._may_fill(order, opening[0]):
                        self._fill(client_id, order, opening[1], opening[0])

    def check(self) -> None:
        """It is always there."""

    def submit(self, order: Order) -> Report:
        with self._lock:
            if order.client_id not in self._orders:
                self._note("accepted", order=_plain(order))
                if order.opening_of is None:
                    self._fill_at_once(order.client_id, order)
            return self._reports[order.client_id]

    def find(self, client_id: str) -> Report | None:
        with self._lock:
            if client_id in self._orders:
                self._give_up_waiting(client_id, self._orders[client_id])
            return self._reports.get(client_id)

    def cancel(self, client_id: str) -> None:
        with self._lock:
            if client_id in self._orders and not self._reports[client_id].state.is_final:
                self._note("cancelled", client_id=client_id, reason="as asked")

    def position(self) -> float:
        with self._lock:
            return sum(report.filled for report in self._reports.values())

    def close(self) -> None:
        self._journal.__exit__(None, None, None)

    def _open(self) -> list[tuple[str, Order]]:
        return [
            (client_id, self._orders[client_id])
            for client_id, report in self._reports.items()
            if not report.state.is_final
        ]

    def _may_fill(self, order: Order, start: pd.Timestamp) -> bool:
        """The exit fills at its own bar or not at an opening; a decision before the exit alone."""
        if order.opening_of is not None and order.opening_of >= self._exit_at:
            return start == order.opening_of
        return start < self._exit_at

    def _give_up_waiting(self, client_id: str, order: Order) -> None:
        """Past the time in which a bar could come: the exit has its price, a decision has none."""
        if self._reports[client_id].state.is_final or order.opening_of is None:
            return
        now = self._clock.now()
        due = self._exit_at
        if order.opening_of >= self._exit_at:
            due = order.opening_of + self._exit_patience
        # A broker that has just begun again waits for the feed's first word, not for ever.
        heard = self._heard_at is not None and self._heard_at >= due
        if now < due or not (heard or now >= max(due, self._began) + SILENCE):
            return
        if order.opening_of < self._exit_at:
            self._note("cancelled", client_id=client_id, reason=NO_BAR)
        elif (close := self._close_before(order.opening_of)) is not None:
            self._fill(client_id, order, close, order.opening_of)

    def _close_before(self, moment: pd.Timestamp) -> float | None:
        """Traded close of the newest bar that had ended by then, as far as bars came."""
        if self._known is not None:
            earlier = replace(self._known, symbol=upto(self._known.symbol, moment))
            if (close := earlier.last_close()) is not None:
                return close
        return self._last_close

    def _fill_at_once(self, client_id: str, order: Order) -> None:
        """At the last close; a broker that has just begun again may not know it yet."""
        if self._last_close is not None:
            self._fill(client_id, order, self._last_close, self._clock.now())

    def _fill(self, client_id: str, order: Order, price: float, at: pd.Timestamp) -> None:
        direction = 1.0 if order.shares > 0.0 else -1.0
        paid = float(fill_price(self._sides[direction], direction, price))
        self._note("filled", client_id=client_id, price=paid, at=str(at))

    def _note(self, event: str, **values: Any) -> None:
        self._take(self._journal.write(event, str(self._clock.now()), **values))

    def _take(self, entry: dict[str, Any]) -> None:
        match entry["event"]:
            case "accepted":
                order = _order(entry["order"])
                self._orders[order.client_id] = order
                self._reports[order.client_id] = Report(
                    order.client_id, OrderState.open, broker_id=f"paper-{entry['number']}"
                )
            case "filled":
                self._settle(entry, OrderState.filled)
            case "cancelled":
                self._settle(entry, OrderState.cancelled)

    def _settle(self, entry: dict[str, Any], state: OrderState) -> None:
        order, before = self._orders[entry["client_id"]], self._reports[entry["client_id"]]
        whole = state is OrderState.filled
        self._reports[order.client_id] = Report(
            client_id=order.client_id,
            state=state,
            filled=order.shares if whole else 0.0,
            average_price=entry["price"] if whole else None,
            filled_at=pd.Timestamp(entry["at"]) if whole else None,
            broker_id=before.broker_id,
            reason=entry.get("reason"),
        )


def _plain(order: Order) -> dict[str, Any]:
    return {
        "client_id": order.client_id,
        "symbol": order.symbol,
        "shares": order.shares,
        "opening_of": None if order.opening_of is None else str(order.opening_of),
    }


def _order(plain: dict[str, Any]) -> Order:
    opening_of = plain["opening_of"]
    return Order(
        plain["client_id"],
        plain["symbol"],
        float(plain["shares"]),
        None if opening_of is None else pd.Timestamp(opening_of),
    )
