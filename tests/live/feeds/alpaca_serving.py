"""Alpaca's market data on loopback: the stream's protocol and the bars of the day by request."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import Any

import msgpack
import pandas as pd
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.collecting.vendors.serving import Asked, Reply, VendorServer

# It would log every message, the keys among them, where a test looks for them.
QUIET = logging.getLogger("tests.live.feeds.alpaca_serving")
QUIET.setLevel(logging.CRITICAL)

KEY, SECRET = "PKLIVETESTKEYID01234", "secretofthelivetests/0123456789+abcdef"


def sent_bar(symbol: str, row: tuple, kind: str = "b") -> dict[str, Any]:
    """A bar as the stream sends it; its time is msgpack's own."""
    start, *values = row
    stamp = msgpack.Timestamp.from_unix_nano(start.value)
    return {"T": kind, "S": symbol, "t": stamp, "n": 7, "vw": 1.0, "x_new": None} | dict(
        zip("ohlcv", values, strict=True)
    )


class StreamServer:
    """Greets, takes keys and a subscription; then sends what the test says.

    `mood`: what a new connection meets: welcome, mute, refused, "no right", rude or gone.
    """

    def __init__(self) -> None:
        self.mood = "welcome"
        self.subscribed: list[dict[str, list[str]]] = []
        self.greeted = 0
        self._connections: set[ServerConnection] = set()
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> StreamServer:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self.loop.call_soon_threadsafe(self._ends.set)
        self._thread.join()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def wait_for_subscription(self, number: int) -> None:
        """Until so many connections in all have subscribed."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.subscribed) >= number, 30)

    def send(self, *messages: dict[str, Any]) -> None:
        self.send_raw(msgpack.packb(list(messages)))

    def send_raw(self, frame: bytes | str) -> None:
        async def to_all() -> None:
            for connection in list(self._connections):
                await connection.send(frame)

        self._run(to_all())

    def drop(self) -> None:
        """Every line breaks, without a goodbye."""

        async def all_of_them() -> None:
            for connection in list(self._connections):
                connection.transport.abort()

        self._run(all_of_them())

    def _run(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self.loop).result(10)

    async def _serve(self) -> None:
        self.loop, self._ends = asyncio.get_running_loop(), asyncio.Event()
        async with serve(self._meet, "127.0.0.1", 0, close_timeout=0.1, logger=QUIET) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._ends.wait()
            for connection in list(self._connections):
                connection.transport.abort()

    async def _meet(self, connection: ServerConnection) -> None:
        try:
            await self._greet(connection)
        except ConnectionClosed:
            return
        finally:
            self._connections.discard(connection)

    async def _greet(self, connection: ServerConnection) -> None:
        mood = self.mood
        self.greeted += 1
        self._connections.add(connection)
        if mood == "mute":
            await connection.wait_closed()
        elif mood == "gone":
            connection.transport.abort()
            return
        elif mood == "rude":
            await connection.send("<html>Bad Gateway</html>")
            await connection.wait_closed()
        await self._say(connection, {"T": "success", "msg": "connected"})
        asked = msgpack.unpackb(await connection.recv())
        if mood == "no right":
            code = {"code": 409, "msg": "insufficient subscription"}
            await self._say(connection, {"T": "error"} | code)
        elif mood == "refused" or (asked["key"], asked["secret"]) != (KEY, SECRET):
            words = f"auth failed: {asked['key']} {asked['secret']}"  # repeats them
            await self._say(connection, {"T": "error", "code": 402, "msg": words})
            await connection.wait_closed()
        await self._say(connection, {"T": "success", "msg": "authenticated"})
        wanted = msgpack.unpackb(await connection.recv())
        await self._say(connection, {"T": "subscription", **wanted})
        with self._changed:
            self.subscribed.append(wanted)
            self._changed.notify_all()
        await connection.wait_closed()

    async def _say(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        await connection.send(msgpack.packb([message]))


class BarsServer(VendorServer):
    """`/v2/stocks/bars` of several symbols, in pages; `rows` may grow meanwhile."""

    page_rows = 100

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, list[tuple]] = {}

    def answer(self, asked: Asked) -> Reply:
        headers = {name.lower(): value for name, value in asked.headers.items()}
        keys = headers.get("apca-api-key-id"), headers.get("apca-api-secret-key")
        if keys != (KEY, SECRET):
            return Reply({"message": f"forbidden: {keys[0]} {keys[1]}"}, 403)  # repeats them
        assert asked.path == "/v2/stocks/bars"
        assert (asked.params["adjustment"], asked.params["feed"]) == ("raw", "iex")
        assert asked.params["timeframe"] == "1Min"
        start, end = (pd.Timestamp(asked.params[name]) for name in ("start", "end"))
        inside = [
            (symbol, row)
            for symbol in sorted(asked.params["symbols"].split(","))
            for row in self.rows.get(symbol, [])
            if start <= row[0] <= end
        ]
        at = int(asked.params.get("page_token", 0))
        page, following = inside[at : at + self.page_rows], at + self.page_rows
        bars: dict[str, list[dict[str, Any]]] = {}
        for symbol, row in page:
            stamp = row[0].strftime("%Y-%m-%dT%H:%M:%SZ")
            one = dict(zip("ohlcv", row[1:], strict=True)) | {"t": stamp, "n": 7, "vw": 1.0}
            bars.setdefault(symbol, []).append(one)
        token = str(following) if following < len(inside) else None
        return Reply({"bars": bars, "next_page_token": token})
