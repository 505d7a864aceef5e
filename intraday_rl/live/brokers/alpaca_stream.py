"""Alpaca's news of orders, heard in a thread of its own: sooner than asking, not instead of it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from alpaca.trading.stream import TradingStream

from intraday_rl.live.brokers.alpaca_orders import report_of
from intraday_rl.live.brokers.broker import Report
from intraday_rl.vendor_keys import without_keys

FILLS = ("fill", "partial_fill")
# How long the other side is given to say goodbye, and the thread to end after it.
GOODBYE_SECONDS, END_SECONDS = 0.5, 2.0
# A dead line is noticed after both; the client's own second one is minutes.
PING_SECONDS, PONG_SECONDS = 10.0, 10.0

CLIENT = logging.getLogger("alpaca.trading.stream")
# The library below writes every message it sends when asked to debug, the keys among them.
WEBSOCKET = logging.getLogger(f"{__name__}.websocket")
WEBSOCKET.setLevel(logging.WARNING)


class OrderStream:
    """The client's stream of one account, from `start` to `close`; reconnects are the client's.

    `hear` is called in the stream's thread with every report about `symbol`.
    """

    def __init__(
        self,
        url: str,
        keys: tuple[str, str],
        paper: bool,
        symbol: str,
        hear: Callable[[Report], object],
    ) -> None:
        self._url, self._keys, self._paper = url, keys, paper
        self._symbol, self._hear = symbol, hear
        self._talk = QuietTalk(keys)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alpaca orders", daemon=True)

    def start(self) -> None:
        for logger in (CLIENT, WEBSOCKET):
            logger.addFilter(self._talk)
        self._thread.start()

    def close(self) -> None:
        """End the thread: at once, or, if the line hangs, after some tenths of a second."""
        if self._begun.wait(END_SECONDS) and self._loop is not None and self._ended is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(END_SECONDS)
        for logger in (CLIENT, WEBSOCKET):
            logger.removeFilter(self._talk)

    def _run(self) -> None:
        asyncio.run(self._listen())

    async def _listen(self) -> None:
        """Run the client's loop until it shall end; its own `stop` takes effect after seconds."""
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self._begun.set()
        key, secret = self._keys
        stream = TradingStream(
            key,
            secret,
            paper=self._paper,
            raw_data=True,
            url_override=self._url,
            websocket_params={
                "ping_interval": PING_SECONDS,
                "ping_timeout": PONG_SECONDS,
                "close_timeout": GOODBYE_SECONDS,
                "logger": WEBSOCKET,
            },
        )
        stream.subscribe_trade_updates(self._take)
        running = asyncio.create_task(stream._run_forever())  # `run` would make another loop
        await self._ended.wait()
        await stream.stop_ws()
        await asyncio.wait({asyncio.create_task(stream.close())}, timeout=GOODBYE_SECONDS)
        running.cancel()

    async def _take(self, message: Mapping[str, Any]) -> None:
        """One event; what is none raises, which the client logs before it goes on."""
        event = message["data"]
        order = event["order"]
        if order.get("symbol") == self._symbol:
            filled_at = event.get("timestamp") if event["event"] in FILLS else None
            self._hear(report_of(order, filled_at=filled_at))


class QuietTalk(logging.Filter):
    """What the client says about its line: one line each, once until it says something else.

    Orders are asked for all the same: nobody needs a traceback because the stream is away.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        super().__init__()
        self._keys, self._said = tuple(keys), ""

    def filter(self, record: logging.LogRecord) -> bool:
        said = without_keys(record.getMessage(), self._keys)
        record.msg, record.args = f"Alpaca's news of orders: {said}", ()
        record.exc_info = record.exc_text = None
        if record.levelno >= logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            if said == self._said:
                return False
            self._said = said
        return True
