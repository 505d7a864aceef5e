"""How a session stands, in plain values: what the roster keeps and the page shows."""

from __future__ import annotations

from typing import Any

import pandas as pd

from intraday_rl.live.book import SentOrder
from intraday_rl.live.session import Session

MOST_ORDERS = 50


def status_of(session: Session, now: pd.Timestamp) -> dict[str, Any]:
    """The session at `now`; equity is marked at the newest close.

    | key | what |
    |---|---|
    | `state` | waiting, trading, leaving, flat or closed |
    | `time` | of the session's clock, UTC; `updated` of the machine's is the reader's business |
    | `last_bar_end`, `last_bar_age_seconds` | of the newest bar; null before the first |
    | `position` | signed shares |
    | `equity`, `equity_before` | USD |
    """
    book, day = session.desk.book, session.day
    state, reason = session.risk_state()
    last = max(book.bars, default=None)
    opening = day.opening.equity
    return {
        "day": str(day.day),
        "state": _state(session, now),
        "time": str(now),
        "cutoff": str(day.cutoff),
        "risk_state": state.value,
        "risk_reason": reason,
        "position": book.position,
        "last_bar_end": None if last is None else str(last),
        "last_bar_age_seconds": None if last is None else (now - last).total_seconds(),
        "equity_before": opening,
        "equity": session.equity(),
        "decisions": len(book.actions),
        "skipped": len(book.handled) - len(book.actions),
        "alarms": list(book.alarms),
        "broker": session.broker.name,
        "orders": [_order(one) for one in list(book.orders.values())[-MOST_ORDERS:]],
    }


def _state(session: Session, now: pd.Timestamp) -> str:
    book = session.desk.book
    if book.closed:
        return "closed"
    if book.leaving is not None:
        return "leaving" if book.position or book.open_orders() else "flat"
    return "waiting" if now < session.day.bar_ends[0] else "trading"


def _order(sent: SentOrder) -> dict[str, Any]:
    report = sent.report
    state = "lost" if sent.lost else "unanswered" if report is None else report.state.value
    return {
        "client_id": sent.order.client_id,
        "time": str(sent.sent_at),
        "purpose": sent.purpose.value,
        "shares": sent.order.shares,
        "state": state,
        "filled": sent.filled,
        "average_price": None if report is None else report.average_price,
        "reason": None if report is None else report.reason,
    }
