"""A vendor on loopback: answers in its format, counts what it is asked, and fails when told to."""

from __future__ import annotations

import json
import ssl
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """One answer. `cut`: the connection ends in the middle of the body; `silent`: nothing comes."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    silent: bool = False

    def content(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


class VendorServer:
    """Serves `answer` on loopback until the block ends.

    `faults` come first, one a request; `asked` holds every request in order.
    """

    def __init__(self, identity: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.faults: deque[Reply] = deque()
        self.identity = identity
        self.ends = threading.Event()
        vendor = self

        class Handler(_Handler):
            server_of = vendor

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, asked: Asked) -> Reply:
        raise NotImplementedError

    def counts(self, asked: Asked) -> bool:
        """Whether a request is one about bars or splits: only such are counted and fail."""
        return True

    def reply(self, asked: Asked) -> Reply:
        if not self.counts(asked):
            return self.answer(asked)
        self.asked.append(asked)
        return self.faults.popleft() if self.faults else self.answer(asked)

    def __enter__(self) -> VendorServer:
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ends.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


class _Handler(BaseHTTPRequestHandler):
    """HTTP of one connection; as a proxy (CONNECT) it ends the encryption itself."""

    protocol_version = "HTTP/1.1"
    server_of: VendorServer
    host = ""

    def do_CONNECT(self) -> None:
        self.host = self.path.partition(":")[0]
        self.send_response(200)
        self.end_headers()
        assert self.server_of.identity is not None
        self.connection = self.server_of.identity.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = (self.connection.makefile(mode) for mode in ("rb", "wb"))
        self.close_connection = False

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = Asked(
            f"{self.host}{parts.path}", dict(parse_qsl(parts.query)), dict(self.headers.items())
        )
        reply = self.server_of.reply(asked)
        if reply.silent:
            self.server_of.ends.wait()
        content = reply.content()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if reply.cut else content)
        self.wfile.flush()
        self.close_connection = self.close_connection or reply.cut

    do_POST = do_GET

    def handle(self) -> None:
        # The other side may have left: it was killed, or had waited long enough.
        with suppress(ConnectionError, ssl.SSLError, ValueError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what is asked is in `asked`."""
