"""`task=verdict`: judge everything that was tried, world by world, and say it plainly."""

from __future__ import annotations

import logging
import math
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from intraday_rl.errors import FoldFailed
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.records import write_json, write_text
from intraday_rl.research.console import WIDTH_OF_A_FILE
from intraday_rl.research.lockbox import Lockbox, Looks
from intraday_rl.research.looks import lockbox_of
from intraday_rl.research.report.numbers import count, number, percent, sharpe_with_interval
from intraday_rl.research.sweep import names, words
from intraday_rl.research.sweep.jobs import JobStatus
from intraday_rl.research.sweep.judging import Judged, judge
from intraday_rl.research.sweep.page import sweep_page
from intraday_rl.research.sweep.ranking import sharpe_of
from intraday_rl.research.sweep.record import record
from intraday_rl.research.sweep.sources import Family, gather
from intraday_rl.research.sweep.trials import World, worlds_of

logger = logging.getLogger(__name__)


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=verdict`: `verdict.json` and `report.html` in the sweep's folder."""
    family = gather(plan.task, plan.paths.outputs)
    judged = judge_family(family, lockbox_of(plan))
    content = verdict_content(family, judged)
    write_json(family.folder / "verdict.json", content)
    write_text(family.folder / "report.html", sweep_page(family, content, judged))
    show = record(plan, family, content, judged)
    print_verdict(family, content, show)
    return Outcome(score=math.nan, code=0)


def judge_family(family: Family, lockbox: Lockbox) -> list[Judged]:
    """Every world of the family, judged."""
    worlds = worlds_of(family.jobs)
    if not worlds:
        raise FoldFailed(f"{family.name}: none of its {len(family.jobs)} jobs left a run to judge")
    world_names = names.labels([_world_settings(world) for world in worlds], alone="")
    judged = []
    for world, label in zip(worlds, world_names, strict=True):
        trials = [trial.settings for trial in world.trials]
        first = world.trials[0].kinds
        alone = f"agent={first['agent']} reward={first['reward']}"
        looks = _looks(world, lockbox)
        title = f"{world.declared['symbol']}: {label}" if label else _title(world)
        judged.append(judge(world, names.labels(trials, alone), title, looks))
    return judged


def verdict_content(family: Family, judged: list[Judged]) -> dict[str, Any]:
    """Content of the sweep's `verdict.json`."""
    worlds = [world.content for world in judged]
    statuses = [job.status for job in family.jobs]
    return {
        "schema_version": 1,
        "name": family.name,
        "sweeps": list(family.sweeps),
        "runs": [job.run.key for job in family.jobs if job.run is not None],
        "jobs": {status.value: statuses.count(status) for status in JobStatus},
        "headline": words.headline(worlds),
        "paragraphs": [words.paragraph(world) for world in worlds],
        "not_finished": [
            {"job": job.name, "status": job.status.value,
             "run": None if job.run is None else job.run.key}
            for job in family.jobs if job.status is not JobStatus.finished
        ],
        "worlds": worlds,
    }  # fmt: skip


def print_verdict(family: Family, content: dict[str, Any], show: str) -> None:
    """The ranking of each world and its paragraph on the terminal."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_A_FILE)
    for world, text in zip(content["worlds"], content["paragraphs"], strict=True):
        console.print(_table(world))
        console.print(text, highlight=False)
        for line in words.caveats(world):
            console.print(line, style="yellow", highlight=False)
    console.print(content["headline"], style="bold", highlight=False)
    console.print(f"report: {family.folder / 'report.html'}", highlight=False, soft_wrap=True)
    if show:
        console.print(f"compare runs: {show}", highlight=False, soft_wrap=True)


def _table(world: dict[str, Any]) -> Table:
    table = Table(title=f"{world['label']}: ranked by validation", title_justify="left")
    for name in ("configuration", "validation", "test Sharpe [95 %]", "if traded", "return",
                 "max DD", "seeds", "status"):  # fmt: skip
        table.add_column(name, justify="left" if name in ("configuration", "status") else "right")
    for row in world["ranking"]:
        table.add_row(
            row["name"],
            number(row["validation_score"]),
            sharpe_with_interval(sharpe_of(row, "test")),
            sharpe_with_interval(sharpe_of(row, "raw")),
            percent(row["test_total_return"]),
            percent(row["test_max_drawdown"]),
            count(len(row["seeds"])),
            row["status"],
        )
    table.add_section()
    for who in ("chosen", "hold"):
        if world.get(who) is not None:
            table.add_row(
                "chosen by earlier validation" if who == "chosen" else "hold, open to cutoff",
                "",
                sharpe_with_interval(world[who]),
                number(world[who].get("if_traded", {}).get("sharpe")),
                percent(world[who]["total_return"]),
                percent(world[who]["max_drawdown"]),
                "",
                "",
            )
    return table


def _world_settings(world: World) -> dict[str, Any]:
    return {
        **world.declared,
        "test": f"{world.tests[0][1]} to {world.tests[-1][2]}, {len(world.tests)} windows",
    }


def _title(world: World) -> str:
    return f"{world.declared['symbol']}, tests {world.tests[0][1]} to {world.tests[-1][2]}"


def _looks(world: World, lockbox: Lockbox) -> dict[str, Looks]:
    if world.facts["synthetic"]:
        return {}
    symbol = world.declared["symbol"]
    return {name: lockbox.looks(symbol, first, last) for name, first, last in world.tests}
