"""The run as one out-of-sample series: all folds in order, as traded, with its verdict."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.agents.baselines import FlatPolicy
from intraday_rl.dataset import Dataset, Split, open_fold
from intraday_rl.records import RunFolder
from intraday_rl.research.evaluation import return_metrics
from intraday_rl.research.fit import fold_generator
from intraday_rl.research.fold_summary import SUMMARY_SEED, FoldSummary, both_metrics
from intraday_rl.research.rollout import walk
from intraday_rl.statistics.drawdowns import max_drawdown
from intraday_rl.statistics.intervals import paired_interval
from intraday_rl.statistics.ratios import total_return
from intraday_rl.statistics.seeds import interquartile_mean_interval
from intraday_rl.statistics.verdict import Verdict, fold_verdict
from intraday_rl.trading.ledger import read_ledger, write_ledger


def write_stitched_ledger(
    folder: RunFolder, dataset: Dataset, folds: list[FoldSummary], seeds: list[int]
) -> None:
    """All folds as traded: the raw rows, or a flat account's rows where a seed abstained.

    Each fold is an account of its own: equity starts anew with it, so the ledger's identities
    hold within a fold and seed.
    """
    frames: list[pd.DataFrame] = []
    for fold in folds:
        if fold.traded is None:
            continue
        raw = read_ledger(folder.fold(fold.window.name).ledger)
        for seed in seeds:
            if fold.content["seeds"][str(seed)]["abstained"]:
                problem = open_fold(dataset, fold.window).problem(Split.test)
                frames.append(walk(problem, FlatPolicy()).ledger(fold.window.name, seed))
            else:
                frames.append(raw[raw["seed"] == seed])
    if frames:
        write_ledger(frames, Path(folder.stitched_ledger))


def run_verdict(folds: list[FoldSummary], facts: dict[str, Any]) -> dict[str, Any]:
    """Content of `verdict.json`: the stitched series against holding, fold by fold and in all."""
    generator = fold_generator(SUMMARY_SEED, "stitched")
    content: dict[str, Any] = {
        "schema_version": 1,
        **facts,
        "folds": {fold.window.name: _fold_line(fold) for fold in folds},
        "first_validation_score": folds[0].content["validation_score"],
        "dates": [],
    }
    complete = [fold for fold in folds if fold.traded is not None and fold.raw is not None]
    failed = len(folds) - len(complete)
    content["folds_failed"] = failed
    content["folds_abstained"] = sum(f.verdict is Verdict.abstained for f in folds)
    difference_low = None
    net_return = None
    if complete:
        raw = np.concatenate([fold.raw for fold in complete if fold.raw is not None])
        traded = np.concatenate([fold.traded for fold in complete if fold.traded is not None])
        hold = np.concatenate([fold.hold for fold in complete])
        overnight = np.concatenate([fold.overnight for fold in complete])
        against = paired_interval(traded, hold, generator)
        difference_low, net_return = against.low, total_return(traded)
        content |= {
            **both_metrics(
                raw,
                traded,
                chained([fold.raw_path for fold in complete]),
                chained([fold.traded_path for fold in complete]),
                generator,
            ),
            "hold": return_metrics(
                hold, generator, max_drawdown(chained([fold.hold_path for fold in complete]))
            ),
            "overnight_buy_and_hold": return_metrics(overnight, generator),
            "against_hold_daily": asdict(against),
            "sharpe_over_seeds": asdict(
                interquartile_mean_interval(_seed_sharpes(complete), generator)
            ),
            "dates": [str(day) for fold in complete if fold.window.test
                      for day in fold.window.test.sessions],
            "daily_returns": {
                "as_traded": traded.tolist(),
                "raw": raw.tolist(),
                "hold": hold.tolist(),
                "overnight": overnight.tolist(),
            },
        }  # fmt: skip
    entries = [entry for fold in folds for entry in fold.content["seeds"].values()]
    verdict = fold_verdict(
        failed=[entry["status"] != "finished" for entry in entries],
        ruined=[bool(entry.get("test", {}).get("ruined")) for entry in entries],
        round_trips=[e.get("test", {}).get("trades", {}).get("round_trips", 0) for e in entries],
        abstained=[bool(entry.get("abstained")) for entry in entries],
        difference_low=difference_low,
        net_return=net_return,
    )
    return {"verdict": verdict.value, **content}


def chained(paths: list[NDArray[np.float64] | None]) -> NDArray[np.float64]:
    """One path of bar equity from those of the folds, each starting where the last one ended."""
    whole = np.ones(1)
    for path in paths:
        if path is not None:
            whole = np.concatenate([whole, whole[-1] * path[1:]])
    return whole


def _fold_line(fold: FoldSummary) -> dict[str, Any]:
    traded = fold.content["test"].get("as_traded", {})
    return {
        "verdict": fold.verdict.value,
        "validation_score": fold.content["validation_score"],
        "sharpe": traded.get("sharpe"),
        "sharpe_low": traded.get("sharpe_low"),
        "sharpe_high": traded.get("sharpe_high"),
        "total_return": traded.get("total_return"),
        "hold_sharpe": fold.content["baselines"]["hold"]["sharpe"],
        "gates": {k: v["passed"] for k, v in fold.content["gates"].items()},
    }


def _seed_sharpes(folds: list[FoldSummary]) -> list[list[float]]:
    """Test Sharpe of every seed, as traded, fold by fold; a constant series counts as 0."""
    return [
        [
            0.0 if entry["abstained"] else (entry["test"]["sharpe"] or 0.0)
            for entry in fold.content["seeds"].values()
        ]
        for fold in folds
    ]
