"""One fold and one seed as a unit of work that can be sent to another process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from intraday_rl.market.windows import Window
from intraday_rl.records import SeedFolder, WorkFolder
from intraday_rl.research.lockbox import Look


@dataclass(frozen=True, slots=True)
class FoldJob:
    """What a worker needs besides the dataset; all of it plain and picklable."""

    key: str
    kinds: dict[str, str]
    plan_yaml: str
    window: Window
    seed: int
    folder: Path
    fingerprint: str
    benchmark_fingerprint: str
    code: str
    git: str | None
    work: WorkFolder
    redo: bool = False  # finished or not: do it all again
    look: Look | None = None  # what the lockbox records before the test is read


def read_result(folder: SeedFolder, key: str) -> dict[str, Any] | None:
    """A finished result with this key, or None when the work is still to be done."""
    if not folder.result.is_file():
        return None
    try:
        result: dict[str, Any] = json.loads(folder.result.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return result if result.get("key") == key and result.get("status") == "finished" else None


def seed_frame(result: dict[str, Any]) -> pd.Series:
    """Daily raw test returns of one seed, by session."""
    index = pd.DatetimeIndex(result["sessions"])
    return pd.Series(result["daily_returns"], index=index, name=result["seed"])
