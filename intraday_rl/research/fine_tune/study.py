"""`task=fine_tune_study`: would regular fine-tuning have helped on days the model had never seen?

Before every week or month of the test span the model in office is tuned on the days before and
meets the gate, as the routine would have done it on that morning. One account is traded by
whoever was in office, another by the model as it was. Nothing after a morning is in any replay
memory, any gate or any choice of that morning.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intraday_rl.agents.policy import Policy
from intraday_rl.identity import code_hash, identity_of
from intraday_rl.market.coverage import coverage
from intraday_rl.model_choice import ChosenModel
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder, state_folder, write_json, write_text
from intraday_rl.research.fine_tune.checking import Checks
from intraday_rl.research.fine_tune.checks import (
    Prepared,
    choose_parent,
    fitting_market,
    open_stage,
)
from intraday_rl.research.fine_tune.document import decision_described
from intraday_rl.research.fine_tune.gate import Decision, judge
from intraday_rl.research.fine_tune.job import job_of, own_code_hash
from intraday_rl.research.fine_tune.lineage import facts_of, lineage_of
from intraday_rl.research.fine_tune.periods import periods_of, sessions_of
from intraday_rl.research.fine_tune.result import shown
from intraday_rl.research.fine_tune.spans import spans_of
from intraday_rl.research.fine_tune.study_plot import write_study_plot
from intraday_rl.research.fine_tune.study_record import print_study, record_study
from intraday_rl.research.fine_tune.task import result_of
from intraday_rl.research.fit import fold_generator
from intraday_rl.research.lockbox import Lockbox, Look
from intraday_rl.research.rollout import Walk, walk
from intraday_rl.stage import Stage
from intraday_rl.statistics.intervals import paired_interval
from intraday_rl.tasks import FineTune, FineTuneStudy, Promotion
from intraday_rl.trading.ledger import write_ledger
from intraday_rl.trained_model import TrainedModel, open_model

logger = logging.getLogger(__name__)

BPS = 1e4
TOO_EARLY = "too_early"  # the hold-out would have reached back into what the model had seen


@dataclass(frozen=True, slots=True)
class Round:
    """One morning: what was tried, and who trades `sessions` from then on."""

    sessions: tuple[date, ...]
    reason: str
    adapted: bool  # the model in office changed
    key: str | None
    place: str | None
    gate: dict[str, Any] | None
    parent: TrainedModel  # in office after the gate


class Shifts:
    """Whoever is in office trades: one policy a session, in order."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._policies = policies
        self._session = -1

    def predict(self, observation: NDArray[np.float32]) -> float:
        """Of the policy in office today."""
        return self._policies[self._session].predict(observation)

    def begin_session(self) -> None:
        """The next session's policy takes over, flat."""
        self._session += 1
        self._policies[self._session].begin_session()


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=fine_tune_study`; written below `paths.outputs/runs/<key>`."""
    task: FineTuneStudy = plan.task
    checks = Checks()
    parent = choose_parent(plan, context, task.model, checks)
    market = fitting_market(plan, parent, checks)
    stage = open_stage(plan, parent, market, checks)
    days = [day.date() for day in market.symbol.session_index()]
    tested = sessions_of(task, days, parent.last_seen)
    run_folder = RunFolder.of(plan.paths.outputs, study_key(task, parent, stage, tested))
    _count_look(plan, run_folder.key, stage, tested)
    rounds = _rounds(plan, context, parent, stage, days, tested, run_folder)
    walks = _walks(stage, parent, rounds, tested)
    run_folder.path.mkdir(parents=True, exist_ok=True)
    ledgers = [one.ledger(name, task.seed) for name, one in walks.items()]
    for name, ledger in zip(walks, ledgers, strict=True):
        write_ledger([ledger], run_folder.path / f"{name}.parquet")
    content = _content(task, parent, stage, rounds, walks, run_folder.key)
    write_text(run_folder.plan, context.record.text)
    write_text(run_folder.command, " ".join(context.command) + "\n")
    keys = {one.place: one.key for one in rounds if one.place}
    facts = {name: content[name] for name in ("run_key", "symbol", "agent", "reward")}
    write_json(run_folder.data, {**facts, "kind": "fine_tune_study", "fold_keys": keys})
    write_study_plot(content, run_folder.study.with_suffix(".png"))
    write_json(run_folder.study, content)
    record_study(plan, context, run_folder, content)
    print_study(run_folder, content)
    return Outcome(score=math.nan, code=0, run_key=run_folder.key)


def study_key(
    task: FineTuneStudy, parent: TrainedModel, stage: Stage, tested: Sequence[date]
) -> str:
    """The same model, days, options, bars and code are the same study."""
    options = {name: value for name, value in asdict(task).items() if name != "model"}
    market = stage.dataset.market
    return identity_of(
        {
            "task": "fine_tune_study",
            "parent": parent.content_hash(),
            "options": {**options, "cadence": task.cadence.value},
            "tested": [str(day) for day in tested],
            "bars": [one.fingerprint(tested[-1]) for one in (market.symbol, market.benchmark)],
            "code": [code_hash(), own_code_hash()],
        }
    )


def _rounds(
    plan: Plan,
    context: Context,
    parent: TrainedModel,
    stage: Stage,
    days: Sequence[date],
    tested: Sequence[date],
    run_folder: RunFolder,
) -> list[Round]:
    task: FineTuneStudy = plan.task
    shared = {entry.name for entry in fields(FineTune)} & {e.name for e in fields(FineTuneStudy)}
    options = FineTune(**{name: getattr(task, name) for name in shared})
    in_office, rounds = parent, []
    for period in periods_of(tested, task.cadence):
        known = [day for day in days if day < period[0]]
        spans = spans_of(
            known,
            days=task.days,
            sessions=task.sessions,
            holdout_sessions=task.holdout_sessions,
        )
        if str(spans.held_out[0]) <= in_office.last_seen:
            rounds.append(Round(period, TOO_EARLY, False, None, None, None, in_office))
            continue
        found = coverage(stage.dataset.market.symbol, spans.tuning[0], spans.held_out[-1])
        prepared = Prepared(in_office, stage.dataset.plan, stage, spans, found)
        job = replace(job_of(prepared, options, plan.paths.outputs), run=run_folder)
        result = result_of(
            job, prepared, options, force=plan.force, checkpoint_every=plan.checkpoints.every
        )
        decision = _decided(options, parent, result, job.generators()[1])
        logger.info("%s: %s", period[0], decision.reason.value)
        if decision.promoted:
            chosen = ChosenModel(job.folder.bundle, job.place, None, None, {})
            in_office = open_model(chosen, context.reload)
        rounds.append(
            Round(
                period,
                decision.reason.value,
                decision.promoted,
                job.key,
                job.place,
                decision_described(decision),
                in_office,
            )
        )
    return rounds


def _decided(
    options: FineTune, parent: TrainedModel, result: dict[str, Any], generator: np.random.Generator
) -> Decision:
    """The gate as on that morning. Abstention bars nobody here: the frozen model trades too."""
    returns = {name: np.array(daily) for name, daily in result["daily_returns"].items()}
    return judge(
        returns["challenger"],
        {"parent": returns["parent"]},
        barred=None,
        trades=result["metrics"]["held_out"]["challenger"]["round_trips"],
        margin_bps_per_day=options.margin_bps_per_day,
        promote=Promotion.gate,
        generator=generator,
    )


def _walks(
    stage: Stage, parent: TrainedModel, rounds: Sequence[Round], tested: Sequence[date]
) -> dict[str, Walk]:
    """Two accounts through the same sessions: the model as it was, and whoever was in office."""
    policies = [one.parent.bundle.policy for one in rounds for _ in one.sessions]
    problem = stage.problem(tested)
    return {
        "frozen": walk(problem, parent.bundle.policy),
        "adapted": walk(problem, Shifts(policies)),
    }


def _content(
    task: FineTuneStudy,
    parent: TrainedModel,
    stage: Stage,
    rounds: Sequence[Round],
    walks: dict[str, Walk],
    run_key: str,
) -> dict[str, Any]:
    bootstrap, metrics = fold_generator(task.seed, f"fine_tune_study {run_key}").spawn(2)
    daily = {name: one.daily_returns() for name, one in walks.items()}
    interval = paired_interval(daily["adapted"], daily["frozen"], bootstrap)
    tested = [day for one in rounds for day in one.sessions]
    spans = spans_of(tested, days=None, sessions=1, holdout_sessions=1)
    found = coverage(stage.dataset.market.symbol, tested[0], tested[-1])
    prepared = Prepared(parent, stage.dataset.plan, stage, spans, found)
    low, high = (None if one is None else one * BPS for one in (interval.low, interval.high))
    return {
        "schema_version": 1,
        **facts_of(prepared, run_key),
        "parent": lineage_of(prepared),
        "options": {**asdict(task), "cadence": task.cadence.value},
        "test": {
            "first_session": str(tested[0]),
            "last_session": str(tested[-1]),
            "sessions": len(tested),
        },
        "coverage": found.as_dict(),
        "finding": finding_of(low, high, adapted=any(one.adapted for one in rounds)),
        "difference": {
            "mean_bps": float((daily["adapted"] - daily["frozen"]).mean()) * BPS,
            "low_bps": low,
            "high_bps": high,
            "confidence": interval.confidence,
            "method": interval.method,
        },
        "metrics": {name: shown(one, metrics) for name, one in walks.items()},
        "rounds": [
            {
                "first_session": str(one.sessions[0]),
                "sessions": len(one.sessions),
                "reason": one.reason,
                "adapted": one.adapted,
                "place": one.place,
                "gate": one.gate,
            }
            for one in rounds
        ],
        "dates": [str(day) for day in tested],
        "daily_returns": {name: returns.tolist() for name, returns in daily.items()},
    }


def finding_of(low: float | None, high: float | None, *, adapted: bool) -> str:
    """What the interval of adapted minus frozen says."""
    if not adapted:
        return "never_adapted"
    if low is not None and low > 0.0:
        return "helped"
    return "hurt" if high is not None and high < 0.0 else "not_proven"


def _count_look(plan: Plan, key: str, stage: Stage, tested: Sequence[date]) -> None:
    """The days of a study have been looked at, like those of a walk-forward."""
    market = stage.dataset.market
    if market.synthetic:
        return
    Lockbox(state_folder(plan.paths.state)).record(
        Look(
            fold_key=key,
            symbol=plan.symbol,
            first_session=str(tested[0]),
            last_session=str(tested[-1]),
            bar_source=market.source,
            bar_minutes=market.symbol.bar_minutes,
            data_fingerprint=market.symbol.fingerprint(tested[-1]),
            world="fine_tune_study",
            trial=key,
            seed=plan.task.seed,
        )
    )
