"""A real server process on a free port, and a small job that trains."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

TOKEN = "a-token-that-is-long-enough-for-anyone"
START_SECONDS = 90.0
# Minutes of training on one core in a fold whose data are there in a moment.
TRAINING = {
    "data": {"kind": "synthetic", "start": "2018-01-02", "end": "2018-06-15", "edge": 0.25},
    "windows": {
        "kind": "auto", "train_size": "4 months", "test_size": "1 month", "step": "10 years",
        "validation_sessions": 20,
    },
    "agent": {
        "kind": "sac", "net_arch": [64, 64], "batch_size": 64, "total_timesteps": 4_000,
        "learning_starts": 500, "eval_freq": 1_000, "n_envs": 8, "compile": "never",
    },
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(done: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true answer; asked ten times a second."""
    deadline = time.monotonic() + seconds
    while True:
        if found := done():
            return found
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@dataclass
class Server:
    """One server after another on the same folder."""

    folder: Path
    words: tuple[str, ...] = ()
    tracked: bool = False
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    client: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.client = httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=60.0,
        )

    def start(self) -> None:
        words = [
            "task=serve", f"task.port={self.port}", f"paths.outputs={self.folder}/outputs",
            f"paths.state={self.folder}/state", "parallel.workers=1",
            "checkpoints.every=500", *([] if self.tracked else ["tracking=none"]), *self.words,
        ]  # fmt: skip
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "intraday_rl", *words],
                stdout=log, stderr=log, cwd=self.folder,
                env={**os.environ, "INTRADAY_RL_TOKEN": TOKEN},
            )  # fmt: skip
        wait_until(self.answers, START_SECONDS, "the server does not answer")

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        try:
            return bool(self.client.get("/health").status_code == 200)
        except httpx2.TransportError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def submit(self, payload: dict[str, Any], path: str = "/api/walk-forward") -> str:
        answer = self.client.post(path, json=payload)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/api/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def finished(self, job_id: str, seconds: float = 400.0) -> dict[str, Any]:
        over = ("done", "failed", "cancelled")
        wait_until(lambda: self.job(job_id)["state"] in over, seconds, f"job {job_id} does not end")
        return self.job(job_id)

    def training(self, job_id: str, share: float = 0.3) -> dict[str, Any]:
        """The job once it has done that share of its decisions."""

        def far_enough() -> bool:
            job = self.job(job_id)
            assert job["state"] in ("queued", "running"), job
            return bool(job["progress"] and job["progress"]["share"] >= share)

        wait_until(far_enough, 200.0, "the job does not train")
        return self.job(job_id)


@contextmanager
def served(folder: Path, *words: str, tracked: bool = False) -> Iterator[Server]:
    """A server that runs; whatever it left running ends with the test."""
    server = Server(folder, words, tracked)
    try:
        server.start()
        yield server
    finally:
        server.client.close()
        if server.process is not None and server.process.poll() is None:
            server.stop(signal.SIGKILL)
        for process in psutil.process_iter(["cmdline"]):
            if f"paths.state={folder}/state" in (process.info["cmdline"] or ()):
                process.kill()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with served(tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
def server_of_the_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """For tests that leave nothing behind; its queue is paused."""
    with served(tmp_path_factory.mktemp("server"), "task.job_workers=0") as one:
        yield one
