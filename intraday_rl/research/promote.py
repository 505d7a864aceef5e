"""`task=promote`: move an alias to a version that may carry it, forward or back."""

from __future__ import annotations

import math
import sys
from pathlib import Path

from rich.console import Console

from intraday_rl.agents.bundle import load_bundle
from intraday_rl.errors import ConfigError, ModelError
from intraday_rl.model_choice import ChosenModel, choose_model
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.research.console import WIDTH_OF_A_FILE
from intraday_rl.tracking.parts import NoTracking
from intraday_rl.tracking.registry_file import read_registry
from intraday_rl.tracking.tracker import open_tracker


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=promote`; the same command twice changes nothing the second time."""
    task, outputs = plan.task, Path(plan.paths.outputs)
    if isinstance(plan.tracking, NoTracking):
        remedy = "registers nothing, so there is no alias to move; use the store of the models"
        raise ConfigError("tracking", "none", remedy)
    name, version, chosen = _promotable(plan)
    load_bundle(chosen.bundle)
    tracker = open_tracker(plan.tracking, outputs)
    change = tracker.set_alias(name, version, task.reason, alias=task.alias)
    console = _console()
    if change is None:
        line = f"{task.alias} of {name} is version {version} already: nothing was changed"
    else:
        moved = f"version {change.before or 'none'} -> {version}"
        line = f"{task.alias} of {name}: {moved} ({_what(chosen)})"
    console.print(line, highlight=False, soft_wrap=True)
    if change is not None and change.before is not None:
        back = f"task=promote task.model={name}:{change.before} task.alias={task.alias}"
        console.print(f"back with: {back}", highlight=False, soft_wrap=True)
    return Outcome(math.nan, 0)


def show(plan: Plan, context: Context) -> int:
    """The dry run: the change that would be made, from `registry.json` alone."""
    name, version, chosen = _promotable(plan)
    registry = read_registry(plan.tracking, Path(plan.paths.outputs), keep=False)
    before = registry.models[name].aliases.get(plan.task.alias)
    line = f"{plan.task.alias} of {name}: version {before or 'none'} -> {version} ({_what(chosen)})"
    if before == version:
        line = f"{plan.task.alias} of {name} is version {version} already"
    for text in (line, "dry run: nothing was changed"):
        _console().print(text, highlight=False, soft_wrap=True)
    return 0


def _what(chosen: ChosenModel) -> str:
    tags = chosen.tags
    return f"run {tags.get('run_key')}, {tags.get('kind')}, trained to {tags.get('train_end')}"


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_A_FILE)


def _promotable(plan: Plan) -> tuple[str, int, ChosenModel]:
    """What is registered for this symbol and did not abstain."""
    spec = plan.task.model
    chosen = choose_model(plan, spec, refuse_abstained=True)
    if chosen.name is None or chosen.version is None:
        raise ModelError(
            f"task.model={spec}: bundle {chosen.bundle} is not registered, so no alias can name "
            "it; run its task with tracking=mlflow and registry.register=true"
        )
    symbol = chosen.tags.get("symbol", "")
    if symbol != plan.symbol:
        raise ConfigError("symbol", plan.symbol, f"{chosen.name} trades {symbol}: symbol={symbol}")
    return chosen.name, chosen.version, chosen
