"""Which work is the same work: keys of folds and runs, and the hash of the code behind them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from intraday_rl.market.bars import Bars
from intraday_rl.market.sources import MarketData
from intraday_rl.market.windows import Window

ROOMS = ("market", "trading", "agents", "statistics")
# Of research, what writes a fold's result; reports, verdicts and audits only read it.
FOLD_SOURCES = ("fit", "candidates", "rollout", "fold_result", "evaluation", "random_null")
LIBRARIES = (
    "torch",
    "gymnasium",
    "numpy",
    "numba",
    "pandas",
    "TA-Lib",
    "exchange_calendars",
    "stable-baselines3",
)
# Further libraries under the numbers of one kind of agent; nobody else needs to have them.
LIBRARIES_OF_AGENT = {"sac_jax": ("jax", "jaxlib", "flax", "optax", "sbx-rl")}
# How a result is shown, stored or scheduled; where its bars lie (their content is fingerprinted).
PRESENTATION = (
    "dry_run",
    "format",
    "force",
    "fail_fast",
    "checkpoints",
    "paths",
    "registry",
    "tracking",
    "parallel",
    "data.path",
    "data.benchmark_path",
    "data.store",
)
# Replaced by the fold's own sessions and seed, so that one more seed or window keeps the others.
BY_FOLD = ("windows", "seeds")
# Which bars there are: their content up to the fold's end is fingerprinted, so that a day more at
# the end changes no fold before it, nor does the same content in another file.
BY_CONTENT = (
    "data.start",
    "data.end",
    "data.vendor",
    "data.stored_minutes",
    "data.format",
    "data.bar_label",
    "data.timezone",
    "data.columns",
    "data.prices",
    "data.splits",
    "data.adjusted_through",
    "data.max_missing_bars",
    "data.on_bad_session",
)
# What a policy is judged in. The bars belong to it as well, by their content.
WORLD = ("symbol", "benchmark", "data")
WORLD_OF_ENV = (
    "slippage",
    "impact",
    "commission",
    "fees",
    "financing",
    "fill",
    "initial_equity",
)
COSTS_OF_ENV = ("slippage", "impact", "commission", "fees", "financing")
# Neither world nor trial: marks and repetitions, which change no decision of a configuration.
NO_DECISION = ("task", "gates", "seeds")


@cache
def code_hash() -> str:
    """Hash of the sources that decide numbers, and of the libraries under them."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    single = [package / f"{name}.py" for name in ("dataset", "loading", "plan")]
    sources = [*single, *(p for room in ROOMS for p in (package / room).rglob("*"))]
    sources += [package / "research" / f"{name}.py" for name in FOLD_SOURCES]
    for source in sorted(sources):
        if source.suffix in {".py", ".json"}:
            digest.update(str(source.relative_to(package)).encode() + b"\0" + source.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library}=={version(library)}\n".encode())
    return digest.hexdigest()[:16]


def decisive(kinds: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that can change a fold's numbers."""
    kept = _without(values, (*PRESENTATION, *BY_FOLD, *BY_CONTENT))
    return {"kinds": {k: v for k, v in kinds.items() if k not in ("tracking", "windows")}, **kept}


def trial_settings(kinds: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Everything of a configuration that changes a decision: what a search can choose.

    Known from the plan alone, so that a job which failed before it read its bars is counted.
    Source: domain.md §5, world or trial.
    """
    world = (*WORLD, *(f"env.{name}" for name in WORLD_OF_ENV))
    kept = _without(values, (*PRESENTATION, *NO_DECISION, *world))
    kept["data"] = {"bar_minutes": values["data"].get("bar_minutes")}
    return {
        "kinds": {k: v for k, v in kinds.items() if k not in ("task", "tracking", "data")},
        **kept,
    }


def declared_world(kinds: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    """What a configuration says about its world; the test dates and the bars are not known yet."""
    data = _without({"data": values["data"]}, (*PRESENTATION, "data.bar_minutes"))["data"]
    return {
        "symbol": values["symbol"],
        "benchmark": values["benchmark"],
        "data": {"kind": kinds["data"], **data},
        "env": {name: values["env"][name] for name in WORLD_OF_ENV},
    }


def world_settings(
    kinds: Mapping[str, str],
    values: Mapping[str, Any],
    market: MarketData,
    windows: Sequence[Window],
) -> dict[str, Any]:
    """The world a run is judged in.

    | entry | from |
    |---|---|
    | `symbol`, `benchmark`, `env` | the plan; the benchmark as it was resolved |
    | `data` | synthetic: the settings (seed, edge, ...) without `bar_minutes`; files: a fingerprint
      of the test sessions, the same at every `bar_minutes` and wherever the file lies |
    | `test` | first and last session and their number, window by window |

    Train and validation sessions belong to the trial: how much to learn from is a choice.
    """
    tests = [window.test for window in windows if window.test is not None]
    days = [day for test in tests for day in test.sessions]
    declared = declared_world(kinds, values)
    if not market.synthetic:
        declared["data"] = [
            _days_fingerprint(bars, days) for bars in (market.symbol, market.benchmark)
        ]
    return {
        **declared,
        "benchmark": None if market.benchmark_is_own else market.benchmark.symbol,
        "test": [[str(test.first_session), str(test.last_session), test.count] for test in tests],
    }


def cost_book(values: Mapping[str, Any]) -> dict[str, Any]:
    """Every cost parameter of a configuration that is set, by component."""
    return {
        name: {key: value for key, value in values["env"][name].items() if value is not None}
        for name in COSTS_OF_ENV
    }


def identity_of(settings: Mapping[str, Any]) -> str:
    """Key of a world or of a trial from its settings."""
    return _hash(settings)


def fold_key(
    configuration: Mapping[str, Any], window: Window, seed: int, fingerprints: Sequence[str]
) -> str:
    """Identity of one fold and seed: configuration, sessions, data up to the test's end, code."""
    sessions = {
        "fit": [str(day) for day in window.fit],
        "validation": [str(day) for day in window.validation.sessions],
        "test": [str(day) for day in window.test.sessions] if window.test else [],
    }
    code = [code_hash(), *_libraries_of_agent(configuration)]
    return _hash([configuration, window.name, sessions, seed, list(fingerprints), *code])


def run_key(fold_keys: Sequence[str]) -> str:
    """Identity of a job: the keys of its folds and seeds."""
    return _hash(sorted(fold_keys))


def _libraries_of_agent(configuration: Mapping[str, Any]) -> list[str]:
    libraries = LIBRARIES_OF_AGENT.get(configuration["kinds"]["agent"], ())
    return [f"{library}=={version(library)}" for library in libraries]


def _without(values: Mapping[str, Any], paths: Sequence[str]) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(json.dumps(dict(values)))
    for path in paths:
        *parents, last = path.split(".")
        node = kept
        for name in parents:
            node = node.get(name, {})
        node.pop(last, None)
    return kept


def _days_fingerprint(bars: Bars, days: Sequence[date]) -> str:
    """Open, high, low, close and split factor of whole sessions: independent of the bar length."""
    frame = bars.frame
    kept = frame[frame["session"].isin(np.array(days, "datetime64[ns]"))]
    summary = kept.groupby("session", sort=True).agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "split_factor": "first"}
    )
    digest = hashlib.sha256(np.asarray(summary.index, "datetime64[D]").astype("<i8").tobytes())
    digest.update(summary.to_numpy("<f8").tobytes())
    return digest.hexdigest()[:16]


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
