"""Killed at any moment and started again, a download ends with the same bars."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.collecting.vendors.conftest import Command, Place

pytestmark = pytest.mark.slow("vendors")
ROOT = Path(__file__).parents[3]
KILLS = 10


def start(place: Place) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.collecting.vendors.impatient", *place.overrides],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def killed(place: Place, requests: int, seconds_later: float) -> bool:
    """Start it, kill it so many requests and seconds later; False if it was done before."""
    process = start(place)
    goal = len(place.server.asked) + requests
    give_up = time.monotonic() + 120.0
    reached: float | None = None
    while process.poll() is None:
        assert time.monotonic() < give_up
        if reached is None and len(place.server.asked) >= goal:
            reached = time.monotonic()
        if reached is not None and time.monotonic() - reached >= seconds_later:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.002)
    assert process.returncode == 0
    return False


def test_killed_at_ten_random_moments_it_ends_with_the_same_fingerprint(
    place: Place, command: Command, tmp_path: Path
) -> None:
    undisturbed = replace(place, folder=tmp_path / "undisturbed")
    assert command(*undisturbed.overrides).status == 0
    place.server.asked.clear()
    moments = random.Random(7)
    longest = {"alpaca": 8, "twelvedata": 10, "yfinance": 4}[place.vendor]
    kills = [killed(place, moments.randint(1, longest), moments.random() * 0.05)
             for _ in range(KILLS)]  # fmt: skip
    assert sum(kills) >= KILLS // 2  # the rest found nothing left to do
    before = {month: part.fetched_at for month, part in place.stored().parts.items()}
    ended = command(*place.overrides)
    assert ended.status == 0, ended.err
    assert place.stored().fingerprint() == undisturbed.stored().fingerprint()
    whole = [part for part in place.stored().parts.values() if part.state.value == "complete"]
    kept = [month for month, at in before.items() if place.stored().parts[month].fetched_at == at]
    assert len(kept) >= min(len(before), len(whole)) - 1  # what was whole was not fetched again
