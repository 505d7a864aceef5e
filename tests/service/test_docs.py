"""The examples of docs/service.md, as they are written, against a server that runs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from intraday_rl.records import read_json
from tests.service.conftest import TOKEN

pytestmark = pytest.mark.slow("service")
PAGE = Path(__file__).parents[2] / "docs" / "service.md"
AS_WRITTEN = "http://127.0.0.1:8000"


def examples() -> list[str]:
    """The blocks that ask a server; the first one starts it."""
    _, *rest = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    return rest


def run(script: str, server) -> subprocess.CompletedProcess[str]:
    address = str(server.client.base_url).rstrip("/")
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(AS_WRITTEN, address)],
        cwd=server.folder, env={**os.environ, "INTRADAY_RL_TOKEN": TOKEN},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_the_examples_run_as_written(server):
    asking, _ = examples()
    done = run(asking, server)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"windows":[' in done.stdout
    assert "event: end" in done.stdout
    assert '"verdict":"' in done.stdout
    assert "<html" in (server.folder / "report.html").read_text()
    assert read_json(server.folder / "schema.json")["groups"]


def test_the_examples_for_a_model_are_understood(server):
    """Neither model nor agent is here: each is answered by 404, none by another refusal."""
    asking, tuning = examples()
    preparing = asking.partition("\n\n")[0]
    commands = re.findall(r"^api .*$", tuning, re.MULTILINE)
    assert len(commands) == 13
    for command in commands:
        done = run(f"{preparing}\n{command}", server)
        assert done.returncode == 22, done.stderr
        assert "404" in done.stderr, done.stdout
