"""A dry run: the resolved windows with their coverage; trains nothing, writes nothing."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.table import Table

from intraday_rl.loading import Resolved, resolve
from intraday_rl.market.windows import Span, Window
from intraday_rl.plan import Format, Plan

WIDTH_OF_A_FILE = 150  # columns, where no terminal sets them


def print_preview(plan: Plan) -> None:
    """Print what the plan would train and judge on, as a table or as JSON."""
    resolved = resolve(plan)
    if plan.format is Format.json:
        content = {"windows": resolved.describe(), "notes": list(resolved.notes)}
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        return
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_A_FILE)
    console.print(_table(plan, resolved))
    for note in resolved.notes:
        console.print(note, style="yellow", highlight=False)
    console.print("dry run: nothing was trained, nothing was written", highlight=False)


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
