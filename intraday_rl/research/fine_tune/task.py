"""Carry out `task=fine_tune`: check, tune, compare, decide, record. The alias moves near the end.

| killed | what is there | the same command |
|---|---|---|
| in training | a checkpoint | goes on from it |
| after `result.json` | challenger, ledgers | decides and records |
| after registration | the version, found by its key, pending: not yet `latest` | decides the
  same, moves the alias, marks the version |
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np

from intraday_rl.agents.bundle import load_bundle
from intraday_rl.errors import ModelError, TrainingStopped
from intraday_rl.events import tell
from intraday_rl.interruption import asked_to_stop, patiently
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.records import read_json, write_json, write_text
from intraday_rl.research.fine_tune.champion import champion_in_office, returns_of
from intraday_rl.research.fine_tune.checking import Checks
from intraday_rl.research.fine_tune.checks import Prepared, prepare
from intraday_rl.research.fine_tune.document import document
from intraday_rl.research.fine_tune.drift import Drift, write_drift_plot
from intraday_rl.research.fine_tune.gate import Decision, Reason, judge
from intraday_rl.research.fine_tune.job import Job, job_of
from intraday_rl.research.fine_tune.lineage import facts_of
from intraday_rl.research.fine_tune.recording import Recorded
from intraday_rl.research.fine_tune.result import carry_out
from intraday_rl.research.fine_tune.shown import print_fine_tune
from intraday_rl.research.lease import leased
from intraday_rl.tasks import FineTune

logger = logging.getLogger(__name__)


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=fine_tune`; everything is written below `paths.outputs/runs/<key>`."""
    options: FineTune = plan.task
    checks = Checks()
    prepared = prepare(plan, context, checks)
    for note in prepared.dataset.market.notes:
        logger.warning("data: %s", note)
    job = job_of(prepared, options, plan.paths.outputs)
    write_start(job, prepared, context)
    recorded = Recorded.start(plan, context, prepared, job)
    with recorded.closed_whatever_happens():
        result = result_of(
            job, prepared, options, force=plan.force, checkpoint_every=plan.checkpoints.every
        )
        decision = decide(plan, context, prepared, job, result)
        if result["drift"]:
            write_drift_plot([Drift(**one) for one in result["drift"]], job.run.path / "drift.png")
        registry = recorded.register(prepared, job, decision)
        content = document(prepared, job, options, checks, result, decision, registry)
        write_json(job.run.fine_tune, content)
        recorded.finish(job, result, content)
        moved = recorded.promote(registry, decision)
        recorded.close(content)
    print_fine_tune(job, content, moved)
    return Outcome(score=math.nan, code=0, run_key=job.run.key)


def write_start(job: Job, prepared: Prepared, context: Context) -> None:
    """What the run is, written before its training."""
    tell("run", run_key=job.run.key)
    job.run.path.mkdir(parents=True, exist_ok=True)
    write_text(job.run.plan, context.record.text)
    write_text(job.run.command, " ".join(context.command) + "\n")
    facts = facts_of(prepared, job.run.key)
    write_json(job.run.data, {**facts, "kind": "fine_tune", "fold_keys": {job.place: job.key}})


def result_of(
    job: Job,
    prepared: Prepared,
    options: FineTune,
    *,
    force: bool,
    checkpoint_every: int | None,
) -> dict[str, Any]:
    """The finished result, made now or before; raises `Interrupted` after a signal."""

    tell("fits", fits=[{"window": job.name, "seed": job.seed}])

    def report(done: int, total: int, score: float | None) -> None:
        done = min(done, total)
        tell("progress", window=job.name, seed=job.seed, done=done, total=total)
        if total and done * 10 // total != (done - 1) * 10 // total:
            logger.info("%s: %d of %d decisions", job.name, done, total)

    stopped = TrainingStopped("stopped while another process was at this fine-tune")
    with patiently(), leased(job.work, asked_to_stop) as held:
        known = None if force else _finished(job)
        if known is not None:
            logger.info("%s: finished before", job.name)
            tell("fold", window=job.name, seed=job.seed, status="finished")
            return known
        if held:
            try:
                result = carry_out(job, prepared, options, report, asked_to_stop, checkpoint_every)
                write_json(job.work.finished, {"folder": _from_work(job)})
                tell("fold", window=job.name, seed=job.seed, status="finished")
                return result
            except TrainingStopped as reason:
                stopped = reason
    raise stopped  # unless `patiently` has raised the signal itself


def decide(
    plan: Plan, context: Context, prepared: Prepared, job: Job, result: dict[str, Any]
) -> Decision:
    """The gate, from the recorded days of challenger and parent, and the champion's own."""
    options: FineTune = plan.task
    returns = {name: np.array(days) for name, days in result["daily_returns"].items()}
    opponents = {"parent": returns["parent"]}
    barred = Reason.abstained if prepared.parent.abstained else None
    try:
        champion = champion_in_office(plan, prepared, job.key)
        if champion is not None:
            opponents["champion"] = returns_of(champion, prepared, context)
    except ModelError as error:
        logger.warning("the champion cannot be compared: %s", error)
        barred = barred or Reason.champion_not_comparable
    return judge(
        returns["challenger"],
        opponents,
        barred=barred,
        trades=result["metrics"]["held_out"]["challenger"]["round_trips"],
        margin_bps_per_day=options.margin_bps_per_day,
        promote=options.promote,
        generator=job.generators()[1],
    )


def _finished(job: Job) -> dict[str, Any] | None:
    if not job.folder.result.is_file():
        return None
    try:
        result = read_json(job.folder.result)
        load_bundle(job.folder.bundle)
    except (ValueError, ModelError):
        return None
    return result if result.get("key") == job.key else None


def _from_work(job: Job) -> str:
    return str(Path("..") / ".." / job.folder.path.relative_to(job.run.path.parents[1]))
