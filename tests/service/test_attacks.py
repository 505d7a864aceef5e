"""Attacks on a real socket: what only shows where bytes come one by one."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress

import httpx2
import psutil
import pytest

from tests.service.conftest import TOKEN, TRAINING, Server, free_port

pytestmark = pytest.mark.slow("service")
HEAD = f"Host: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"


def posted(path: str, length: str, body: str) -> str:
    """A request whose head says what it likes about its body."""
    return f"POST {path} HTTP/1.1\r\n{HEAD}{length}\r\n\r\n{body}"


def raw(server: Server, request: str, *, seconds: float = 30.0) -> bytes:
    """Everything that comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as wire:
        wire.sendall(request.encode("latin-1"))
        wire.shutdown(socket.SHUT_WR)
        return received(wire)


def received(wire: socket.socket) -> bytes:
    """Up to the end. A server that leaves a request unread resets the line: that is an end, too."""
    parts = []
    with suppress(ConnectionResetError):
        while part := wire.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def test_a_slow_body_is_ended_and_holds_up_nobody(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30.0) as wire:
        wire.sendall(
            f"POST /api/walk-forward HTTP/1.1\r\n{HEAD}Content-Length: 100\r\n\r\n{{".encode()
        )
        start = time.monotonic()
        while time.monotonic() - start < 2.0:  # the others are served meanwhile
            asked = time.monotonic()
            assert server.client.get("/health").status_code == 200
            assert time.monotonic() - asked < 2.0
        assert received(wire).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - start < 20.0


def test_fifty_slow_bodies_leave_the_server_usable(server):
    wires = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    try:
        for wire in wires:
            wire.sendall(
                f"POST /api/fine-tune HTTP/1.1\r\n{HEAD}Content-Length: 9\r\n\r\n{{".encode()
            )
        assert server.client.get("/api/jobs").status_code == 200
    finally:
        for wire in wires:
            wire.close()


def test_hundreds_of_silent_connections_lock_nobody_out(server_of_the_module):
    address = ("127.0.0.1", server_of_the_module.port)
    wires = [socket.create_connection(address) for _ in range(600)]
    try:
        for _ in range(3):
            fresh = f"http://127.0.0.1:{server_of_the_module.port}/health"
            assert httpx2.get(fresh, timeout=10.0).status_code == 200
        wires[-1].settimeout(20.0)
        assert received(wires[-1]) == b""
    finally:
        for wire in wires:
            wire.close()


@pytest.mark.parametrize(
    "request_bytes",
    [
        f"GET /api/jobs HTTP/1.1\r\n{HEAD}X: " + "x" * 100_000 + "\r\n\r\n",
        "GET /" + "x" * 100_000 + f" HTTP/1.1\r\n{HEAD}\r\n",
        f"GET /api/jobs HTTP/1.1\r\n{HEAD}Host: evil\r\n\r\n",
        posted("/api/walk-forward", "Content-Length: -1", ""),
        posted("/api/walk-forward", "Content-Length: 2\r\nContent-Length: 3", "{}"),
        posted("/api/walk-forward", "Content-Length: 99999999999999999999", "{}"),
        posted("/api/walk-forward", "Transfer-Encoding: chunked", "zz\r\n"),
        f"GET /api/jobs\r\nX: y HTTP/1.1\r\n{HEAD}\r\n",
        "\x00\xff\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
    ],
    ids=["huge header", "huge path", "two hosts", "negative length", "two lengths",
         "endless length", "bad chunk", "line in the path", "no request", "future version"],
)  # fmt: skip
def test_a_malformed_request_is_refused_and_nothing_is_started(server_of_the_module, request_bytes):
    answer = raw(server_of_the_module, request_bytes)
    assert not answer or 400 <= int(answer.split(b" ", 2)[1]) < 500, answer[:200]
    assert server_of_the_module.client.get("/api/jobs").json() == {"jobs": []}


def test_guessing_tokens_is_slow_for_the_guesser_alone(server):
    answers = []

    def guess(number: int) -> None:
        header = {"Authorization": f"Bearer guess-{number}-{'x' * 30}"}
        url = f"http://127.0.0.1:{server.port}/api/jobs"
        answers.append(httpx2.get(url, headers=header, timeout=30.0).status_code)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(30)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    assert server.client.get("/api/jobs").status_code == 200
    for thread in threads:
        thread.join()
    assert time.monotonic() - start >= 1.0
    assert answers == [401] * 30
    assert server.log().count("refused without the token") == 30
    assert TOKEN not in server.log()


def test_the_token_is_nowhere_to_be_read_but_in_the_servers_own_environment(server):
    job_id = server.submit({**TRAINING, "agent": {"kind": "hold"}})
    server.finished(job_id)
    for file in server.folder.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file


def test_cancelling_never_ends_a_foreign_process(server):
    """A machine that restarted has given the number of the job's process to another one."""
    job_id = server.submit(TRAINING)
    server.training(job_id, 0.01)
    server.stop(signal.SIGKILL)
    (process,) = [p for p in psutil.process_iter(["cmdline"])
                  if "task=walk_forward" in (p.info["cmdline"] or ())
                  and f"paths.state={server.folder}/state" in p.info["cmdline"]]  # fmt: skip
    process.kill()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as foreign:
        with sqlite3.connect(server.folder / "state" / "jobs" / "jobs.sqlite") as rows:
            rows.execute("UPDATE jobs SET pid = ?, cancel_asked = 1", (foreign.pid,))
        rows.close()
        server.start()
        assert server.finished(job_id, 30.0)["state"] == "cancelled"
        assert foreign.poll() is None
        foreign.communicate(b"\n")


@pytest.mark.parametrize(
    ("words", "token", "complaint"),
    [
        (["task.host='0.0.0.0'"], None, "INTRADAY_RL_TOKEN"),
        ([], None, "INTRADAY_RL_TOKEN"),
        ([], "", "24 or more"),
        ([], "short", "24 or more"),
        (["task.token_file=open"], None, "chmod 600"),
        (["task.host=elsewhere"], TOKEN, "task.host=elsewhere: must be an address"),
    ],
)
def test_an_unprotected_server_does_not_start(tmp_path, words, token, complaint):
    (tmp_path / "open").write_text(TOKEN)
    (tmp_path / "open").chmod(0o644)
    environment = {key: value for key, value in os.environ.items() if key != "INTRADAY_RL_TOKEN"}
    if token is not None:
        environment["INTRADAY_RL_TOKEN"] = token
    done = subprocess.run(
        [sys.executable, "-m", "intraday_rl", "task=serve", f"task.port={free_port()}",
         "tracking=none", f"paths.state={tmp_path}/state", *words],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert not token or token not in done.stderr or token == "short"
