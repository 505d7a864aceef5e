"""A multirun's folder: `jobs/<number>.yaml` before a job and `jobs/<number>.json` after it.

Hydra hands a job's failure to nobody before the last job is done, and loses the status of jobs
in other processes. So the worst of these records (a missing one counts as failed) is the status
of the sweep.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from intraday_rl.config import saved
from intraday_rl.outcome import Outcome
from intraday_rl.plan import Plan
from intraday_rl.records import read_json, write_json, write_text

FAILED = 1


def new_sweep_folder(outputs: Path) -> Path:
    """`sweeps/<time>-<pid>`, which no other multirun has."""
    while True:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        folder = outputs / "sweeps" / f"{stamp}-{os.getpid()}"
        try:
            folder.mkdir(parents=True)
            (folder / "jobs").mkdir()
            return folder
        except FileExistsError:  # containers share process ids
            if not folder.is_dir():
                raise
            time.sleep(1.0)


def write_plan(folder: Path, number: int, plan: Plan) -> None:
    """What a job is to try, also if it never begins."""
    write_text(folder / "jobs" / f"{number}.yaml", saved(plan).text)


def write_record(folder: Path, number: int, words: Sequence[str], outcome: Outcome) -> None:
    """What came of a job."""
    content = {
        "overrides": list(words),
        "code": outcome.code,
        "score": None if math.isnan(outcome.score) else outcome.score,
        "run_key": outcome.run_key,
    }
    write_json(folder / "jobs" / f"{number}.json", content)


def failed_before(folder: Path) -> bool:
    """Whether any job has ended badly so far."""
    return any(read_json(path)["code"] for path in (folder / "jobs").glob("*.json"))


def sweep_status(folder: Path, expected: int | None) -> int:
    """The worst status of the jobs; one that left no record has failed."""
    codes = [int(read_json(path)["code"]) for path in sorted((folder / "jobs").glob("*.json"))]
    missing = max(expected or 1, len(codes)) - len(codes)
    if missing:
        sys.stderr.write(f"{missing} jobs of the sweep ended without a record in {folder}/jobs\n")
        codes.append(FAILED)
    return max(codes)
