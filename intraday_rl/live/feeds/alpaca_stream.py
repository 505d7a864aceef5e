"""Alpaca's stream of minute bars (`alpaca-py`), heard in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from alpaca.data.enums import DataFeed
from alpaca.data.live import StockDataStream

from intraday_rl.live.feeds.arrivals import Arrival, BarArrived, StreamDown, StreamNote, StreamUp
from intraday_rl.vendor_keys import without_keys

Tell = Callable[[Arrival], None]

# Connecting, greeting and keys together; the client itself waits for a greeting without end.
GREETING_SECONDS = 10.0
# How long the other side is given to say goodbye, and the thread to end after it.
GOODBYE_SECONDS, END_SECONDS = 0.5, 2.0
# A dead line is noticed after both; one that is alive and mute, after the third.
PING_SECONDS, PONG_SECONDS, MUTE_SECONDS = 10.0, 10.0, 180.0

# What the client logs, tracebacks and the other side's words, is told without keys instead.
CLIENT = logging.getLogger("alpaca.data.live.websocket")
# The library below writes every message it sends when asked to debug, the keys among them.
WEBSOCKET = logging.getLogger(f"{__name__}.websocket")
WEBSOCKET.setLevel(logging.CRITICAL)


class BarStream:
    """The client's stream of minute bars and their corrections; reconnects are the client's.

    `tell` is called in the stream's thread with all that comes and happens, from the beginning
    to `close`. An empty `url` is the client's own.
    """

    def __init__(
        self,
        keys: tuple[str, str],
        url: str | None,
        data_feed: DataFeed,
        symbols: tuple[str, ...],
        tell: Tell,
    ) -> None:
        self._client = _Client(keys, url, data_feed, tell)
        self._client.subscribe_bars(self._hear, *symbols)
        self._client.subscribe_updated_bars(self._hear_correction, *symbols)
        self._tell = tell
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alpaca bars", daemon=True)
        CLIENT.addFilter(_not_logged)
        self._thread.start()

    def close(self) -> None:
        """End the thread: at once, or, if the line hangs, within `END_SECONDS`."""
        if self._begun.wait(END_SECONDS) and self._loop is not None and self._ended is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(END_SECONDS)
        CLIENT.removeFilter(_not_logged)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self._listen())

    async def _listen(self) -> None:
        """Run the client's loop until it shall end; its own `stop` takes effect after seconds."""
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self._begun.set()
        running = asyncio.create_task(self._client._run_forever())  # `run` makes another loop
        ending = asyncio.create_task(self._ended.wait())
        await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():  # as it does where the keys have no right to the data
            self._tell(StreamDown("it has ended and is not tried again"))
            await ending
        running.cancel()
        closing = asyncio.create_task(self._client.close())
        await asyncio.wait({running, closing}, timeout=GOODBYE_SECONDS)

    async def _hear(self, raw: Mapping[str, Any]) -> None:
        self._tell(BarArrived(str(raw["S"]), raw))

    async def _hear_correction(self, raw: Mapping[str, Any]) -> None:
        self._tell(BarArrived(str(raw["S"]), raw, correction=True))


class _Client(StockDataStream):
    """Tells what becomes of the connection, for which the client has no public way."""

    def __init__(
        self, keys: tuple[str, str], url: str | None, data_feed: DataFeed, tell: Tell
    ) -> None:
        line = {
            "ping_interval": PING_SECONDS, "ping_timeout": PONG_SECONDS,
            "close_timeout": GOODBYE_SECONDS, "logger": WEBSOCKET,
        }  # fmt: skip
        super().__init__(
            *keys, raw_data=True, feed=data_feed, websocket_params=line, url_override=url,
            data_timeout=MUTE_SECONDS,
        )  # fmt: skip
        self._keys, self._tell = keys, tell

    async def _start_ws(self) -> None:
        try:
            await asyncio.wait_for(super()._start_ws(), GREETING_SECONDS)
        except Exception as error:  # whatever a stranger's answer makes of the greeting
            self._tell(StreamDown(self._reason(error)))
            raise
        self._tell(StreamUp())

    async def _consume(self) -> bool:
        try:
            return bool(await super()._consume())
        except Exception as error:  # the same, of what comes later
            if self._ws is None or not self._ws.open:
                self._tell(StreamDown(self._reason(error)))
            else:
                self._tell(StreamNote(f"what came is not understood ({type(error).__name__})"))
            raise

    async def _dispatch(self, message: Any) -> None:
        if message.get("T") == "error":
            words = without_keys(message.get("msg"), self._keys)
            self._tell(StreamNote(f"alpaca says: {words}"))
        await super()._dispatch(message)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no greeting within {GREETING_SECONDS:g} s"
        if isinstance(error, OSError):
            return type(error).__name__
        words = without_keys(error, self._keys) or type(error).__name__
        if "auth" in words:
            return f"the keys are refused: {words}"
        return words


def _not_logged(record: logging.LogRecord) -> bool:
    return False
