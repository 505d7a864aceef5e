"""A real server process and a headless browser, which is Debian's and is never downloaded."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TOKEN = "a-token-for-the-tests-of-the-page"
STARTED_SECONDS = 60.0
END_SECONDS = 30.0


def expect(found: Any) -> Any:
    """Playwright's assertions, imported when one is made: the fast suite runs without it."""
    from playwright.sync_api import expect as expected

    return expected(found)


@dataclass(frozen=True, slots=True)
class Server:
    """`folder` holds outputs and state; `url` ends in a slash."""

    url: str
    folder: Path

    def ask(self, path: str, payload: dict[str, Any] | None = None) -> Any:
        """What the page asks, without the page."""
        request = urllib.request.Request(
            self.url + path,
            data=None if payload is None else json.dumps(payload).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def until(condition: Callable[[], object], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.05)


@contextmanager
def serving(folder: Path, *more: str) -> Iterator[Server]:
    """`task=serve` as a process of its own on a free port, with `more` words."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [
        "task=serve", f"task.port={port}", "parallel.workers=1",
        f"paths.outputs={folder / 'outputs'}", f"paths.state={folder / 'state'}",
        *more,
    ]  # fmt: skip
    log = folder / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "intraday_rl", *words],
            env={**os.environ, "INTRADAY_RL_TOKEN": TOKEN},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}/", folder)
    try:
        until(lambda: _is_up(server, process, log), f"the server, see {log}", STARTED_SECONDS)
        yield server
    finally:
        process.terminate()
        process.wait(END_SECONDS)


def _is_up(server: Server, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        with urllib.request.urlopen(f"{server.url}health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium; make services installs it")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(server, browser) -> Iterator[Any]:
    """Signed in, at 1280 px; whatever the browser complains about fails the test."""
    with signed_in(browser, server) as page:
        yield page


@contextmanager
def signed_in(browser: Any, server: Server, **options: Any) -> Iterator[Any]:
    usual = {"viewport": {"width": 1280, "height": 900}, "timezone_id": "America/New_York"}
    context = browser.new_context(**{**usual, **options})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(server.url)
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Enter").click()
    page.get_by_role("heading", level=1, name="Train").wait_for()
    try:
        yield page
        # A refusal is an answer: the browser lists it, the page shows it beside the field.
        assert [one for one in complaints if "the server responded with" not in one] == []
    finally:
        context.close()
