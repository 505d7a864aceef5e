"""A made-up run on disk, small enough for a test: test windows of forty sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from intraday_rl.market.windows import Span, Window, describe
from intraday_rl.records import RunFolder, write_json, write_text
from intraday_rl.research.evaluation import ACTION_BINS, evaluate, return_metrics
from intraday_rl.research.fold_summary import FoldSummary
from intraday_rl.research.report import evidence
from intraday_rl.research.stitched import run_verdict
from intraday_rl.saved_plan import SavedPlan
from intraday_rl.statistics import intervals
from intraday_rl.statistics.verdict import Verdict
from intraday_rl.trading.ledger import daily_returns, write_ledger

FACTS: dict[str, Any] = {
    "run_key": "0123abcd",
    "symbol": "TQQQ",
    "benchmark": "QQQ",
    "data_source": "synthetic",
    "synthetic": True,
    "reconstructed": False,
    "bar_minutes": 15,
    "reward": "dsr",
    "agent": "sac",
    "windows": "auto",
    "fill": "next_open",
    "fill_is_same_bar": False,
    "fill_is_effectively_same_bar": False,
    "windows_built_from_closes": {},
    "shorting_assumed_possible": True,
    "seeds_planned": [0, 1],
    "data_fingerprint": "f" * 64,
    "benchmark_fingerprint": "e" * 64,
    "code_hash": "c" * 16,
    "git": None,
    "data_notes": ["synthetic bars: not the prices of any market"],
}
RECORD = SavedPlan(
    kinds={"agent": "sac"},
    values={
        "env": {
            "initial_equity": 100_000.0,
            "cutoff": {"latest_time": "15:45", "minutes_before_close": 15},
        },
        "selection": {"abstain": True},
    },
    text="symbol: TQQQ\nseeds: [0, 1]\n",
)
COVERAGE = {
    "sessions_expected": 40,
    "sessions_found": 40,
    "sessions_short": 0,
    "half_days": 1,
    "bars_missing": 0,
    "has_volume": True,
    "equal_open_share": 0.02,
    "missing_sessions": [],
}
FIRST_DAYS = ("2021-01-04", "2021-03-15")


@dataclass(frozen=True)
class SmallRun:
    """What `write_report` is handed, and the results it reads."""

    folder: RunFolder
    record: SavedPlan
    folds: list[FoldSummary]
    verdict: dict[str, Any]
    results: list[list[dict[str, Any]]]  # finished seeds of each fold


@pytest.fixture(autouse=True, scope="module")
def quick_intervals() -> Iterator[None]:
    """A few plain resamples: how intervals are computed is tested where they are made."""

    def few(sessions: int, block: int, generator: np.random.Generator, draws: int = 0) -> Any:
        return generator.integers(sessions, size=(50, sessions))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "resample_rows", few)
        patch.setattr(evidence, "resample_rows", few)
        yield


@pytest.fixture(scope="session")
def make_run() -> Callable[..., SmallRun]:
    """`small_run`, for the tests of plots and report."""
    return small_run


def small_run(
    path: Path,
    *,
    kinds: tuple[str, ...] = ("plain", "plain"),
    seeds: tuple[int, ...] = (0, 1),
    **facts: Any,
) -> SmallRun:
    """`kinds`: per window `plain`, `abstained`, `no_trades` or `failed` (its last seed)."""
    folder = RunFolder(path / "runs" / FACTS["run_key"])
    write_text(folder.command, "intraday-rl symbol=TQQQ seeds=[0,1]\n")
    known = {**FACTS, **facts}
    folds, results = [], []
    for number, kind in enumerate(kinds):
        window = _window(FIRST_DAYS[number])
        found = [_seed(folder, window, seed, kind, number) for seed in seeds]
        if kind == "failed":
            found[-1] = {"seed": seeds[-1], "status": "failed", "error": "TrainingDiverged: <nan>"}
        finished = [result for result in found if result["status"] == "finished"]
        folds.append(_summary(window, kind, found, finished, known))
        results.append(finished)
        if finished:
            frames = [_ledger(window, result["seed"], kind, number) for result in finished]
            write_ledger(frames, folder.fold(window.name).ledger)
    return SmallRun(folder, RECORD, folds, run_verdict(folds, known), results)


def _window(first_day: str) -> Window:
    days = tuple(day.date() for day in pd.bdate_range(first_day, periods=40))
    before = tuple(day.date() for day in pd.bdate_range("2020-06-01", periods=120))
    return Window(
        name=f"{days[0]}_{days[-1]}",
        train=Span(before[0], before[-1], before),
        fit=before[:79],
        validation=Span(before[80], before[-1], before[80:]),
        test=Span(days[0], days[-1], days),
        clipped=False,
    )


def _ledger(window: Window, seed: int, kind: str, number: int) -> pd.DataFrame:
    """Two decisions and an exit a session: in for one bar with a random result, then out."""
    assert window.test is not None
    generator = np.random.default_rng([seed, number])
    trades = kind != "no_trades"
    equity = 100_000.0
    rows: list[dict[str, Any]] = []
    for day in window.test.sessions:
        gross = float(generator.normal(30.0, 500.0)) if trades else 0.0
        rows += _session(day, equity, gross, 100.0 if trades else 0.0)
        equity = rows[-1]["equity_after"]
    return pd.DataFrame(rows).assign(fold=window.name, seed=seed)


def _session(day: date, equity: float, gross: float, shares: float) -> list[dict[str, Any]]:
    bars = (
        ("09:45", 0.0, shares, gross),
        ("15:30", shares, 0.0, 0.0),
        ("15:45", shares, -shares, 0.0),
    )
    rows = []
    for step, (time, before, traded, pnl) in enumerate(bars):
        commission = 1.0 if traded else 0.0
        exits = time == "15:45"
        row = {
            "session": pd.Timestamp(day),
            "bar_end": pd.Timestamp(f"{day} {time}", tz="America/New_York").tz_convert("UTC"),
            "step": step,
            "price": 50.0,
            "fill_price": 50.0,
            "action": np.nan if exits else 0.5,
            "target": np.nan if exits else shares / 200.0,
            "shares_before": before,
            "shares_traded": traded,
            "shares_after": before + traded,
            "commission": commission,
            **dict.fromkeys(("fees", "slippage", "impact", "financing", "reward"), 0.0),
            "gross_pnl": pnl,
            "net_pnl": pnl - commission,
            "equity_before": equity,
            "equity_after": equity + pnl - commission,
            "dsr_floored": False,
            "dsr_clipped": False,
            "forced_exit": exits,
            "exit_reason": "cutoff" if exits else None,
        }
        rows.append(row)
        equity += pnl - commission
    return rows


def _seed(folder: RunFolder, window: Window, seed: int, kind: str, number: int) -> dict[str, Any]:
    place = folder.fold(window.name).seed(seed)
    place.path.mkdir(parents=True, exist_ok=True)
    ledger = _ledger(window, seed, kind, number)
    write_ledger([ledger], place.validation_ledger)
    returns = daily_returns(ledger)
    result = {
        "status": "finished",
        "seed": seed,
        "validation_score": 0.4,
        "validation_sessions": len(returns),
        "checkpoint": {"step": 2000, "sharpe": 0.7},
        "checkpoints": [{"step": 1000, "sharpe": 0.1}, {"step": 2000, "sharpe": 0.7}],
        "curve": [[1000, "actor_loss", 0.4], [2000, "actor_loss", 0.3]],
        "abstention": {"abstain": kind == "abstained", "mean": 3e-4, "lower_bound": -1e-4,
                       "t_value": 1.2, "method": "one-sided"},
        "abstained": kind == "abstained",
        "test": _evaluated(window, seed, kind, number),
        "daily_returns": returns.tolist(),
    }  # fmt: skip
    write_json(place.result, result)
    return result


@cache
def _evaluated(window: Window, seed: int, kind: str, number: int) -> dict[str, Any]:
    ledger = _ledger(window, seed, kind, number)
    walked = SimpleNamespace(daily_returns=daily_returns(ledger).to_numpy, ruined=False)
    return evaluate(walked, ledger, np.random.default_rng(seed))  # type: ignore[arg-type]


@cache
def _metrics(returns: bytes) -> dict[str, Any]:
    return return_metrics(np.frombuffer(returns), np.random.default_rng(0))


def _summary(
    window: Window,
    kind: str,
    found: list[dict[str, Any]],
    finished: list[dict[str, Any]],
    facts: dict[str, Any],
) -> FoldSummary:
    hold, overnight = np.random.default_rng(7).normal(0.0, 0.01, (2, 40))
    raw = traded = None
    test: dict[str, Any] = {}
    if kind != "failed":
        raw = np.mean([result["daily_returns"] for result in finished], axis=0)
        traded = raw * (kind != "abstained")
        test = {"raw": _metrics(raw.tobytes()), "as_traded": _metrics(traded.tobytes())}
    verdict = Verdict.no_edge if kind == "plain" else Verdict(kind)
    tests = [result["test"] for result in finished]
    content = {
        **facts,
        "window": describe(window),
        "coverage": dict.fromkeys(("train", "validation", "test"), COVERAGE),
        "verdict": verdict.value,
        "validation_score": 0.4 if test else None,
        "seeds": {str(result["seed"]): result for result in found},
        "test": test,
        "baselines": {
            name: {**_metrics(returns.tobytes()), "round_trips": 40, "cost_usd": 1.0}
            for name, returns in (("hold", hold), ("flat", np.zeros(40)), ("random", overnight))
        },
        "overnight_buy_and_hold": _metrics(overnight.tobytes()),
        "cost_settings": {"slippage": {"bps": 0.0, "bps_buy": None}},
        "exits": {
            "forced": 40 * len(tests),
            "by_new_york_time": {"15:45": 40 * len(tests)} if tests else {},
            "by_reason": {"cutoff": 40 * len(tests)} if tests else {},
            "flat_at_every_close": bool(tests),
        },
        "actions": {"bin_edges": ACTION_BINS.tolist(), "counts": [0, 0, 0, 0, 0, 0, 0, 80, 0, 0]},
        "gates": {"min_trades": {"bound": 10, "found": 40.0, "passed": True}} if test else {},
    }
    return FoldSummary(window, content, verdict, raw, traded, hold, hold, overnight)
