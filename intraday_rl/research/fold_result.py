"""What one fold and seed comes to: fit, score, decide on abstention, test once."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Any

from intraday_rl.agents.bundle import save_bundle
from intraday_rl.agents.card import Card
from intraday_rl.dataset import Dataset, Fold, Split, open_fold
from intraday_rl.plan import Plan
from intraday_rl.records import SeedFolder, state_folder, write_text
from intraday_rl.research.evaluation import evaluate, exit_lines
from intraday_rl.research.fit import Conduct, Fitted, fit, fold_generator, is_learned
from intraday_rl.research.fold_job import FoldJob
from intraday_rl.research.lockbox import Lockbox
from intraday_rl.research.random_null import random_null
from intraday_rl.research.rollout import walk
from intraday_rl.statistics.intervals import abstention
from intraday_rl.statistics.ratios import sharpe_or_zero
from intraday_rl.trading.ledger import write_ledger


def fold_result(
    job: FoldJob, dataset: Dataset, folder: SeedFolder, conduct: Conduct
) -> dict[str, Any]:
    """Content of `result.json`; ledgers, log and bundle are in the folder when it returns."""
    plan = dataset.plan
    fold = open_fold(dataset, job.window)
    learning, scoring, judging = fold_generator(job.seed, job.window.name).spawn(3)
    fitted = fit(plan, fold, learning, folder.path, conduct)
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
            "train_start": _iso(fold.dates(Split.train)[0]),
            "train_end": _iso(job.window.fit[-1]),
            "train_decisions_per_session": fold.fitting.decisions_per_session,
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
