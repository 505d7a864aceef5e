"""What a fine-tune says on the terminal."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from intraday_rl.research.fine_tune.job import Job

WIDTH_OF_A_FILE = 140  # columns, where no terminal sets them
MOST_DRIFTED = 3
REASONS = {
    "abstained": "the model it came from abstained; nothing tuned from it may trade",
    "champion_not_comparable": "the champion sees other columns or trades under other costs",
    "insufficient_evidence": "fewer than 20 held-out sessions prove nothing",
    "does_not_trade": "it does not trade",
    "inferior": "it is worse, by more than the margin",
    "not_proven": "that it is worse by more than the margin cannot be excluded",
    "promote_never": "it would have passed, but task.promote=never",
    "promote_always": "task.promote=always, whatever the gate found",
    "not_inferior": "not worse by more than the margin, and it trades",
}


def print_fine_tune(job: Job, content: dict[str, Any], moved: bool) -> None:
    """The two policies side by side, the gate, and where everything lies."""
    console = console_of()
    console.print(_side_by_side(content))
    gate, registry = content["gate"], content["registry"]
    for one in gate["comparisons"]:
        console.print(compared(one, gate["margin_bps_per_day"]), highlight=False)
    drifted = sorted(content["drift"] or [], key=lambda one: -one["psi"])[:MOST_DRIFTED]
    if drifted:
        named = ", ".join(f"{one['name']} {one['psi']:.2f}" for one in drifted)
        console.print(f"largest drift (PSI): {named}", highlight=False)
    version = f", version {registry['version']} of {registry['name']}" if registry["name"] else ""
    console.print(f"{content['outcome']}: {_why(gate, registry)}{version}", highlight=False)
    if registry["alias_moved"] and not moved:
        console.print("it is champion already", highlight=False)
    console.print(f"bundle {job.folder.bundle}", soft_wrap=True, highlight=False)


def compared(one: dict[str, Any], margin: float) -> str:
    """One comparison of the gate in a line."""
    bounds = "no interval"
    if one["low_bps"] is not None:
        bounds = f"90 % interval {one['low_bps']:+.1f} to {one['high_bps']:+.1f}"
    return (
        f"challenger - {one['opponent']}: {one['mean_bps']:+.1f} bps a day, {bounds}, over "
        f"{one['sessions']} sessions; margin -{margin:g}"
    )


def console_of() -> Console:
    """As wide as the terminal, or as a file may be."""
    return Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_A_FILE)


def _why(gate: dict[str, Any], registry: dict[str, Any]) -> str:
    why = REASONS[gate["reason"]]
    if gate["promoted"] and registry["not_registered"]:
        return f"nothing is registered ({registry['not_registered']}); the gate says: {why}"
    return why


def _side_by_side(content: dict[str, Any]) -> Table:
    span = content["held_out"]
    title = f"held-out {span['first_session']} to {span['last_session']}"
    table = Table(title=title, title_justify="left")
    for name in ("", "sessions", "bps a day", "Sharpe", "round trips", "costs USD", "cost bp"):
        table.add_column(name)
    for policy, numbers in content["metrics"]["held_out"].items():
        turnover = numbers["cost_bps_of_turnover"]
        table.add_row(
            policy,
            str(numbers["sessions"]),
            f"{numbers['mean_daily_bps']:+.1f}",
            "none" if numbers["sharpe"] is None else f"{numbers['sharpe']:.2f}",
            str(numbers["round_trips"]),
            f"{numbers['costs_usd']:.0f}",
            "none" if turnover is None else f"{turnover:.1f}",
        )
    return table
