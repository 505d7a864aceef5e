"""Do people who look slow down a job that trains? Readers and streams on, off, on, off, ...

    python experiments/service/load.py [--quick]

Starts a server of its own in a temporary folder with one job that trains on one worker, and
compares the decisions it trains on per second while 40 readers ask once a second and 10 streams
are open, with those while nobody asks: pairs in turn, their median.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from statistics import median
from urllib.request import Request, urlopen

READERS, STREAMS, PAIRS = 40, 10, 3
PAYLOAD = {
    "data": {"kind": "synthetic", "start": "2018-01-02", "end": "2018-12-31", "edge": 0.25},
    "windows": {
        "kind": "auto", "train_size": "8 months", "test_size": "1 month", "step": "10 years",
        "validation_sessions": 20,
    },
    "agent": {
        "kind": "sac", "net_arch": [64, 64], "batch_size": 64, "total_timesteps": 600_000,
        "learning_starts": 500, "eval_freq": 600_000, "n_envs": 8, "compile": "never",
        "buffer_size": 10_000,
    },
}  # fmt: skip


class Server:
    """A server and its one job."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.token = folder, secrets.token_urlsafe(32)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        words = [
            "task=serve", f"task.port={self.port}", "tracking=none", "parallel.workers=1",
            f"paths.outputs={folder}/outputs", f"paths.state={folder}/state",
            "checkpoints.every=null",
        ]  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "intraday_rl", *words],
            env={**os.environ, "INTRADAY_RL_TOKEN": self.token},
        )
        self.job = ""

    def ask(self, path: str, payload: object = None) -> dict:
        body = None if payload is None else json.dumps(payload).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.port}{path}"
        with urlopen(Request(url, body, headers), timeout=60) as answer:
            return json.load(answer)

    def wait(self, ready, seconds: float = 300.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if found := ready():
                    return found
            except OSError:
                pass
            time.sleep(0.2)
        raise SystemExit("the server or its job did not begin in time")

    def begin(self) -> None:
        self.wait(lambda: self.ask("/health"))
        self.job = self.ask("/api/walk-forward", PAYLOAD)["job_id"]
        self.wait(lambda: len(self.told()) >= 3)

    def told(self) -> list[tuple[float, int]]:
        """(time, decisions so far) of everything the job told."""
        file = self.folder / "state" / "jobs" / self.job / "events.jsonl"
        lines = (
            [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        )
        return [(datetime.fromisoformat(one["time"]).timestamp(), one["done"])
                for one in lines if one["event"] == "progress"]  # fmt: skip

    def decisions_at(self, when: float) -> float:
        """By interpolation between what was told before and after."""
        self.wait(lambda: self.told()[-1][0] > when)
        told = self.told()
        after = next(index for index, (time_, _) in enumerate(told) if time_ > when)
        (t0, d0), (t1, d1) = told[after - 1], told[after]
        return d0 + (d1 - d0) * (when - t0) / (t1 - t0)

    def end(self) -> None:
        try:
            self.ask(f"/api/jobs/{self.job}/cancel", {})
            self.wait(lambda: self.ask(f"/api/jobs/{self.job}")["state"] == "cancelled", 90.0)
        finally:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)


async def reader(server: Server, number: int, until: float, seen: Counter, slow: list) -> None:
    """One connection, one request a second."""
    paths = ("/api/jobs", f"/api/jobs/{server.job}", "/api/runs", "/api/models")
    source, sink = await asyncio.open_connection("127.0.0.1", server.port)
    await asyncio.sleep(number / READERS)
    turn = number
    while time.time() < until:
        start = time.time()
        sink.write(request(server, paths[turn % len(paths)]))
        head = await source.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                      if line.startswith(b"content-length"))  # fmt: skip
        await source.readexactly(length)
        seen[status] += 1
        slow.append(time.time() - start)
        turn += 1
        await asyncio.sleep(max(0.0, 1.0 - (time.time() - start)))
    sink.close()


async def stream(server: Server, until: float, seen: Counter) -> None:
    """One event stream."""
    source, sink = await asyncio.open_connection("127.0.0.1", server.port)
    sink.write(request(server, f"/api/jobs/{server.job}/events"))
    head = await source.readuntil(b"\r\n\r\n")
    seen[f"stream {int(head.split(b' ', 2)[1])}"] += 1
    while (left := until - time.time()) > 0:
        try:
            news = await asyncio.wait_for(source.read(65_536), left)
            seen["events"] += news.count(b"event: ")
        except TimeoutError:
            break
    sink.close()


def request(server: Server, path: str) -> bytes:
    host = f"127.0.0.1:{server.port}"
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    return head.encode()


def crowd(server: Server, until: float) -> tuple[Counter, list[float]]:
    seen: Counter = Counter()
    slow: list[float] = []

    async def everyone() -> None:
        await asyncio.gather(
            *(reader(server, number, until, seen, slow) for number in range(READERS)),
            *(stream(server, until, seen) for _ in range(STREAMS)),
        )

    asyncio.run(everyone())
    return seen, slow


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="10 seconds in place of 60")
    seconds = 10.0 if parser.parse_args().quick else 60.0
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            server.begin()
            slowdowns = []
            for pair in range(PAIRS):
                rates = {}
                order = (False, True) if pair % 2 == 0 else (True, False)
                for watched in order:
                    start = time.time()
                    if watched:
                        seen, slow = crowd(server, start + seconds)
                    else:
                        time.sleep(seconds)
                    end = time.time()
                    done = server.decisions_at(end) - server.decisions_at(start)
                    rates[watched] = done / (end - start)
                slowdowns.append(1.0 - rates[True] / rates[False])
                say(
                    f"pair {pair + 1}: {rates[False]:.0f} decisions/s alone, {rates[True]:.0f} "
                    f"watched, {slowdowns[-1]:+.1%} slower; answers {dict(seen)}; "
                    f"median {median(slow) * 1e3:.0f} ms, slowest {max(slow) * 1e3:.0f} ms",
                )
            say(f"median slowdown {median(slowdowns):+.1%}")
        finally:
            server.end()


if __name__ == "__main__":
    main()
