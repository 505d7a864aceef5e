"""`task=status`: what is finished, running, failed or left behind, why, and what it weighs."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Format, Plan
from intraday_rl.research.console import WIDTH_OF_A_FILE
from intraday_rl.research.housekeeping.survey import RunState, State, content, size_of, survey

PLACES = ("runs", "folds", "cache", "sweeps", "searches", "artifacts", "mlflow.db")


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=status`; reads only, and works while others write."""
    outputs = Path(plan.paths.outputs)
    runs = survey(outputs)
    sizes = {name: size_of(outputs / name) for name in PLACES if (outputs / name).exists()}
    if plan.format is Format.json:
        sys.stdout.write(json.dumps(content(runs, sizes), indent=2) + "\n")
    else:
        _print(outputs, runs, sizes)
    return Outcome(math.nan, 0)


def _print(outputs: Path, runs: list[RunState], sizes: dict[str, int]) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_A_FILE)
    if not runs:
        console.print(f"{outputs}: no runs yet", highlight=False, soft_wrap=True)
        return
    table = Table(title=str(outputs), title_justify="left")
    for name in ("run", "what", "state", "folds finished", "MB"):
        table.add_column(name, justify="right" if name == "MB" else "left")
    for run in runs:
        done = f"{run.count(State.finished)} of {len(run.folds)}"
        table.add_row(run.folder.key, run.title, run.state.value, done, megabytes(run.bytes))
    console.print(table)
    for run in runs:
        for fold in run.folds:
            if fold.reason:
                line = f"{run.folder.key} {fold.place}: {fold.state.value}, {fold.reason}"
                console.print(line, highlight=False, soft_wrap=True)
    weights = ", ".join(f"{name} {megabytes(size)}" for name, size in sizes.items())
    console.print(f"MB: {weights}", highlight=False, soft_wrap=True)
    unfinished = [run for run in runs if run.state not in (State.finished, State.running)]
    if unfinished:
        console.print("type the command in a run's command.txt again to finish it", highlight=False)


def megabytes(size: int) -> str:
    """Bytes as millions of them."""
    return f"{size / 1e6:.1f}"
