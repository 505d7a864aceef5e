"""What a finished run would have earned under other costs, without retraining.

The recorded shares of every fold and seed are replayed through the environment's own cost
functions. The policy is frozen: it would have traded less had it been trained under higher costs,
so a surface bounds what costs do to *this* agent and says nothing about another one.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.dataset import Dataset, Split, open_dataset, open_fold
from intraday_rl.errors import DataError
from intraday_rl.loading import resolve
from intraday_rl.market.windows import Window
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder, write_json
from intraday_rl.research.run_folders import find_run
from intraday_rl.research.surface_plot import print_surface, write_heat_map
from intraday_rl.statistics.ratios import sharpe_rows
from intraday_rl.tasks import CostSurface
from intraday_rl.tracking.tracker import open_tracker
from intraday_rl.trading.impact_statistics import impact_statistics
from intraday_rl.trading.ledger import read_ledger
from intraday_rl.trading.problem import Problem
from intraday_rl.trading.replay import replay_shares

GRID = ["slippage_bps", "commission_scale", "impact_coefficient"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One fold and seed: its problem and the shares after each row of the tape."""

    fold: str
    seed: int
    problem: Problem
    held: NDArray[np.float64]
    final_equity: float


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=cost_surface`; writes `cost_surface/` into the run's folder."""
    task: CostSurface = plan.task
    folder = find_run(plan.paths.outputs, task.run)
    trained = context.reload(folder.plan.read_text("utf-8"))
    resolved = resolve(trained)
    dataset = open_dataset(trained, resolved.market)
    replayed = list(_recorded(folder, dataset, resolved.windows))
    known = _impact_is_known(dataset, resolved.windows)
    coefficients = task.impact_coefficients if known else [0.0]
    points = pd.DataFrame(
        list(itertools.product(task.slippage_bps, task.commission_scales, coefficients)),
        columns=GRID,
    )
    table, folds = _surface(replayed, points)
    place = folder.path / "cost_surface"
    place.mkdir(exist_ok=True)
    table.to_parquet(place / "surface.parquet", index=False)
    content = {
        "schema_version": 1,
        "run_key": folder.key,
        "policy": "frozen: shares and times as recorded, only their costs are replaced",
        "points": len(points),
        "impact": "as asked" if known else "0: volume or volatility before a test are unknown",
        "folds": folds,
    }
    write_json(place / "cost_surface.json", content)
    write_heat_map(table, place / "heat_map.png")
    _record(trained, folder, place, folds)
    print_surface(table, content, place)
    return Outcome(score=float("nan"), code=0, run_key=folder.key)


def _recorded(folder: RunFolder, dataset: Dataset, windows: list[Window]) -> Iterator[Replayed]:
    for window in windows:
        ledger_path = folder.fold(window.name).ledger
        if not ledger_path.is_file():
            raise DataError(f"{ledger_path} is missing; finish the run before asking what it costs")
        problem = open_fold(dataset, window).problem(Split.test)
        ledger = read_ledger(ledger_path)
        for seed, account in ledger.groupby("seed"):
            held = np.zeros(problem.tape.rows.size)
            held[_tape_rows(problem, account)] = account["shares_after"].to_numpy()
            replayed = Replayed(
                window.name, int(str(seed)), problem, held, float(account["equity_after"].iloc[-1])
            )
            _, ends = replay_shares(problem, problem.book, held)
            if ends[0] != replayed.final_equity:
                raise DataError(
                    f"{window.name} seed {seed}: the trained costs give {ends[0]}, the ledger says "
                    f"{replayed.final_equity}; bars or code differ from those of the run"
                )
            yield replayed


def _tape_rows(problem: Problem, account: pd.DataFrame) -> NDArray[np.int64]:
    """Row of the tape of every ledger row, by session and step."""
    tape = problem.tape
    dates = account["session"].to_numpy().astype("datetime64[D]")
    first = tape.sessions["first_row"][np.searchsorted(tape.dates, dates)]
    return np.asarray(first + account["step"].to_numpy(), np.int64)


def _impact_is_known(dataset: Dataset, windows: list[Window]) -> bool:
    """Lay out what impact depends on, which a run trained without impact does not have."""
    bars, tape = dataset.market.symbol, dataset.tape
    if not bars.has_volume():
        return False
    volatility, volume = impact_statistics(bars, dataset.plan.env.impact.window_sessions)
    tape.sessions["daily_volatility"], tape.sessions["daily_volume"] = volatility, volume
    tested = np.concatenate([tape.index_of(w.test.sessions if w.test else ()) for w in windows])
    return bool(np.isfinite([volatility[tested], volume[tested]]).all())


def _surface(
    replayed: list[Replayed], points: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """Mean over seeds at every point and fold, and the break-even of every fold."""
    parts, folds = [], {}
    for fold, group in itertools.groupby(replayed, key=lambda one: one.fold):
        members = list(group)
        books = books_on_grid(members[0].problem, points)
        results = [replay_shares(one.problem, books, one.held) for one in members]
        initial = float(members[0].problem.book[0]["initial_equity"])
        mean_daily = np.mean([daily for daily, _ in results], axis=0)
        part = points.copy()
        part.insert(0, "fold", fold)
        part["sharpe"] = sharpe_rows(mean_daily)
        part["total_return"] = np.prod(1.0 + mean_daily, axis=1) - 1.0
        parts.append(part)
        folds[fold] = {
            "seeds": len(members),
            "reproduces_ledger": True,
            "break_even_slippage_bps": float(
                np.mean([break_even_slippage_bps(one, initial) for one in members])
            ),
        }
    return pd.concat(parts, ignore_index=True), folds


def books_on_grid(problem: Problem, points: pd.DataFrame) -> NDArray[np.void]:
    """The trained book with slippage replaced, commission scaled and impact replaced."""
    books = np.repeat(problem.book, len(points))
    scale = points["commission_scale"].to_numpy()
    for side in ("buy", "sell"):
        books[side]["slippage_share"] = points["slippage_bps"].to_numpy() / 1e4
        books[side]["slippage_usd"] = 0.0
        books[side]["impact"] = points["impact_coefficient"].to_numpy()
        for name in ("commission_usd", "commission_share", "commission_minimum"):
            books[side][name] *= scale
    books["commission_pass_through_usd"] *= scale
    return books


def break_even_slippage_bps(one: Replayed, initial_equity: float) -> float:
    """Slippage per side at which the fold's net profit is zero, other costs as trained.

    With frozen shares the profit is a straight line in slippage, so two points give its root;
    NaN when nothing was traded. Negative: the fold loses money even without slippage.
    """
    books = np.repeat(one.problem.book, 2)
    for side in ("buy", "sell"):
        books[side]["slippage_usd"] = 0.0
        books[side]["slippage_share"] = [0.0, 1e-4]
    _, ends = replay_shares(one.problem, books, one.held)
    free, one_bp = ends - initial_equity
    return float(free / (free - one_bp)) if free != one_bp else float("nan")


def _record(trained: Plan, folder: RunFolder, place: Path, folds: dict[str, Any]) -> None:
    ids = folder.path / "mlflow.json"
    if not ids.is_file():
        return
    tracker = open_tracker(trained.tracking, Path(trained.paths.outputs))
    parent = json.loads(ids.read_text("utf-8"))["parent"]
    tracker.log_metrics(
        parent,
        {
            f"fold/{n}/break_even_slippage_bps": f["break_even_slippage_bps"]
            for n, f in folds.items()
        },
    )
    tracker.log_artifacts(parent, place, "cost_surface")
