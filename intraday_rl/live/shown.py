"""What a replay or a session prints, and a ledger beside another to the last bit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from intraday_rl.plan import Format, Plan


def difference(played: pd.DataFrame, backtest: pd.DataFrame) -> list[str]:
    """Where two ledgers of one session differ, to the last bit: one line for each column."""
    if len(played) != len(backtest):
        return [f"{len(played)} rows, the backtest has {len(backtest)}"]
    lines = []
    one, other = played.reset_index(drop=True), backtest.reset_index(drop=True)
    for name in one.columns:
        same = (one[name] == other[name]) | (one[name].isna() & other[name].isna())
        if not same.all():
            row = int((~same).to_numpy().argmax())
            lines.append(
                f"{name}: {one[name][row]} at {one['bar_end'][row]}, not {other[name][row]}"
            )
    return lines


def show(plan: Plan, content: dict[str, Any], folder: Path) -> None:
    """The result on the terminal."""
    if plan.format is Format.json:
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        return
    console = Console() if sys.stdout.isatty() else Console(width=170)

    def say(line: str, style: str | None = None) -> None:
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    leave = content["exit"]
    flat = pd.Timestamp(leave["filled_at"] or leave["due"]).tz_convert("America/New_York")
    say(
        f"{content['day']}: {content['net_return_bps']:+.2f} bps after costs of "
        f"{sum(content['costs_usd'].values()):.2f} USD, {content['orders']['sent']} orders, flat "
        f"at {flat:%H:%M} New York ({leave['reason']})"
    )
    skipped = ", ".join(f"{count} {reason}" for reason, count in content["skipped"].items())
    if skipped:
        say(f"bars without a decision: {skipped}", "yellow")
    for text in (*content["alarms"], *content["findings"]):
        say(text, "yellow")
    if content["in_sample"]:
        say("in sample: the model was trained or chosen on this day; nothing is proven", "yellow")
    if content["abstained"]:
        say("this model abstained: it may not trade for real", "yellow")
    if content["feed"] != "replay":
        say("compared with no backtest: it is what it was filled at")
    elif not content["compared_with_backtest"]:
        say("no backtest of this model holds the day: nothing to compare with")
    elif content["differences"]:
        say("differs from the backtest:", "red")
        for line in content["differences"]:
            say(f"  {line}")
    else:
        say("the backtest's ledger of this day, to the last bit")
    say(str(folder))
