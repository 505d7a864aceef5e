"""One fold, one seed, in a process of its own: fit, score, decide on abstention, test once."""

from __future__ import annotations

import datetime as dt
import json
import logging
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from intraday_rl.agents.bundle import save_bundle
from intraday_rl.agents.card import Card
from intraday_rl.dataset import Dataset, Fold, Split, open_fold
from intraday_rl.market.windows import Window
from intraday_rl.plan import Plan
from intraday_rl.records import SeedFolder, state_folder, write_json, write_text
from intraday_rl.research.evaluation import evaluate, exit_lines
from intraday_rl.research.fit import Fitted, Progress, fit, fold_generator, is_learned
from intraday_rl.research.lockbox import Lockbox, Look
from intraday_rl.research.random_null import random_null
from intraday_rl.research.rollout import walk
from intraday_rl.statistics.intervals import abstention
from intraday_rl.statistics.ratios import sharpe_or_zero
from intraday_rl.trading.ledger import write_ledger

logger = logging.getLogger(__name__)


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
    code: str
    git: str | None
    look: Look | None = None  # what the lockbox records before the test is read


def run_fold_job(job: FoldJob, dataset: Dataset, progress: Progress) -> dict[str, Any]:
    """Do the work and write the seed's folder; `result.json` last. Returns that result.

    Any failure ends as `error.txt` and a result with `status: failed`: a fold that fails is
    failed, never zeros.
    """
    folder = SeedFolder(job.folder)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.error.unlink(missing_ok=True)
    try:
        result = _run(job, dataset, folder, progress)
    except Exception as error:  # the boundary of a fold: the others go on
        write_text(folder.error, traceback.format_exc())
        logger.error("window %s seed %d failed: %s", job.window.name, job.seed, error)
        return {
            "key": job.key,
            "status": "failed",
            "window": job.window.name,
            "seed": job.seed,
            "error": f"{type(error).__name__}: {error}",
        }
    write_json(folder.result, result)
    return result


def _run(job: FoldJob, dataset: Dataset, folder: SeedFolder, progress: Progress) -> dict[str, Any]:
    plan = dataset.plan
    fold = open_fold(dataset, job.window)
    learning, scoring, judging = fold_generator(job.seed, job.window.name).spawn(3)
    fitted = fit(plan, fold, learning, folder.path, progress)
    second = walk(fold.problem(Split.validation_second), fitted.policy)
    second_returns = second.daily_returns()
    result: dict[str, Any] = {
        "key": job.key,
        "status": "finished",
        "window": job.window.name,
        "seed": job.seed,
        "validation_score": sharpe_or_zero(second_returns),
        "validation_sessions": int(second_returns.size),
        "checkpoint": asdict(fitted.chosen) if fitted.chosen else None,
        "checkpoints": [asdict(point) for point in fitted.checkpoints],
        "curve": [list(point) for point in fitted.curve],
        "updates": fitted.updates,
        "abstention": None,
        "abstained": False,
        "warm_up_sessions": fold.warm_up_sessions,
        "scaler_constant_columns": list(fold.scaler.constant),
        "first_moments": asdict(fold.moments),
    }
    if is_learned(plan):
        decided = abstention(second_returns, scoring)
        result["abstention"] = asdict(decided)
        result["abstained"] = bool(decided.abstain and plan.selection.abstain)
    write_ledger([second.ledger(job.window.name, job.seed)], folder.validation_ledger)
    _save(job, plan, fold, fitted, folder, result)
    if job.look is not None:
        Lockbox(state_folder(plan.paths.state)).record(job.look)
    if job.window.test is not None:
        result |= _test(job, fold, fitted, folder, judging)
    return result


def _test(
    job: FoldJob, fold: Fold, fitted: Fitted, folder: SeedFolder, generator: Any
) -> dict[str, Any]:
    """The one look at the test sessions."""
    tested = walk(fold.problem(Split.test), fitted.policy)
    ledger = tested.ledger(job.window.name, job.seed)
    write_ledger([ledger], folder.ledger)
    lines = exit_lines(ledger)
    write_text(folder.evaluation_log, "\n".join(lines) + "\n")
    returns = tested.daily_returns()
    test = evaluate(tested, ledger, generator)
    test["random_null"] = asdict(random_null(tested, generator))
    return {
        "test": test,
        "sessions": [str(day) for day in fold.dates(Split.test)],
        "daily_returns": returns.tolist(),
    }


def _save(
    job: FoldJob, plan: Plan, fold: Fold, fitted: Fitted, folder: SeedFolder, result: dict[str, Any]
) -> None:
    card = Card(
        agent=job.kinds["agent"],
        fold=job.window.name,
        seed=job.seed,
        a0=fold.moments.first,
        b0=fold.moments.second,
        data_fingerprint=job.fingerprint,
        code_hash=job.code,
        git_revision=job.git,
        facts={
            "fold_key": job.key,
            "train_end": _iso(job.window.fit[-1]),
            "validation_end": _iso(job.window.validation.last_session),
            "downside0": fold.moments.downside,
            "abstained": result["abstained"],
            "validation_score": result["validation_score"],
            "checkpoint_step": fitted.chosen.step if fitted.chosen else 0,
        },
    )
    save_bundle(
        folder.bundle, fitted.state, fold.schema(), fold.scaler.as_dict(), job.plan_yaml, card
    )


def _iso(day: dt.date) -> str:
    return day.isoformat()


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
