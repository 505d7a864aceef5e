"""What a session came to: its ledger, what it cost against the model, and the proof of its exit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from intraday_rl.live.account import NOTHING, Exit, Filled, Opening
from intraday_rl.live.book import Purpose, SessionBook
from intraday_rl.live.brokers.broker import OrderState
from intraday_rl.live.session import Session
from intraday_rl.live.watchdog import Watchdog
from intraday_rl.trading.ledger import COSTS

SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class Closed:
    """A session that is over.

    `ledger`: its rows, null if no bar ever came; `model_slippage`: USD that the model would have
    charged for the same shares; `after`: the opening of the next session.
    """

    ledger: pd.DataFrame | None
    model_slippage: float
    after: Opening


def lay_out(session: Session, now: pd.Timestamp, fold: str, seed: int) -> Closed:
    """The ledger from all bars that came and all fills, and the account after it."""
    book, day, known = session.desk.book, session.day, session.known
    if not book.bars and (known is None or known.symbol.frame.empty):
        return Closed(None, 0.0, day.opening)
    fills = book.fills()
    bars = (known.symbol, known.benchmark) if known else (day.no_bars, day.no_bars)
    if not set(book.bars) <= set(bars[0].frame["bar_end"]):  # the feed has let go of that day
        bars = day.recorded(book.bars), bars[1]
    leave = _exit(session, fills, now)
    ledger, after = day.ledger(*bars, book.actions, fills, leave, fold, seed)
    as_model = {bar_end: replace(one, paid=None) for bar_end, one in fills.items()}
    same = replace(leave, filled=replace(leave.filled, paid=None))
    modelled, _ = day.ledger(*bars, book.actions, as_model, same, fold, seed)
    return Closed(ledger, float(modelled["slippage"].sum()), after)


def content_of(
    session: Session,
    watchdog: Watchdog,
    closed: Closed,
    entries: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """`session.json`, but for what only the task knows of the model."""
    book, day = session.desk.book, session.day
    before, after = day.opening.equity, closed.after.equity
    ledger = closed.ledger
    costs = {name: 0.0 if ledger is None else float(ledger[name].sum()) for name in COSTS}
    turnover = 0.0
    if ledger is not None:
        turnover = float((ledger["shares_traded"].abs() * ledger["price"]).sum())
    return {
        "schema_version": SCHEMA_VERSION,
        "day": str(day.day),
        "broker": session.broker.name,
        "equity_before": before,
        "equity_after": after,
        "net_return_bps": (after / before - 1.0) * 1e4,
        "turnover_usd": turnover,
        "costs_usd": costs,
        "slippage": {
            "realised_usd": costs["slippage"],
            "model_usd": closed.model_slippage,
            "realised_bps": costs["slippage"] / turnover * 1e4 if turnover else None,
            "model_bps": closed.model_slippage / turnover * 1e4 if turnover else None,
        },
        "bars": len(book.bars),
        "bars_missing": [str(end) for end in day.bar_ends if end not in book.bars],
        "decisions": len(book.actions),
        "skipped": dict(Counter(_values(entries, "skipped", "reason"))),
        "orders": _orders(book, entries),
        "risk": [
            {"time": one["time"], "state": one["state"], "reason": one["reason"]}
            for one in entries
            if one["event"] == "risk"
        ],
        "alarms": _values(entries, "alarm", "text"),
        "findings": _values(entries, "finding", "text"),
        "exit": _proof(session, watchdog),
    }


def _exit(session: Session, fills: Mapping[pd.Timestamp, Filled], now: pd.Timestamp) -> Exit:
    """What is left after the decisions is what the exit traded: the ledger ends flat."""
    book = session.desk.book
    held = sum(one.shares for one in fills.values())
    filled = Filled(-held, book.exit().paid) if held else NOTHING
    if not session.left_early():
        return Exit(filled)
    time = book.exited_at() or book.left_at or now
    return Exit(filled, time, book.left_close, str(book.leaving))


def _orders(book: SessionBook, entries: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many were sent, and what became of them; `partial`: ended with a part filled."""
    states = Counter(one.report.state for one in book.orders.values() if one.report)
    partial = sum(
        one.report is not None
        and one.report.state is not OrderState.filled
        and one.report.filled != 0.0
        for one in book.orders.values()
    )
    return {
        "sent": len(book.orders),
        **{state.value: states[state] for state in OrderState},
        "partial": partial,
        "lost": sum(one.lost for one in book.orders.values()),
        "denied": len(_values(entries, "denied", "reason")),
        "exits": sum(one.purpose is Purpose.exit for one in book.orders.values()),
    }


def _proof(session: Session, watchdog: Watchdog) -> dict[str, Any]:
    """When it was to be flat, when it was, and what the broker said then."""
    book, day = session.desk.book, session.day
    exits = [one for one in book.orders.values() if one.purpose is Purpose.exit]
    at = book.exited_at()
    return {
        "reason": book.leaving,
        "cutoff": str(day.cutoff),
        "due": str(day.exit_at),
        "sent_at": str(exits[0].sent_at) if exits else None,
        "filled_at": None if at is None else str(at),
        "seconds_after_due": None if at is None else (at - day.exit_at).total_seconds(),
        "shares_closed": -sum(one.filled for one in exits),
        "shares_after": book.position,
        "broker_agreed_at": None if watchdog.flat_at is None else str(watchdog.flat_at),
        "unexplained_shares": book.adjusted,
    }


def _values(entries: Sequence[Mapping[str, Any]], event: str, key: str) -> list[Any]:
    return [one[key] for one in entries if one["event"] == event]
