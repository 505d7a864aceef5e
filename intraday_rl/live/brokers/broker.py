"""What a session asks of a broker, whoever it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import pandas as pd

from intraday_rl.errors import IntradayRLError
from intraday_rl.live.feeds.feed import DayBars, Feed


class BrokerUnavailable(IntradayRLError):
    """No whole answer came: what was asked for may have happened or not."""


class OrderRefused(IntradayRLError):
    """The broker took the order and will not carry it out; nothing of it was or will be filled."""


class OrderState(Enum):
    """`open` may still be filled; the others are final."""

    open = "open"
    filled = "filled"
    cancelled = "cancelled"
    rejected = "rejected"

    @property
    def is_final(self) -> bool:
        return self is not OrderState.open


@dataclass(frozen=True, slots=True)
class Order:
    """A market order for the day.

    | field | what |
    |---|---|
    | `client_id` | chosen by us: the same id again is the same order, never another one |
    | `shares` | signed, never 0: below 0 sells |
    | `opening_of` | the bar boundary at whose opening price it is meant to fill; null = at once |
    """

    client_id: str
    symbol: str
    shares: float
    opening_of: pd.Timestamp | None


@dataclass(frozen=True, slots=True)
class Report:
    """How an order stands.

    | field | what |
    |---|---|
    | `filled` | signed shares so far |
    | `average_price` | USD a share of all that was filled, as traded; null while nothing was |
    | `filled_at` | time of the last fill, UTC |
    | `broker_id` | the broker's own name of the order |
    | `reason` | why it was rejected or cancelled, in the broker's words |
    """

    client_id: str
    state: OrderState
    filled: float = 0.0
    average_price: float | None = None
    filled_at: pd.Timestamp | None = None
    broker_id: str | None = None
    reason: str | None = None


class Broker(Protocol):
    """One account and one symbol at a broker. Every method may raise `BrokerUnavailable`."""

    @property
    def name(self) -> str:
        """As it is written into journals."""
        ...

    @property
    def turns(self) -> bool:
        """Whether one order may go from long to short, or back, through zero."""
        ...

    @property
    def patience(self) -> pd.Timedelta:
        """What an exit order may take before another one takes its place."""
        ...

    def check(self) -> None:
        """Return if the broker answers and would take orders."""
        ...

    def look(self, feed: Feed, known: DayBars, now: pd.Timestamp) -> None:
        """What the feed knows, for a broker that has no market of its own."""
        ...

    def submit(self, order: Order) -> Report:
        """Send an order; an id that is known gives the order it names. Raises `OrderRefused`."""
        ...

    def find(self, client_id: str) -> Report | None:
        """How the order with this id stands; None = the broker has never seen it."""
        ...

    def cancel(self, client_id: str) -> None:
        """Ask for the end of an open order; `find` tells what became of it."""
        ...

    def position(self) -> float:
        """Signed shares of the symbol in the account."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
