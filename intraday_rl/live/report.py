"""A session on one page: what it earned, what it cost, how it got flat."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from intraday_rl.market.calendar import NEW_YORK

_HERE = Path(__file__).parent
_WIDTH, _HEIGHT = 640, 160


def render(content: Mapping[str, Any], ledger: pd.DataFrame | None) -> str:
    """The page; every value is escaped, and nothing is fetched when it is opened."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["new_york"] = new_york
    template = environment.get_template("session.html.j2")
    rows = [] if ledger is None else _rows(ledger)
    return template.render(
        session=content, rows=rows, curve=_curve(ledger), width=_WIDTH, height=_HEIGHT
    )


def new_york(time: str | None) -> str:
    """A UTC stamp as the exchange's wall clock shows it."""
    if time is None:
        return "–"
    return f"{pd.Timestamp(time).tz_convert(NEW_YORK):%H:%M:%S}"


def _rows(ledger: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows that traded, and the exit."""
    traded = ledger[(ledger["shares_traded"] != 0.0) | ledger["forced_exit"]]
    return [
        {
            "time": str(row["bar_end"]),
            "traded": row["shares_traded"],
            "after": row["shares_after"],
            "price": row["price"],
            "fill_price": row["fill_price"],
            "slippage": row["slippage"],
            "other": row["commission"] + row["fees"] + row["impact"] + row["financing"],
            "reason": row["exit_reason"] if row["forced_exit"] else "decision",
        }
        for row in traded.to_dict("records")
    ]


def _curve(ledger: pd.DataFrame | None) -> dict[str, Any] | None:
    """The equity as points of a line in the picture's own units."""
    if ledger is None or len(ledger) < 2:
        return None
    equity = [float(ledger["equity_before"].iloc[0]), *map(float, ledger["equity_after"])]
    low, high = min(equity), max(equity)
    spread = (high - low) or 1.0
    points = [
        (
            round(_WIDTH * place / (len(equity) - 1), 1),
            round(_HEIGHT * (1.0 - (value - low) / spread), 1),
        )
        for place, value in enumerate(equity)
    ]
    return {"points": " ".join(f"{x},{y}" for x, y in points), "low": low, "high": high}
