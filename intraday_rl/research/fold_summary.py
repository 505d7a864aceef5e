"""One fold, all seeds: the content of `window.json` and the fold's verdict."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.agents.baselines import FlatPolicy, HoldPolicy, RandomPolicy
from intraday_rl.agents.policy import Policy
from intraday_rl.dataset import Dataset, Split, open_fold
from intraday_rl.loading import Resolved
from intraday_rl.market.windows import Window, describe
from intraday_rl.plan import Gates, Plan
from intraday_rl.research.bar_equity import bar_equity
from intraday_rl.research.evaluation import return_metrics
from intraday_rl.research.fit import fold_generator
from intraday_rl.research.rollout import walk
from intraday_rl.statistics.drawdowns import max_drawdown
from intraday_rl.statistics.intervals import paired_interval
from intraday_rl.statistics.ratios import total_return
from intraday_rl.statistics.seeds import equal_weight
from intraday_rl.statistics.trades import LedgerColumns, summarise_trades
from intraday_rl.statistics.verdict import Verdict, fold_verdict

# The bootstrap of a fold and its random baseline do not depend on which seeds were trained.
SUMMARY_SEED = 0


@dataclass(frozen=True, slots=True)
class FoldSummary:
    """What the run needs of a fold besides its `window.json`.

    `raw`, `traded`: mean over seeds, None if the fold failed; `traded` is zero where a seed
    abstained. Paths are bar equity relative to a start of 1; the others daily net returns.
    """

    window: Window
    content: dict[str, Any]
    verdict: Verdict
    raw: NDArray[np.float64] | None
    traded: NDArray[np.float64] | None
    hold: NDArray[np.float64]
    random: NDArray[np.float64]
    overnight: NDArray[np.float64]
    raw_path: NDArray[np.float64] | None = None
    traded_path: NDArray[np.float64] | None = None
    hold_path: NDArray[np.float64] | None = None


def summarise_fold(
    plan: Plan,
    resolved: Resolved,
    dataset: Dataset,
    window: Window,
    results: list[dict[str, Any]],
    ledger: pd.DataFrame | None,
    facts: dict[str, Any],
) -> FoldSummary:
    """Combine the seeds of a fold, judge it beside its baselines on the same days and costs."""
    baselines = _baselines(dataset, window)
    finished = [result for result in results if result["status"] == "finished"]
    complete = len(finished) == len(results)
    raw = traded = raw_path = traded_path = None
    combined: dict[str, Any] = {}
    difference_low = None
    if complete and ledger is not None:
        generator = fold_generator(SUMMARY_SEED, window.name)
        by_seed = np.array([result["daily_returns"] for result in finished])
        kept = np.array([not result["abstained"] for result in finished], float)
        raw, traded = equal_weight(by_seed), equal_weight(by_seed * kept[:, None])
        seeds = [result["seed"] for result in finished]
        raw_path = bar_equity(ledger, raw, dict.fromkeys(seeds, True))
        trading = dict(zip(seeds, kept > 0, strict=True))
        traded_path = bar_equity(ledger, traded, trading)
        against = paired_interval(traded, baselines["hold"].returns, generator)
        difference_low = against.low
        combined = {
            **both_metrics(raw, traded, raw_path, traded_path, generator),
            "against_hold_daily": asdict(against),
        }
    verdict = fold_verdict(
        failed=[result["status"] != "finished" for result in results],
        ruined=[bool(r.get("test", {}).get("ruined")) for r in results],
        round_trips=[r.get("test", {}).get("trades", {}).get("round_trips", 0) for r in results],
        abstained=[bool(r.get("abstained")) for r in results],
        difference_low=difference_low,
        net_return=None if traded is None else total_return(traded),
    )
    overnight = overnight_returns(dataset, window)
    content: dict[str, Any] = {
        "schema_version": 1,
        **facts,
        "window": describe(window),
        "coverage": {k: v.as_dict() for k, v in resolved.span_coverage(window).items()},
        "built_from_closes": resolved.built_from_closes(window),
        "verdict": verdict.value,
        "validation_score": validation_score(results),
        "seeds": {str(result["seed"]): _seed_entry(result) for result in results},
        "test": combined,
        "baselines": {name: baseline.metrics for name, baseline in baselines.items()},
        "overnight_buy_and_hold": return_metrics(
            overnight, fold_generator(SUMMARY_SEED, window.name)
        ),
        "costs": _sum_of(finished, "costs"),
        "cost_settings": cost_settings(plan),
        "exits": _exits(finished),
        "actions": _actions(finished),
        "gates": _gates(plan.gates, combined, finished),
    }
    return FoldSummary(
        window=window,
        content=content,
        verdict=verdict,
        raw=raw,
        traded=traded,
        hold=baselines["hold"].returns,
        random=baselines["random"].returns,
        overnight=overnight,
        raw_path=raw_path,
        traded_path=traded_path,
        hold_path=baselines["hold"].path,
    )


def both_metrics(
    raw: NDArray[np.float64],
    traded: NDArray[np.float64],
    raw_path: NDArray[np.float64],
    traded_path: NDArray[np.float64],
    generator: np.random.Generator,
) -> dict[str, Any]:
    """Metrics of the raw policy and of what was traded; one interval where they are the same."""
    of_raw = return_metrics(raw, generator, max_drawdown(raw_path))
    if np.array_equal(raw, traded):
        return {"raw": of_raw, "as_traded": of_raw}
    as_traded = return_metrics(traded, generator, max_drawdown(traded_path))
    return {"raw": of_raw, "as_traded": as_traded}


def validation_score(results: list[dict[str, Any]]) -> float | None:
    """Mean over seeds of the Sharpe on the second validation half; None if a seed failed."""
    if any(result["status"] != "finished" for result in results):
        return None
    return float(np.mean([result["validation_score"] for result in results]))


def cost_settings(plan: Plan) -> dict[str, Any]:
    """Every cost parameter of the run, by component."""
    parts = ("slippage", "impact", "commission", "fees", "financing")
    return {name: asdict(getattr(plan.env, name)) for name in parts}


def overnight_returns(dataset: Dataset, window: Window) -> NDArray[np.float64]:
    """Close-to-close returns of the test sessions: holding day and night, without costs."""
    closes = dataset.market.symbol.frame.groupby("session", sort=True)["close"].last().to_numpy()
    index = dataset.tape.index_of(window.test.sessions if window.test else ())
    before = np.maximum(index - 1, 0)
    return np.asarray(closes[index] / closes[before] - 1.0)


@dataclass(frozen=True, slots=True)
class _Baseline:
    returns: NDArray[np.float64]
    path: NDArray[np.float64]
    metrics: dict[str, Any]


def _baselines(dataset: Dataset, window: Window) -> dict[str, _Baseline]:
    problem = open_fold(dataset, window).problem(Split.test)
    generator = fold_generator(SUMMARY_SEED, window.name)
    policies: dict[str, Policy] = {
        "hold": HoldPolicy(),
        "flat": FlatPolicy(),
        "random": RandomPolicy(generator.spawn(1)[0]),
    }
    found = {}
    for name, policy in policies.items():
        walked = walk(problem, policy)
        returns = walked.daily_returns()
        ledger = walked.ledger(window.name, 0)
        trades = summarise_trades(LedgerColumns.from_frame(ledger))
        path = bar_equity(ledger, returns, {0: True})
        metrics = return_metrics(returns, generator, max_drawdown(path))
        metrics["round_trips"] = trades.round_trips
        metrics["cost_usd"] = trades.cost_usd
        found[name] = _Baseline(returns, path, metrics)
    return found


def _seed_entry(result: dict[str, Any]) -> dict[str, Any]:
    left_out = {"window", "seed", "sessions", "daily_returns", "curve"}
    return {key: value for key, value in result.items() if key not in left_out}


def _sum_of(finished: list[dict[str, Any]], entry: str) -> dict[str, Any]:
    """Component sums over seeds; the cost in bps is recomputed from the sums."""
    if not finished:
        return {}
    names = [name for name in finished[0]["test"][entry] if name != "bps_of_turnover"]
    totals = {name: sum(result["test"][entry][name] for result in finished) for name in names}
    notional = totals["traded_notional"]
    return {
        **totals,
        "bps_of_turnover": totals["total"] / notional * 1e4 if notional > 0 else None,
    }


def _exits(finished: list[dict[str, Any]]) -> dict[str, Any]:
    counts: dict[str, dict[str, int]] = {"by_new_york_time": {}, "by_reason": {}}
    for result in finished:
        for table, total in counts.items():
            for key, count in result["test"]["exits"][table].items():
                total[key] = total.get(key, 0) + count
    return {
        "forced": sum(result["test"]["exits"]["forced"] for result in finished),
        **{table: dict(sorted(total.items())) for table, total in counts.items()},
        "flat_at_every_close": bool(finished)
        and all(result["test"]["exits"]["flat_at_every_close"] for result in finished),
    }


def _actions(finished: list[dict[str, Any]]) -> dict[str, Any]:
    if not finished:
        return {}
    counts = np.sum([result["test"]["actions"]["counts"] for result in finished], axis=0)
    return {
        "bin_edges": finished[0]["test"]["actions"]["bin_edges"],
        "counts": [int(count) for count in counts],
    }


def _gates(
    gates: Gates, combined: dict[str, Any], finished: list[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Each gate that is set: its bound, what was found, whether it was passed."""
    if not combined:
        return {}
    trades = float(np.mean([r["test"]["trades"]["round_trips"] for r in finished]))
    sharpe, drawdown = combined["as_traded"]["sharpe"], combined["as_traded"]["max_drawdown"]
    marks: dict[str, dict[str, Any]] = {}
    if gates.min_trades is not None:
        marks["min_trades"] = _mark(gates.min_trades, trades, trades >= gates.min_trades)
    if gates.min_sharpe is not None:
        passed = sharpe is not None and sharpe >= gates.min_sharpe
        marks["min_sharpe"] = _mark(gates.min_sharpe, sharpe, passed)
    if gates.max_drawdown is not None:
        marks["max_drawdown"] = _mark(gates.max_drawdown, drawdown, drawdown <= gates.max_drawdown)
    return marks


def _mark(bound: float, found: float | None, passed: bool) -> dict[str, Any]:
    return {"bound": bound, "found": found, "passed": passed}
