"""Connections on a real socket that say nothing, say it slowly, or do not listen."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import anyio
import pytest
import uvicorn

from intraday_rl.web.guard import NotTooMany
from intraday_rl.web.patience import PatientProtocol

LONG = 20.0
ASKED = b"GET / HTTP/1.1\r\nHost: x\r\n"
LARGE = 32_000_000  # more than the system keeps for a reader that does not read


class Impatient(PatientProtocol):
    head_seconds = 0.5
    answer_seconds = 0.5
    most_waiting = 8


async def app(scope, receive, send):
    """Two bytes, or a lot of them at `/large`."""
    size = LARGE if scope["path"] == "/large" else 2
    headers = [(b"content-length", str(size).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"o" * size})


@contextmanager
def serving(protocol: type[PatientProtocol]) -> Iterator[int]:
    settings = uvicorn.Config(
        app, http=protocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=1
    )
    server = uvicorn.Server(settings)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(LONG)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(Impatient) as port:
        yield port


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=LONG)


def ended(wire: socket.socket) -> bytes:
    """What comes until the server ends the line, by whatever way."""
    parts = []
    with suppress(ConnectionResetError):
        while part := wire.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def answered(wire: socket.socket) -> bytes:
    """One whole answer of two bytes: a head and a body may come in parts."""
    parts = b""
    while not parts.endswith(b"\r\n\r\noo"):
        part = wire.recv(65_536)
        assert part, parts
        parts += part
    return parts


def dribbled(wire: socket.socket, byte: bytes) -> float:
    """Seconds for which a byte at a time is taken."""
    start = time.monotonic()
    with suppress(OSError):
        while time.monotonic() - start < LONG:
            wire.sendall(byte)
            wire.settimeout(0.05)
            with suppress(TimeoutError):
                if not wire.recv(65_536):
                    break
    return time.monotonic() - start


@pytest.mark.parametrize("begun", [b"", ASKED])
def test_a_connection_that_asks_for_nothing_is_ended(port, begun):
    with connected(port) as wire:
        wire.sendall(begun)
        assert ended(wire) == b""


def test_a_head_that_comes_byte_by_byte_is_given_up(port):
    with connected(port) as wire:
        wire.sendall(ASKED + b"X: ")
        assert dribbled(wire, b"x") < LONG / 2


def test_an_answered_connection_is_ended_unless_it_asks_again(port):
    whole = ASKED + b"\r\n"
    with connected(port) as wire:
        for _ in range(3):
            wire.sendall(whole)
            assert answered(wire).startswith(b"HTTP/1.1 200")
        assert ended(wire) == b""
    with connected(port) as wire:  # a second head that never ends, a body that nobody reads
        wire.sendall(whole + ASKED)
        assert dribbled(wire, b"x") < LONG / 2
    with connected(port) as wire:
        wire.sendall(ASKED + b"Content-Length: 1000\r\n\r\n")
        assert dribbled(wire, b"x") < LONG / 2


def test_an_answer_that_nobody_reads_is_given_up(port):
    with connected(port) as wire:
        wire.sendall(ASKED.replace(b"/ ", b"/large ") + b"\r\n")
        time.sleep(2 * Impatient.answer_seconds)  # not reading is the whole attack
        assert len(ended(wire)) < LARGE
    with connected(port) as wire:
        wire.sendall(ASKED.replace(b"/ ", b"/large ") + b"Connection: close\r\n\r\n")
        assert len(ended(wire)) > LARGE


def test_whoever_waits_longest_gives_way_so_that_nobody_is_locked_out():
    class Patient(PatientProtocol):
        head_seconds = 10 * LONG
        most_waiting = 8

    with serving(Patient) as port, ExitStack() as stack:
        wires = [stack.enter_context(connected(port)) for _ in range(40)]
        with connected(port) as wire:
            wire.sendall(ASKED + b"\r\n")
            assert answered(wire).startswith(b"HTTP/1.1 200")
        assert ended(wires[0]) == b""
        wires[-1].sendall(ASKED + b"\r\n")
        assert wires[-1].recv(65_536).startswith(b"HTTP/1.1 200")


def test_what_is_no_request_is_refused_as_everything_else_is(port):
    with connected(port) as wire:
        wire.sendall(b"nonsense\r\n\r\n")
        head, _, body = ended(wire).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"application/json" in head
    assert json.loads(body) == {"detail": "Invalid HTTP request received."}


def test_more_requests_than_there_is_room_for_are_told_to_come_again():
    sent = []

    async def send(message):
        sent.append(message)

    async def busy(scope, receive, send):
        await full({"type": "http", "path": "/"}, receive, send)  # while the first is under way

    full = NotTooMany(busy, most=1)
    anyio.run(full, {"type": "http", "path": "/"}, None, send)
    assert sent[0]["status"] == 503
    assert json.loads(sent[1]["body"])["detail"]
    assert dict(sent[0]["headers"])[b"retry-after"] == b"1"
