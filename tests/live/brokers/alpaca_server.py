"""Alpaca's trading service on loopback: an account with orders in memory, by HTTP and websocket.

It speaks what Alpaca documents of its trading API and its `trade_updates` stream, fills when the
test says so, and fails when it is told to.
"""

from __future__ import annotations

import json
import logging
import socket
import struct
import threading
import time
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

# It would write down what it receives: keys that the other side must not have shown.
QUIET = logging.getLogger(__name__)
QUIET.setLevel(logging.WARNING)

Answer = tuple[int, Any]  # status, and a body that becomes JSON unless it is text


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What becomes of one request.

    `done`: it is carried out nevertheless. `answer`: in place of the true one. `cut`: the
    connection ends in the middle of the answer; `silent`: nothing comes; `slow_seconds`: it comes
    later.
    """

    answer: Answer | None = None
    done: bool = False
    cut: bool = False
    silent: bool = False
    slow_seconds: float = 0.0


def refusal(status: int, message: str, code: int | None = None) -> Answer:
    return status, {"code": code or status * 100_000 + 10_000, "message": message}


class AlpacaServer:
    """Both services of one account until the block ends; `faults` come first, one a request."""

    def __init__(self, key: str, secret: str) -> None:
        self.key, self.secret = key, secret
        self.account: dict[str, Any] = {
            "id": str(uuid.uuid4()), "account_number": "PA3T5XXXXXXX", "status": "ACTIVE",
            "currency": "USD", "trading_blocked": False, "account_blocked": False,
            "trade_suspended_by_user": False, "shorting_enabled": True, "equity": "100000",
        }  # fmt: skip
        self.orders: dict[str, dict[str, Any]] = {}
        self.position = 0.0
        self.asked: list[Asked] = []
        self.faults: deque[Fault] = deque()
        # The stream: every event there was, and whether it goes out, and as which frames.
        self.events: list[dict[str, Any]] = []
        self.tells, self.binary, self.authorizes = True, True, True
        self.listeners: list[ServerConnection] = []
        self.visits = 0
        self.ends = threading.Event()
        self.changed = threading.Condition(threading.RLock())
        service = self

        class Handler(_Handler):
            server_of = service

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.stream = serve(self._welcome, "127.0.0.1", 0, close_timeout=0.2, logger=QUIET)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"

    @property
    def stream_url(self) -> str:
        return f"ws://127.0.0.1:{self.stream.socket.getsockname()[1]}/stream"

    def __enter__(self) -> AlpacaServer:
        self.threads = [
            threading.Thread(target=self.http.serve_forever, args=(0.01,)),
            threading.Thread(target=self.stream.serve_forever),
        ]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ends.set()
        self.http.shutdown()
        self.stream.shutdown()
        self.hang_up()
        for thread in self.threads:
            thread.join()
        self.http.server_close()

    # What a market does.

    def fill(self, client_id: str, shares: float, price: float) -> None:
        """Some more shares of an order, and the event about them."""
        with self.changed:
            order = self.orders[client_id]
            before, ordered = float(order["filled_qty"]), float(order["qty"])
            after = before + shares
            paid = before * float(order["filled_avg_price"] or 0.0) + shares * price
            whole = after >= ordered
            self.position += shares if order["side"] == "buy" else -shares
            order |= {
                "filled_qty": f"{after:g}",
                "filled_avg_price": f"{paid / after:g}",
                "filled_at": _now(),
                "status": "filled" if whole else "partially_filled",
            }
            self.tell("fill" if whole else "partial_fill", order, price=f"{price:g}",
                      qty=f"{shares:g}", execution_id=str(uuid.uuid4()))  # fmt: skip

    def end(self, client_id: str, status: str) -> None:
        """An order ends as it is: canceled, expired, rejected, ..."""
        with self.changed:
            self.orders[client_id]["status"] = status
            self.tell(status, self.orders[client_id])

    # What the stream tells.

    def tell(self, event: str, order: dict[str, Any], **more: Any) -> None:
        data = {"event": event, "timestamp": _now(), "order": dict(order), **more}
        self.events.append(data)
        if self.tells:
            self.send(data)

    def send(self, data: dict[str, Any]) -> None:
        self.send_text(json.dumps({"stream": "trade_updates", "data": data}))

    def send_text(self, text: str) -> None:
        for one in list(self.listeners):
            with suppress(ConnectionClosed):
                one.send(text.encode() if self.binary else text)

    def hang_up(self, words: str = "") -> None:
        """Break every stream, with words in the goodbye or without one."""
        for one in list(self.listeners):
            if words:
                one.close(1008, words)
                continue
            with suppress(OSError):
                _reset_on_close(one.socket)
                one.socket.shutdown(socket.SHUT_RDWR)

    def listened(self, visits: int = 1, seconds: float = 10.0) -> bool:
        """Wait until somebody listens who has come as the nth; False if nobody has."""
        with self.changed:
            return self.changed.wait_for(
                lambda: self.visits >= visits and bool(self.listeners), seconds
            )

    def visited(self, visits: int, seconds: float = 10.0) -> bool:
        """Wait until the nth has come, whether it is let in or not."""
        with self.changed:
            return self.changed.wait_for(lambda: self.visits >= visits, seconds)

    def _welcome(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            said = json.loads(connection.recv())["data"]
            known = said == {"key_id": self.key, "secret_key": self.secret}
            status = "authorized" if known and self.authorizes else "unauthorized"
            self._reply(connection, "authorization", status=status, action="authenticate")
            with self.changed:
                self.visits += 1
                self.changed.notify_all()
            if status == "unauthorized":
                return
            streams = json.loads(connection.recv())["data"]["streams"]
            self._reply(connection, "listening", streams=streams)
            with self.changed:
                self.listeners.append(connection)
                self.changed.notify_all()
            for _ in connection:  # until the other side leaves
                continue
        with self.changed:
            self.listeners = [one for one in self.listeners if one is not connection]
            self.changed.notify_all()

    def _reply(self, connection: ServerConnection, stream: str, **data: Any) -> None:
        text = json.dumps({"stream": stream, "data": data})
        connection.send(text.encode() if self.binary else text)

    # What is asked by HTTP.

    def answer(self, asked: Asked, query: dict[str, list[str]]) -> Answer:
        with self.changed:
            match asked.method, asked.path.removeprefix("/v2/").split("/"):
                case "GET", ["account"]:
                    return 200, self.account
                case "GET", ["positions", symbol]:
                    return self._position(symbol)
                case "POST", ["orders"]:
                    return self._accepted(asked.body)
                case "GET", ["orders:by_client_order_id"]:
                    found = self.orders.get(query["client_order_id"][0])
                    return (200, found) if found else refusal(404, "order not found")
                case "DELETE", ["orders", broker_id]:
                    return self._cancelled(broker_id)
        return refusal(404, "endpoint not found.")

    def _accepted(self, wanted: dict[str, Any]) -> Answer:
        client_id, shares = wanted["client_order_id"], float(wanted["qty"])
        selling = wanted["side"] == "sell"
        if (wanted["type"], wanted["time_in_force"]) != ("market", "day"):
            return refusal(422, "this account is for market orders of the day")
        if client_id in self.orders:
            return refusal(422, "client_order_id must be unique", 40010001)
        if selling and not shares.is_integer() and shares > self.position:
            return refusal(422, "fractional orders cannot be sold short", 42210000)
        held = self.position if selling else -self.position
        if 0.0 < held < shares:
            words = f"insufficient qty available for order (requested: {shares:g}"
            return refusal(403, f"{words}, available: {held:g})", 40310000)
        now = _now()
        self.orders[client_id] = {
            "id": str(uuid.uuid4()), "client_order_id": client_id, "created_at": now,
            "updated_at": now, "submitted_at": now, "filled_at": None, "expired_at": None,
            "canceled_at": None, "failed_at": None, "replaced_at": None, "replaced_by": None,
            "replaces": None, "asset_id": str(uuid.uuid4()), "symbol": wanted["symbol"],
            "asset_class": "us_equity", "notional": None, "qty": f"{shares:.9g}",
            "filled_qty": "0", "filled_avg_price": None, "order_class": "", "order_type": "market",
            "type": "market", "side": wanted["side"], "time_in_force": "day", "limit_price": None,
            "stop_price": None, "status": "pending_new", "extended_hours": False, "legs": None,
            "trail_percent": None, "trail_price": None, "hwm": None,
        }  # fmt: skip
        self.tell("pending_new", self.orders[client_id])
        return 200, self.orders[client_id]

    def _cancelled(self, broker_id: str) -> Answer:
        for client_id, order in self.orders.items():
            if order["id"] == broker_id:
                if order["status"] in ("filled", "canceled", "expired", "rejected"):
                    return refusal(422, f'order is already in "{order["status"]}" state', 42210000)
                self.end(client_id, "canceled")
                return 204, ""
        return refusal(404, f"order not found for {broker_id}")

    def _position(self, symbol: str) -> Answer:
        if self.position == 0.0:
            return refusal(404, "position does not exist")
        return 200, {
            "asset_id": str(uuid.uuid4()), "symbol": symbol, "exchange": "ARCA",
            "asset_class": "us_equity", "qty": f"{self.position:.9g}", "cost_basis": "1",
            "avg_entry_price": "1", "side": "long" if self.position > 0.0 else "short",
        }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    """HTTP of one connection."""

    protocol_version = "HTTP/1.1"
    server_of: AlpacaServer

    def do_GET(self) -> None:
        service, parts = self.server_of, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, parts.path, json.loads(body or b"{}"))
        service.asked.append(asked)
        fault = service.faults.popleft() if service.faults else Fault(done=True)
        status, content = fault.answer or (200, "")
        if fault.done:
            keys = (self.headers["APCA-API-KEY-ID"], self.headers["APCA-API-SECRET-KEY"])
            known = keys == (service.key, service.secret)
            true = service.answer(asked, parse_qs(parts.query)) if known else (
                refusal(403, "forbidden."))  # fmt: skip
            status, content = fault.answer or true
        if fault.silent:
            service.ends.wait()
            return
        time.sleep(fault.slow_seconds)  # what is tried is this very wait
        self.reply(status, content, fault.cut)

    do_POST = do_DELETE = do_GET

    def reply(self, status: int, content: Any, cut: bool) -> None:
        sent = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent) + cut))
        self.end_headers()
        self.wfile.write(sent[: len(sent) // 2] if cut else sent)
        self.wfile.flush()
        self.close_connection = self.close_connection or cut

    def handle(self) -> None:
        # The other side may have left: it had waited long enough.
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what is asked is in `asked`."""


def _reset_on_close(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _now() -> str:
    """As Alpaca writes times: UTC to the nanosecond."""
    ns = time.time_ns()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // 10**9))
    return f"{whole}.{ns % 10**9:09d}Z"
