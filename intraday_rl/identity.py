"""Which work is the same work: keys of folds and runs, and the hash of the code behind them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from intraday_rl.market.windows import Window

ROOMS = ("market", "trading", "agents", "research", "statistics")
LIBRARIES = (
    "torch",
    "numpy",
    "numba",
    "pandas",
    "TA-Lib",
    "exchange_calendars",
    "stable-baselines3",
)
# How a result is shown, stored or scheduled; where its bars lie (their content is fingerprinted).
PRESENTATION = (
    "dry_run",
    "format",
    "force",
    "paths",
    "tracking",
    "parallel",
    "data.path",
    "data.benchmark_path",
)
# Replaced by the fold's own sessions and seed, so that one more seed or window keeps the others.
BY_FOLD = ("windows", "seeds")


@cache
def code_hash() -> str:
    """Hash of the sources that decide numbers, and of the libraries under them."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    sources = [package / "dataset.py", *(p for room in ROOMS for p in (package / room).rglob("*"))]
    for source in sorted(sources):
        if source.suffix in {".py", ".json", ".html"}:
            digest.update(str(source.relative_to(package)).encode() + b"\0" + source.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library}=={version(library)}\n".encode())
    return digest.hexdigest()[:16]


def decisive(kinds: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that can change a fold's numbers."""
    kept = json.loads(json.dumps(dict(values)))
    for path in (*PRESENTATION, *BY_FOLD):
        *parents, last = path.split(".")
        node = kept
        for name in parents:
            node = node.get(name, {})
        node.pop(last, None)
    return {"kinds": {k: v for k, v in kinds.items() if k not in ("tracking", "windows")}, **kept}


def fold_key(
    configuration: Mapping[str, Any], window: Window, seed: int, fingerprints: Sequence[str]
) -> str:
    """Identity of one fold and seed: configuration, sessions, data up to the test's end, code."""
    sessions = {
        "fit": [str(day) for day in window.fit],
        "validation": [str(day) for day in window.validation.sessions],
        "test": [str(day) for day in window.test.sessions] if window.test else [],
    }
    return _hash([configuration, window.name, sessions, seed, list(fingerprints), code_hash()])


def run_key(fold_keys: Sequence[str]) -> str:
    """Identity of a job: the keys of its folds and seeds."""
    return _hash(sorted(fold_keys))


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
