"""A dry run in a process of its own: what a job would do, answered at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from intraday_rl.errors import IntradayRLError
from intraday_rl.jobs.process import command_of, environment
from intraday_rl.web.desk import Desk

LONGEST_SECONDS = 120.0


class TooManyDryRuns(IntradayRLError):
    """Others are under way."""


@dataclass(frozen=True, slots=True)
class Previewed:
    """`document`: what the dry run printed; null if it was refused for the reason in `error`."""

    exit_status: int
    document: dict[str, Any] | None
    error: str | None


def dry_run(desk: Desk, words: Sequence[str]) -> Previewed:
    """Run the words with dry_run=true and format=json; trains and writes nothing."""
    if not desk.dry_runs.acquire(blocking=False):
        raise TooManyDryRuns("other dry runs are under way; come again in a moment")
    try:
        return _run([*words, "dry_run=true", "format=json"])
    finally:
        desk.dry_runs.release()


def _run(words: Sequence[str]) -> Previewed:
    process = subprocess.Popen(
        command_of(words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
        text=True,
    )
    try:
        out, err = process.communicate(timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Previewed(-signal.SIGKILL, None, f"took more than {LONGEST_SECONDS:g} seconds")
    try:
        document = json.loads(out)
    except ValueError:
        lines = [line for line in err.splitlines() if line.strip()]
        error = lines[-1] if lines else f"exit status {process.returncode}"
        return Previewed(process.returncode, None, error)
    return Previewed(process.returncode, document, None)
