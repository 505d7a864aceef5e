"""Tune, walk both policies side by side, and write the seed's folder; `result.json` last."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from intraday_rl.agents.bundle import save_bundle
from intraday_rl.agents.card import Card
from intraday_rl.errors import TrainingStopped
from intraday_rl.identity import code_hash
from intraday_rl.records import git_revision, write_json, write_text
from intraday_rl.research.checkpoints import Checkpoints
from intraday_rl.research.evaluation import evaluate, exit_lines
from intraday_rl.research.fine_tune.checks import Prepared
from intraday_rl.research.fine_tune.drift import drift_of
from intraday_rl.research.fine_tune.job import Job
from intraday_rl.research.fine_tune.tuning import Tuned, tune
from intraday_rl.research.fit import Conduct, Progress
from intraday_rl.research.rollout import Walk, walk
from intraday_rl.tasks import FineTune
from intraday_rl.trading.ledger import write_ledger

SHOWN = (
    "sessions",
    "sharpe",
    "sharpe_low",
    "sharpe_high",
    "total_return",
    "mean_daily_bps",
    "max_drawdown",
    "ruined",
)


def carry_out(
    job: Job,
    prepared: Prepared,
    options: FineTune,
    report: Progress,
    stop: Callable[[], bool],
    checkpoint_every: int | None,
) -> dict[str, Any]:
    """Do the work and return the content of `result.json`; the caller holds the lease."""
    folder, checkpoints = job.folder, Checkpoints(job.work.checkpoints)
    shutil.rmtree(folder.path, ignore_errors=True)
    folder.path.mkdir(parents=True)
    training, _, metrics = job.generators()
    conduct = Conduct(report, stop, checkpoints, checkpoint_every)
    stage, spans = prepared.stage, prepared.spans
    try:
        tuned = tune(
            prepared.parent, stage, spans.tuning, options, training, folder.path, conduct, job.name
        )
    except TrainingStopped:
        raise
    except Exception:
        write_text(folder.error, traceback.format_exc())
        raise
    write_ledger([tuned.refill], folder.refill_ledger)
    policies = {"parent": prepared.parent.bundle.policy, "challenger": tuned.policy}
    held_out = {name: walk(stage.problem(spans.held_out), one) for name, one in policies.items()}
    on_tuning = {name: walk(stage.problem(spans.tuning), one) for name, one in policies.items()}
    _write_walks(job, held_out)
    _save(job, prepared, tuned)
    drift = drift_of(
        prepared.dataset,
        prepared.parent.fact("train_start"),
        prepared.parent.fitted_end,
        (*spans.tuning, *spans.held_out),
    )
    result: dict[str, Any] = {
        "key": job.key,
        "status": "finished",
        "window": job.name,
        "seed": job.seed,
        "training": {
            "decisions_before": tuned.decisions[0],
            "decisions_after": tuned.decisions[1],
            "updates_before": tuned.updates[0],
            "updates_after": tuned.updates[1],
            "refilled": int((~tuned.refill["forced_exit"]).sum()),
            "learning_rate": tuned.learning_rate,
            "learning_rate_schedule": "constant",
        },
        "curve": [list(point) for point in tuned.curve],
        "metrics": {
            "held_out": {name: shown(one, metrics) for name, one in held_out.items()},
            "tuning": {name: shown(one, metrics) for name, one in on_tuning.items()},
        },
        "sessions": [str(day) for day in spans.held_out],
        "daily_returns": {name: one.daily_returns().tolist() for name, one in held_out.items()},
        "drift": [asdict(one) for one in drift],
    }
    write_json(folder.result, result)
    checkpoints.clear()
    return result


def shown(one: Walk, generator: np.random.Generator) -> dict[str, Any]:
    """The numbers of a walk that a reader compares."""
    found = evaluate(one, one.ledger("", 0), generator)
    return {
        **{name: found[name] for name in SHOWN},
        "round_trips": found["trades"]["round_trips"],
        "costs_usd": found["costs"]["total"],
        "cost_bps_of_turnover": found["costs"]["bps_of_turnover"],
    }


def ledger_of(one: Walk, job: Job) -> pd.DataFrame:
    """The ledger under the job's name and seed."""
    return one.ledger(job.name, job.seed)


def _write_walks(job: Job, held_out: dict[str, Walk]) -> None:
    ledger = ledger_of(held_out["challenger"], job)
    write_ledger([ledger], job.folder.ledger)
    write_ledger([ledger_of(held_out["parent"], job)], job.folder.parent_ledger)
    write_text(job.folder.evaluation_log, "\n".join(exit_lines(ledger)) + "\n")


def _save(job: Job, prepared: Prepared, tuned: Tuned) -> Path:
    """The challenger's bundle: schema, scaler and moments are its parent's, and so is the plan."""
    bundle, spans = prepared.parent.bundle, prepared.spans
    last = spans.tuning[-1].isoformat()
    facts = {
        **bundle.card.facts,
        "fold_key": job.key,
        "validation_score": None,
        "checkpoint_step": tuned.decisions[1],
        # The scaler's sessions stay those of the first training, and drift is measured from them.
        "fitted_end": prepared.parent.fitted_end,
        "train_end": last,
        "validation_end": last,
        "tuned_from": spans.tuning[0].isoformat(),
        "parent_hash": prepared.parent.content_hash(),
    }
    chosen = prepared.parent.chosen
    registered = f"{chosen.name} version {chosen.version}" if chosen.name else None
    card = Card(
        agent=bundle.card.agent,
        fold=job.name,
        seed=job.seed,
        a0=bundle.card.a0,
        b0=bundle.card.b0,
        data_fingerprint=prepared.dataset.market.symbol.fingerprint(spans.tuning[-1]),
        code_hash=code_hash(),
        git_revision=git_revision(),
        parent=registered or str(bundle.card.facts.get("fold_key", bundle.folder)),
        facts=facts,
    )
    return save_bundle(
        job.folder.bundle, tuned.state, bundle.schema, bundle.scaler, bundle.plan_yaml, card
    )
