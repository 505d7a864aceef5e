"""Finished and unfinished runs for a page, from the files below `paths.outputs` alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from intraday_rl.records import RunFolder, read_json
from intraday_rl.tracking.parts import MlflowTracking, NoTracking
from intraday_rl.web.mlflow_links import mlflow_link

FACTS = (
    "symbol", "benchmark", "agent", "reward", "windows", "data_source", "synthetic",
    "reconstructed", "bar_minutes", "fill", "fill_is_same_bar", "seeds_planned", "data_first",
    "data_last", "data_notes", "git",
)  # fmt: skip
METRICS = ("sharpe", "sharpe_low", "sharpe_high", "total_return", "cagr", "max_drawdown", "sortino")
SERIES = ("as_traded", "raw", "hold", "overnight")
COSTS = (
    "gross_pnl", "commission", "fees", "slippage", "impact", "financing", "total", "net_pnl",
    "traded_notional", "bps_of_turnover",
)  # fmt: skip
TUNED = ("outcome", "parent", "options", "tuning", "held_out", "gate", "checks", "registry")
KINDS = ("commission", "fees", "slippage", "impact", "financing", "total")
SURVEY_SECONDS = 5.0  # a survey looks at every file; a page asks every second


class Runs:
    """The runs of one folder; what cannot be read is left out, what is unknown is null."""

    def __init__(
        self,
        outputs: Path,
        survey: Callable[[], Mapping[str, Any]],
        tracking: MlflowTracking | NoTracking,
    ) -> None:
        self._outputs, self._survey, self._tracking = outputs, survey, tracking
        self._lock = threading.Lock()
        self._asked = -SURVEY_SECONDS
        self._known: dict[str, dict[str, Any]] = {}

    def listed(self) -> list[dict[str, Any]]:
        """Every run, the newest first: its verdict, what it is, how it did."""
        return [run["brief"] for run in reversed(self._runs().values())]

    def detailed(self, key: str) -> dict[str, Any] | None:
        """One run with its folds, equity curves and costs; None if there is none."""
        folder = self._folder(key)
        if folder is None:
            return None
        known = self._runs().get(key)
        judged, tuned = content_of(folder.verdict), content_of(folder.fine_tune)
        facts, costs = content_of(folder.data), _costs(folder)
        run_id = content_of(folder.mlflow).get("parent")
        return {
            **brief_of(folder),
            "state": known["brief"]["state"] if known else "open",
            "facts": {name: facts.get(name) for name in FACTS},
            "metrics": {name: _metrics(judged.get(name)) for name in ("as_traded", "raw", "hold")},
            "against_hold_daily": judged.get("against_hold_daily"),
            "folds": [
                {"window": name, **line} for name, line in (judged.get("folds") or {}).items()
            ],
            "test_window_looks": judged.get("test_window_looks"),
            "equity": _equity(judged),
            "costs": costs,
            "cost_split": _cost_split(costs),
            "fits": known["folds"] if known else {},
            "fine_tune": {name: tuned.get(name) for name in TUNED} if tuned else None,
            "command": _text(folder.command),
            "plan": _text(folder.plan),
            "mlflow": mlflow_link(self._tracking, self._outputs, run_id),
            "has_report": folder.report.is_file(),
        }

    def report(self, key: str) -> Path | None:
        """The page of a run; None if it has none."""
        folder = self._folder(key)
        return folder.report if folder is not None and folder.report.is_file() else None

    def _folder(self, key: str) -> RunFolder | None:
        """The run's folder, if it lies where it seems to."""
        folder = RunFolder.of(str(self._outputs), key)
        inside = folder.path.resolve().is_relative_to(self._outputs.resolve())
        return folder if inside and folder.data.is_file() else None

    def _runs(self) -> dict[str, dict[str, Any]]:
        """By key: the brief, and how each fit stands; looked at anew every few seconds."""
        with self._lock:
            if time.monotonic() - self._asked > SURVEY_SECONDS:
                found = {}
                for run in self._survey()["runs"]:
                    folder = self._folder(run["run_key"])
                    if folder is not None:
                        brief = {**brief_of(folder), "state": run["state"]}
                        found[folder.key] = {"brief": brief, "folds": run["folds"]}
                self._known, self._asked = found, time.monotonic()
            return self._known


def brief_of(folder: RunFolder) -> dict[str, Any]:
    """A run in one line; read again only when one of its files has changed."""
    files = (folder.data, folder.verdict, folder.fine_tune)
    return _brief(folder, tuple(changed_ns(file) for file in files))


@lru_cache(maxsize=4_096)
def _brief(folder: RunFolder, changed: tuple[int, ...]) -> dict[str, Any]:
    facts, judged = content_of(folder.data), content_of(folder.verdict)
    tuned = content_of(folder.fine_tune)
    return {
        "verdict": judged.get("verdict") or tuned.get("outcome"),
        "key": folder.key,
        "state": None,
        "kind": facts.get("kind") or ("final_fit" if "window" in judged else "walk_forward"),
        "symbol": facts.get("symbol"),
        "agent": facts.get("agent"),
        "reward": facts.get("reward"),
        "windows": facts.get("windows"),
        "synthetic": facts.get("synthetic"),
        "reconstructed": facts.get("reconstructed"),
        "validation_score": judged.get("first_validation_score"),
        **_metrics(judged.get("as_traded")),
        "hold_sharpe": (judged.get("hold") or {}).get("sharpe"),
        "folds_abstained": judged.get("folds_abstained"),
        "folds_failed": judged.get("folds_failed"),
        "sessions": len(judged.get("dates") or ()),
        "data_last": facts.get("data_last"),
    }


def _costs(folder: RunFolder) -> list[dict[str, Any]]:
    """USD by window, summed over its seeds, of the raw policy."""
    found = []
    for file in sorted((folder.path / "folds").glob("*/window.json")):
        costs = content_of(file).get("costs") or {}
        found.append({"window": file.parent.name, **{name: costs.get(name) for name in COSTS}})
    return found


def _cost_split(costs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Each kind over all windows and seeds, in USD and in bps of what was traded."""
    known = [line for line in costs if line["total"] is not None]
    if not known:
        return None
    notional = sum(line["traded_notional"] for line in known)
    usd = {kind: sum(line[kind] for line in known) for kind in KINDS}
    bps = {kind: 1e4 * value / notional if notional else None for kind, value in usd.items()}
    return {"usd": usd, "bps_of_turnover": bps, "traded_notional": notional}


def _metrics(content: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: (content or {}).get(name) for name in METRICS}


def _equity(judged: Mapping[str, Any]) -> dict[str, Any]:
    """What one dollar becomes, day by day, in each series; begins before the first day."""
    returns = judged.get("daily_returns") or {}
    curves = {name: list(_compounded(returns[name])) for name in SERIES if name in returns}
    return {"dates": judged.get("dates") or [], **curves}


def _compounded(returns: list[float]) -> Iterator[float]:
    grown = accumulate(returns, lambda equity, one: equity * (1.0 + one), initial=1.0)
    next(grown)
    return (round(equity, 8) for equity in grown)


def content_of(file: Path) -> Mapping[str, Any]:
    """A JSON file; empty if it is not there yet, or not whole."""
    try:
        return read_json(file)
    except (OSError, ValueError):
        return {}


def changed_ns(file: Path) -> int:
    """When it was written last; 0 if it is not there."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _text(file: Path) -> str | None:
    return file.read_text("utf-8").strip() if file.is_file() else None
