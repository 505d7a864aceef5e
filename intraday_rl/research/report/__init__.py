"""`report.html`: the run for a reader who will not open MLflow; one file, no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from intraday_rl.records import RunFolder, write_text
from intraday_rl.research.console import caveats
from intraday_rl.research.fold_summary import FoldSummary
from intraday_rl.research.report import (
    behaviour,
    calendar_sections,
    curves,
    facts,
    learning,
    tables,
    words,
)
from intraday_rl.research.report.evidence import Whole, gather, merge_by_time, stitched
from intraday_rl.research.report.page import render
from intraday_rl.saved_plan import SavedPlan

__all__ = ["write_report"]


def write_report(
    folder: RunFolder, record: SavedPlan, folds: list[FoldSummary], verdict: dict[str, Any]
) -> Path:
    """Write `report.html` into the run's folder; returns its path.

    Reads, besides the arguments: `result.json`, the validation ledger and the fold's ledger of
    every finished seed, and `command.txt`. Randomness: the summary's own seed, so the same run
    gives the same report.
    """
    evidence = gather(folder, folds)
    by_time = merge_by_time(evidence)
    whole = stitched(verdict)
    trained = learning.learning(evidence)
    page = {
        "title": f"{verdict['symbol']}: {verdict['agent']}, {verdict['reward']}",
        "tested": words.describe_windows(evidence),
        "headline": words.headline(verdict),
        "verdict": verdict["verdict"],
        "caveats": caveats(verdict),
        "cards": words.key_numbers(verdict, whole),
        "sureness": words.sureness(verdict),
        "meanings": {found.value: text for found, text in words.MEANINGS.items()},
        "assumptions": words.assumptions(verdict, record),
        "notes": verdict["data_notes"],
        "command": folder.command.read_text(encoding="utf-8").strip(),
        "plan": record.text,
        "equity": curves.equity(evidence),
        "drawdown": curves.drawdown(evidence),
        "results": tables.results(evidence, verdict, whole),
        "windows": tables.windows(evidence),
        "seeds": tables.seeds(evidence, abstain=record.values["selection"]["abstain"]),
        "baselines": tables.baselines(evidence),
        "calendar": _calendar(verdict, whole),
        "cost_plot": behaviour.cost_waterfall(evidence) if by_time is not None else None,
        "costs": facts.costs(evidence),
        "exits": facts.exits(evidence),
        "behaviour": []
        if by_time is None
        else [
            behaviour.action_histogram(evidence),
            behaviour.actions_by_time(by_time),
            behaviour.target_by_time(by_time),
        ],
        "times": None if by_time is None else facts.times(by_time),
        "learning": trained,
        "coverage": facts.coverage(evidence),
        "settings": facts.cost_settings(folds[0].content),
        "identity": facts.identity(verdict),
    }
    write_text(folder.report, render(page))
    return folder.report


def _calendar(verdict: dict[str, Any], whole: Whole | None) -> list[tables.Table]:
    return (
        []
        if whole is None
        else [calendar_sections.monthly(verdict), calendar_sections.weekday(verdict)]
    )
