"""A dry run: the resolved windows with their coverage; trains nothing, writes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from intraday_rl.errors import IntradayRLError
from intraday_rl.loading import Resolved, resolve
from intraday_rl.market.windows import Span, Window
from intraday_rl.plan import Format, Plan

WIDTH_OF_A_FILE = 170  # columns, where no terminal sets them


def print_preview(jobs: Sequence[tuple[str, Plan]]) -> int:
    """Print what each (name, plan) would train and judge on, as tables or as one JSON document.

    A single job raises what is wrong with its data; of several the others are still shown, and
    the worst exit status is returned.
    """
    as_json = jobs[0][1].format is Format.json
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_A_FILE)
    documents: list[dict[str, Any]] = []
    status = 0
    for name, plan in jobs:
        document: dict[str, Any] = {"job": name} if len(jobs) > 1 else {}
        try:
            resolved = resolve(plan)
        except IntradayRLError as error:
            if len(jobs) == 1:
                raise
            sys.stderr.write(f"{name}: {error}\n")
            status = max(status, error.exit_code)
            documents.append({**document, "error": str(error)})
            continue
        document |= {"windows": resolved.describe(), "notes": list(resolved.notes)}
        documents.append(document)
        if not as_json:
            _print_table(console, name, plan, resolved)
    if as_json:
        shown = documents if len(jobs) > 1 else documents[0]
        sys.stdout.write(json.dumps(shown, indent=2, allow_nan=False) + "\n")
    else:
        console.print("dry run: nothing was trained, nothing was written", highlight=False)
    return status


def _print_table(console: Console, name: str, plan: Plan, resolved: Resolved) -> None:
    if name:
        console.print(name, style="bold", markup=False, highlight=False)
    console.print(_table(plan, resolved))
    for note in resolved.notes:
        console.print(note, style="yellow", markup=False, highlight=False)


def _table(plan: Plan, resolved: Resolved) -> Table:
    synthetic = " (synthetic)" if resolved.market.synthetic else ""
    table = Table(title=f"{plan.symbol}{synthetic}: resolved windows", title_justify="left")
    for name in ("window", "train", "fit to", "validation", "test", "missing bars", "open = close"):
        table.add_column(name)
    for window in resolved.windows:
        table.add_row(*_row(resolved, window))
    return table


def _row(resolved: Resolved, window: Window) -> list[str]:
    coverage = resolved.span_coverage(window).values()
    return [
        window.name + (" (clipped)" if window.clipped else ""),
        _span(window.train),
        window.fit[-1].isoformat(),
        _span(window.validation),
        _span(window.test) if window.test else "none",
        " / ".join(str(found.bars_missing) for found in coverage),
        " / ".join(f"{found.equal_open_share:.0%}" for found in coverage),
    ]


def _span(span: Span) -> str:
    return f"{span.start} – {span.end} ({span.count})"
