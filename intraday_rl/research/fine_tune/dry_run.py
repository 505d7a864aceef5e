"""`dry_run=true` of a fine-tune: what it would do, every check by name; nothing is written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from intraday_rl.errors import IntradayRLError
from intraday_rl.outcome import Context
from intraday_rl.plan import Format, Plan
from intraday_rl.research.fine_tune.checking import Checks
from intraday_rl.research.fine_tune.checks import (
    Prepared,
    choose_parent,
    fitting_market,
    open_stage,
    other_synthetic_bars,
    prepare,
)
from intraday_rl.research.fine_tune.lineage import lineage_of, spans_described
from intraday_rl.research.fine_tune.periods import periods_of, sessions_of
from intraday_rl.research.fine_tune.shown import console_of
from intraday_rl.research.fine_tune.tuning import decisions_of
from intraday_rl.tasks import FineTune, FineTuneStudy


def show(plan: Plan, context: Context) -> int:
    """Print it; the exit status is that of the first failed check, 0 if all passed."""
    return _show(plan, lambda checks: _planned(prepare(plan, context, checks), plan.task))


def show_study(plan: Plan, context: Context) -> int:
    """The same of a study: its periods in place of the sessions of one fine-tune."""
    return _show(plan, lambda checks: _planned_study(plan, context, checks))


def _show(plan: Plan, planned: Callable[[Checks], dict[str, Any]]) -> int:
    checks = Checks(lenient=True)
    content: dict[str, Any] = {}
    try:
        content = planned(checks)
    except IntradayRLError as error:
        if error not in checks.errors:
            raise
    content["checks"] = [asdict(check) for check in checks.done]
    if plan.format is Format.json:
        sys.stdout.write(json.dumps(content, indent=2, allow_nan=False) + "\n")
    else:
        _print(content)
    return checks.errors[0].exit_code if checks.errors else 0


def _planned(prepared: Prepared, options: FineTune) -> dict[str, Any]:
    differing = other_synthetic_bars(prepared.plan, prepared.parent.plan)
    agent, spans = prepared.parent.agent, spans_described(prepared)
    steps = decisions_of(options, agent.n_envs)
    return {
        "model": str(prepared.parent.bundle.folder),
        "parent": lineage_of(prepared),
        **spans,
        "coverage": prepared.coverage.as_dict(),
        "planned": {
            "refilled_decisions": spans["tuning"]["decisions"],
            "training_decisions": steps,
            "updates": round(steps * agent.updates_per_decision),
            "learning_rate": options.learning_rate or agent.learning_rate,
            "learning_rate_schedule": "constant",
            "held_out_days": [str(day) for day in prepared.spans.held_out],
        },
        "notes": [f"Not the bars that the model was trained on: {differing}"] if differing else [],
    }


def _planned_study(plan: Plan, context: Context, checks: Checks) -> dict[str, Any]:
    task: FineTuneStudy = plan.task
    parent = choose_parent(plan, context, task.model, checks)
    market = fitting_market(plan, parent, checks)
    open_stage(plan, parent, market, checks)
    days = [day.date() for day in market.symbol.session_index()]
    tested = checks.need(
        "test span",
        lambda: sessions_of(task, days, parent.last_seen),
        lambda found: f"{len(found)} sessions, new to the model",
    )
    periods = periods_of(tested, task.cadence)
    return {
        "model": str(parent.bundle.folder),
        "study": {
            "first_session": str(tested[0]),
            "last_session": str(tested[-1]),
            "sessions": len(tested),
            "cadence": task.cadence.value,
            "fine_tunes_at_most": len(periods),
            "training_decisions_at_most": len(periods) * task.timesteps,
        },
    }


def _print(content: dict[str, Any]) -> None:
    console = console_of()

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False, highlight=False)

    if "planned" in content:
        parent, planned, found = content["parent"], content["planned"], content["coverage"]
        version = (
            f"version {parent['version']} of {parent['name']}" if parent["name"] else "no version"
        )
        say(f"model: {content['model']} ({version})")
        tuned = f", tuned from {parent['tuned_from']}" if parent["tuned_from"] else ""
        origin = f"fold {parent['fold']}, seed {parent['seed']}{tuned}"
        say(f"lineage: {origin}; has seen days to {parent['last_seen']}")
        for name in ("tuning", "held_out"):
            span = content[name]
            say(
                f"{name.replace('_', ' ')}: {span['first_session']} to {span['last_session']}, "
                f"{span['sessions']} sessions, {span['decisions']} decisions"
            )
        say(
            f"coverage: {found['sessions_found']} of {found['sessions_expected']} sessions, "
            f"{found['bars_missing']} bars missing"
        )
        say(
            f"planned: {planned['refilled_decisions']} decisions refill the replay memory, then "
            f"{planned['training_decisions']} decisions with {planned['updates']} updates, "
            f"learning rate {planned['learning_rate']:g}, constant"
        )
        say(f"held-out days: {', '.join(planned['held_out_days'])}")
    if "study" in content:
        one = content["study"]
        say(f"model: {content['model']}")
        say(
            f"test span: {one['first_session']} to {one['last_session']}, {one['sessions']} "
            f"sessions; {one['cadence']}, at most {one['fine_tunes_at_most']} fine-tunes with "
            f"{one['training_decisions_at_most']} decisions in all"
        )
    for check in content["checks"]:
        say(f"  {'passed' if check['passed'] else 'FAILED'}  {check['name']}: {check['detail']}")
    say("dry run: nothing was trained, nothing was written")
