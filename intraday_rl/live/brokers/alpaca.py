"""Alpaca: market orders in a paper account or a real one (`alpaca-py`)."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import pandas as pd
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest

from intraday_rl.live.brokers.alpaca_address import addresses
from intraday_rl.live.brokers.alpaca_orders import (
    NOT_UNDERSTOOD,
    KnownOrders,
    position_of,
    report_of,
)
from intraday_rl.live.brokers.alpaca_session import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    Refusal,
    SingleRequests,
)
from intraday_rl.live.brokers.alpaca_stream import OrderStream
from intraday_rl.live.brokers.broker import BrokerUnavailable, Order, OrderRefused, Report
from intraday_rl.vendor_keys import keys_of

KEYS = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
# A market order in regular hours fills within a second or two; halts and outages last longer.
EXIT_SECONDS = 20.0
QUANTITY_DECIMALS = 9  # of a share: Alpaca takes no more
ID_TAKEN = "client_order_id must be unique"
NOT_FOUND, UNPROCESSABLE = 404, 422
KEYS_REFUSED = (401, 403)
ORDER_REFUSED = (400, 403, NOT_FOUND, UNPROCESSABLE)
BLOCKS = ("trading_blocked", "account_blocked", "trade_suspended_by_user")
Answer = TypeVar("Answer")


class AlpacaBroker:
    """One symbol in an account at Alpaca; what is asked and heard is the protocol's.

    | what happens | becomes |
    |---|---|
    | no answer within the time-outs, a broken or unreadable one, 429, 5xx | `BrokerUnavailable` |
    | refused keys, a blocked account | `BrokerUnavailable`: what was asked for was not done |
    | an order is refused, and none has its id | `OrderRefused`, in Alpaca's words |
    | an order is refused, and there is one with its id | the report of that one |

    It takes no order through zero: what would turn a position is refused as more than there is.
    Nothing is sent twice by itself. Times: a request may take `connect_seconds` to reach Alpaca and
    then `answer_seconds` without a byte. `listen` adds the stream, whose news `find` knows too.
    Safe to be used by several threads.
    """

    turns = False
    patience = pd.Timedelta(seconds=EXIT_SECONDS)

    def __init__(
        self,
        symbol: str,
        *,
        real: bool,
        url: str | None = None,
        stream_url: str | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._symbol, self._real = symbol, real
        at = addresses(real, url, stream_url)
        where = "Alpaca, those of a paper account and of a real one apart"
        key, secret = keys_of("task.broker", self.name, where, *KEYS)
        self._requests = SingleRequests(self.name, (key, secret), connect_seconds, answer_seconds)
        self._client = TradingClient(
            key, secret, paper=not real, raw_data=True, url_override=at.trading
        )
        self._client._session = self._requests  # there is no public way
        self._known = KnownOrders()
        self._stream = OrderStream(at.stream, (key, secret), not real, symbol, self._news)
        self._lock = threading.Lock()
        self._listens, self._closed = False, False

    @property
    def name(self) -> str:
        return "alpaca_real" if self._real else "alpaca"

    def check(self) -> None:
        """Return if the account may trade; what stands against it is in the message."""
        account = self._asked(self._client.get_account)
        blocks = self._read(lambda: [block for block in BLOCKS if account[block]])
        status = self._read(lambda: str(account["status"]))
        if status != "ACTIVE" or blocks:
            against = ", ".join([f"status {status}", *blocks])
            raise BrokerUnavailable(f"{self.name}: the account may not trade: {against}")

    def look(self, feed: object, known: object, now: pd.Timestamp) -> None:
        """Alpaca has a market of its own."""

    def submit(self, order: Order) -> Report:
        """Send a market order for the day, once; fractions are sold up to a long position only."""
        if order.symbol != self._symbol:
            raise OrderRefused(f"{self.name}: orders of {self._symbol}, not of {order.symbol}")
        shares = round(order.shares, QUANTITY_DECIMALS)
        if shares == 0.0 or not math.isfinite(shares):
            raise OrderRefused(f"{self.name}: {order.shares!r} is no number of shares to trade")
        if shares < 0.0 and not shares.is_integer() and -shares > self.position():
            return self._refused(order, "fractions of a share cannot be sold short; use whole ones")
        request = MarketOrderRequest(
            symbol=self._symbol,
            qty=abs(shares),
            side=OrderSide.BUY if shares > 0.0 else OrderSide.SELL,
            time_in_force=TimeInForce.DAY,
            client_order_id=order.client_id,
        )
        try:
            answer = self._asked(lambda: self._client.submit_order(request), ORDER_REFUSED)
        except Refusal as refusal:
            words = refusal.words
        else:
            return self._heard(answer, order.client_id)
        return self._refused(order, words)

    def find(self, client_id: str) -> Report | None:
        """Alpaca's answer, together with what was heard before: never less, never open again."""
        try:
            answer = self._asked(
                lambda: self._client.get_order_by_client_id(client_id), (NOT_FOUND,)
            )
        except Refusal:
            return self._known.of(client_id)
        return self._heard(answer, client_id)

    def cancel(self, client_id: str) -> None:
        report = self._known.of(client_id) or self.find(client_id)
        if report is None or report.state.is_final:
            return
        try:
            self._asked(
                lambda: self._client.cancel_order_by_id(report.broker_id),
                (NOT_FOUND, UNPROCESSABLE),
            )
        except Refusal:
            return  # it has ended meanwhile: `find` tells how

    def position(self) -> float:
        try:
            answer = self._asked(lambda: self._client.get_open_position(self._symbol), (NOT_FOUND,))
        except Refusal:
            return 0.0
        return self._read(lambda: position_of(answer))

    def listen(self) -> None:
        """Hear of fills before they are asked for; a stream that is away is no error."""
        with self._lock:
            if not self._listens and not self._closed:
                self._listens = True
                self._stream.start()

    def wait(self, seconds: float) -> bool:
        """Until the stream has told something that no wait returned for; False after `seconds`."""
        return self._known.wait(seconds)

    def close(self) -> None:
        """End the stream's thread, within seconds, and let go of connections."""
        with self._lock:
            if self._listens and not self._closed:
                self._stream.close()
            self._closed = True
        self._requests.close()

    def _news(self, report: Report) -> None:
        self._known.heard(report, unasked=True)

    def _heard(self, answer: Any, client_id: str) -> Report:
        return self._known.heard(self._read(lambda: report_of(answer, client_id)))

    def _refused(self, order: Order, words: str) -> Report:
        """A no to an order sent before may be about what that one did already: buying power it
        binds, shares it sold, the id it has."""
        report = self.find(order.client_id)
        if report is not None:
            return report
        if ID_TAKEN in words:
            raise BrokerUnavailable(f"{self.name}: {words}, but no order with it is found yet")
        raise OrderRefused(f"{self.name}: {words}")

    def _asked(self, ask: Callable[[], Answer], expected: tuple[int, ...] = ()) -> Answer:
        """Alpaca's answer; raises a `Refusal` with an `expected` status."""
        try:
            return self._read(ask)
        except Refusal as refusal:
            if refusal.status in expected:
                raise
            remedy = f"; check {' and '.join(KEYS)}" if refusal.status in KEYS_REFUSED else ""
            raise BrokerUnavailable(f"{self.name}: {refusal}{remedy}") from None

    def _read(self, read: Callable[[], Answer]) -> Answer:
        try:
            return read()
        except NOT_UNDERSTOOD as error:
            what = type(error).__name__
        raise BrokerUnavailable(f"{self.name}: an answer that is not understood ({what})")
