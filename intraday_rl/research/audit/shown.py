"""An audit on the terminal: what was compared, and the first thing that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from intraday_rl.research.audit.findings import CHANGED, CHECK, FOLLOWS

TITLES = {"stages": "stage", "probes": "must-change probe", "checks": "check"}
SHOWN_FINDINGS = 12


def print_audit(content: dict[str, Any], place: Path) -> None:
    """Counts per stage, probe and check, then the findings in the order of the pipeline."""
    console = Console()
    table = Table(title=f"look-ahead audit of {content['run_key']}: {content['verdict']}")
    table.add_column("what")
    table.add_column("name")
    table.add_column("compared", justify="right")
    table.add_column("wrong", justify="right")
    for group, title in TITLES.items():
        for name, books in content[group].items():
            table.add_row(title, name, f"{books['asked']:,}", str(books["wrong"]))
        table.add_section()
    console.print(table)
    console.print(
        f"{len(content['times'])} times, {len(content['players'])} policies: "
        f"{', '.join(content['players'])}",
        highlight=False,
    )
    if content["code_hash_of_run"] != [content["code_hash"]]:
        console.print("the code has changed since the run; its ledgers decide whether it matters")
    origins = [one for one in content["findings"] if one["proof"] != FOLLOWS]
    for finding in origins[:SHOWN_FINDINGS]:
        console.print(line_of(finding), highlight=False, soft_wrap=True)
    hidden = len(content["findings"]) - len(origins[:SHOWN_FINDINGS])
    if hidden > 0:
        console.print(f"... and {hidden} more in the file, some of which may follow from these")
    console.print(f"all of it: {place / 'audit.json'}", highlight=False, soft_wrap=True)


def line_of(finding: dict[str, Any]) -> str:
    """One finding in one line: stage, name, place, both values, and how often it was met."""
    if finding["proof"] == CHECK:
        said = f"{finding['name']}: {finding['said']}"
    elif finding["proof"] in (CHANGED, FOLLOWS):
        said = (
            f"{finding['stage']}, {finding['name']}: {finding['said']}: "
            f"{finding['before']} became {finding['after']}"
        )
    else:
        said = (
            f"{finding['stage']}, {finding['name']} of {finding['time']}: {finding['said']}: "
            f"it is still {finding['before']}"
        )
    return f"{said} ({finding['where']}; {finding['count']} times)"
