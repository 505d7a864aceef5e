"""From a plan to bars and windows: what a dry run needs, without numba, torch or mlflow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from intraday_rl.errors import ConfigError
from intraday_rl.market.coverage import Coverage, coverage
from intraday_rl.market.sources import MarketData, StoreData, load
from intraday_rl.market.windows import (
    Window,
    describe,
    final_fit_window,
    resolve_with_notes,
)
from intraday_rl.plan import Plan
from intraday_rl.records import state_folder
from intraday_rl.tasks import FinalFit, parse_day

# Above this share of bars that open at the previous close, the bars were built from closes.
EQUAL_OPEN_LIMIT = 0.90


@dataclass(frozen=True, slots=True)
class Resolved:
    """Bars and folds of a plan, with everything that should be said about them."""

    market: MarketData
    windows: list[Window]
    notes: tuple[str, ...]

    def span_coverage(self, window: Window) -> dict[str, Coverage]:
        """Coverage of the declared train (validation included), validation and test spans."""
        spans = {"train": window.train, "validation": window.validation, "test": window.test}
        return {
            name: coverage(self.market.symbol, span.start, span.end)
            for name, span in spans.items()
            if span is not None
        }

    def describe(self) -> list[dict[str, Any]]:
        """Every window as plain JSON values, coverage included."""
        return [
            {
                **describe(window),
                "coverage": {k: v.as_dict() for k, v in self.span_coverage(window).items()},
            }
            for window in self.windows
        ]

    def built_from_closes(self, window: Window) -> list[str]:
        """Names of the spans whose bars open at the previous close, so that the next open is no
        later price than the close just seen."""
        return [
            name
            for name, found in self.span_coverage(window).items()
            if found.equal_open_share > EQUAL_OPEN_LIMIT
        ]


def load_market(plan: Plan) -> MarketData:
    """Bars of symbol and benchmark; refuses bars whose splits a per-share cost would need."""
    data = plan.data
    if isinstance(data, StoreData):
        data = replace(data, store=str(store_folder(plan)))
    market = load(data, plan.symbol, plan.benchmark)
    if plan.env.per_traded_share and not market.symbol.split_factor_known:
        raise ConfigError(
            "data.splits",
            None,
            f"the splits of {plan.symbol} are unknown and a cost is charged per traded share or "
            "tick; give data.splits ({} for none) or use costs in bps",
        )
    return market


def store_folder(plan: Plan) -> Path:
    """The store of bars: `data.store`, else `bars` below `paths.state`."""
    own = plan.data.store if isinstance(plan.data, StoreData) else None
    return Path(own).expanduser() if own else state_folder(plan.paths.state) / "bars"


def resolve(plan: Plan) -> Resolved:
    """Load the bars and resolve the windows of the plan's task."""
    market = load_market(plan)
    available = market.symbol.session_index()
    if isinstance(plan.task, FinalFit):
        until: date = parse_day("task.until", plan.task.until)
        window = final_fit_window(
            until, available, plan.windows.validation_sessions, plan.windows.embargo_sessions
        )
        return Resolved(market, [window], market.notes)
    windows, notes = resolve_with_notes(plan.windows, available)
    return Resolved(market, windows, (*market.notes, *notes))
