"""What the report reads besides the summaries: the seeds' results, the ledgers, more intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.records import FoldFolder, RunFolder, read_json
from intraday_rl.research.evaluation import ACTION_BINS, NEW_YORK
from intraday_rl.research.fit import fold_generator
from intraday_rl.research.fold_summary import SUMMARY_SEED, FoldSummary
from intraday_rl.statistics.intervals import (
    CONFIDENCE,
    Interval,
    block_length,
    bootstrap_interval,
    paired_interval,
    resample_rows,
)
from intraday_rl.statistics.ratios import mean_rows, sharpe_rows
from intraday_rl.trading.ledger import daily_returns, read_ledger

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FoldEvidence:
    """One fold with everything the report says about it.

    | field          | meaning                                                                 |
    |----------------|-------------------------------------------------------------------------|
    | results        | `result.json` of every finished seed, in the order of the seeds         |
    | by_time        | decisions of all finished seeds by New York time; None without a ledger |
    | score          | validation score (mean over seeds) with its interval                    |
    | traded, hold   | compounded return over the test with its interval, fractions            |
    | against_hold   | mean daily difference to holding with its interval, fraction a day       |
    """

    summary: FoldSummary
    results: list[dict[str, Any]]
    by_time: pd.DataFrame | None
    score: Interval | None
    traded: Interval | None
    hold: Interval
    against_hold: Interval | None

    @property
    def name(self) -> str:
        return self.summary.window.name

    @property
    def days(self) -> list[str]:
        """Test sessions as ISO dates."""
        test = self.summary.window.test
        return [day.isoformat() for day in test.sessions] if test else []

    def seeds_as_traded(self) -> dict[int, FloatArray]:
        """Daily returns by seed, zero where it abstained."""
        return {
            result["seed"]: np.asarray(result["daily_returns"], float)
            * (0.0 if result["abstained"] else 1.0)
            for result in self.results
        }


@dataclass(frozen=True, slots=True)
class Whole:
    """The stitched series: compounded return as traded and of holding, with intervals."""

    traded: Interval
    hold: Interval


def stitched(verdict: dict[str, Any]) -> Whole | None:
    """Intervals of the whole run; None when no fold finished."""
    if "daily_returns" not in verdict:
        return None
    generator = fold_generator(SUMMARY_SEED, "report stitched")
    traded, hold = (
        compounded_interval(np.asarray(verdict["daily_returns"][name], float), generator)
        for name in ("as_traded", "hold")
    )
    return Whole(traded, hold)


def gather(folder: RunFolder, folds: list[FoldSummary]) -> list[FoldEvidence]:
    """Read what each fold left in its folder."""
    return [_fold(folder.fold(fold.window.name), fold) for fold in folds]


def compounded_interval(returns: FloatArray, generator: np.random.Generator) -> Interval:
    """Return of the whole series with the interval of resampled ones of the same length."""
    found = bootstrap_interval(returns, _total_return_rows, generator)
    estimate = float(_total_return_rows(returns))
    return Interval(found.low, estimate, found.high, found.confidence, found.method)


def mean_interval(returns: FloatArray, generator: np.random.Generator) -> Interval:
    """Mean daily return with its interval."""
    found = bootstrap_interval(returns, mean_rows, generator)
    return Interval(found.low, float(returns.mean()), found.high, found.confidence, found.method)


def _fold(folder: FoldFolder, fold: FoldSummary) -> FoldEvidence:
    seeds = [seed for seed, entry in fold.content["seeds"].items() if entry["status"] == "finished"]
    results = [read_json(folder.seed(int(seed)).result) for seed in seeds]
    generator = fold_generator(SUMMARY_SEED, f"report {fold.window.name}")
    complete = fold.traded is not None
    return FoldEvidence(
        summary=fold,
        results=results,
        by_time=_by_time(read_ledger(folder.ledger)) if results else None,
        score=_score(folder, results, generator) if complete else None,
        traded=None if fold.traded is None else compounded_interval(fold.traded, generator),
        hold=compounded_interval(fold.hold, generator),
        against_hold=None
        if fold.traded is None
        else paired_interval(fold.traded, fold.hold, generator),
    )


def _score(
    folder: FoldFolder, results: list[dict[str, Any]], generator: np.random.Generator
) -> Interval:
    """Mean Sharpe over seeds on the second validation half: all seeds draw the same sessions."""
    series = []
    for result in results:
        returns = np.zeros(result["validation_sessions"])
        played = daily_returns(read_ledger(folder.seed(result["seed"]).validation_ledger))
        returns[: len(played)] = played.to_numpy()  # nothing is earned after a ruin
        series.append(returns)
    by_seed = np.array(series)
    estimate = float(np.mean([result["validation_score"] for result in results]))
    blocks = block_length(by_seed.mean(axis=0))
    if blocks is None:
        return Interval(None, estimate, None, CONFIDENCE, "no interval: constant or too short")
    rows = resample_rows(by_seed.shape[1], blocks, generator)
    draws = np.mean([sharpe_rows(returns[rows]) for returns in by_seed], axis=0)
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(draws, [tail, 100.0 - tail])
    return Interval(float(low), estimate, float(high), CONFIDENCE, "stationary bootstrap")


def _by_time(ledger: pd.DataFrame) -> pd.DataFrame:
    """Per New York time of a decision: decisions, mean_target, long, short, flat, bin_0 … bin_n."""
    decisions = ledger[~ledger["forced_exit"]]
    bins = len(ACTION_BINS) - 1
    table = pd.DataFrame(
        {
            "time": decisions["bar_end"].dt.tz_convert(NEW_YORK).dt.strftime("%H:%M"),
            "decisions": 1,
            "mean_target": decisions["target"],
            "long": decisions["target"] > 0,
            "short": decisions["target"] < 0,
            "flat": decisions["target"] == 0,
        }
    )
    placed = np.clip(np.digitize(decisions["action"], ACTION_BINS) - 1, 0, bins - 1)
    for number in range(bins):
        table[f"bin_{number}"] = placed == number
    return table.groupby("time", sort=True).sum()


def merge_by_time(folds: list[FoldEvidence]) -> pd.DataFrame | None:
    """Sums of all folds, with the sums of targets and positions turned into means and shares."""
    tables = [fold.by_time for fold in folds if fold.by_time is not None]
    if not tables:
        return None
    total = pd.concat(tables).groupby(level=0, sort=True).sum()
    shares = [name for name in total.columns if name != "decisions"]
    total[shares] = total[shares].div(total["decisions"], axis=0)
    return total


def _total_return_rows(returns: FloatArray) -> FloatArray:
    return np.asarray(np.prod(1.0 + returns, axis=-1) - 1.0)
