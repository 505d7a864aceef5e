"""What every order must pass, whatever the policy wants.

| state | which orders pass |
|---|---|
| ACTIVE | all within the limits |
| REDUCING | those that bring the position nearer to zero, never through it |
| HALTED | none; what closes the position is not asked |
"""

from __future__ import annotations

from enum import Enum

import pandas as pd

from intraday_rl.live.account import Sight
from intraday_rl.live.book import SessionBook
from intraday_rl.tasks import RiskLimits

MINUTE = pd.Timedelta(minutes=1)


class RiskState(Enum):
    """As in the table above."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


def refusal(
    limits: RiskLimits,
    state: RiskState,
    book: SessionBook,
    shares: float,
    sight: Sight,
    now: pd.Timestamp,
) -> str | None:
    """Why an order of signed `shares` may not be sent; None if it may."""
    before = book.position
    after = before + shares
    reduces = abs(after) < abs(before) and after * before >= 0.0
    if state is RiskState.HALTED:
        return "halted"
    if state is RiskState.REDUCING and not reduces:
        return "reducing: it would open or turn the position"
    if book.sent_since(now - MINUTE) >= limits.max_orders_per_minute:
        return f"max_orders_per_minute={limits.max_orders_per_minute} is used up"
    if reduces:  # whatever the limits, less is better than more
        return None
    notional = abs(after) * sight.close
    most = limits.max_position * float(sight.account["session_equity"])
    if notional > most:
        return f"max_position: {notional:.2f} USD, more than {most:.2f}"
    if limits.max_notional_usd is not None and notional > limits.max_notional_usd:
        return f"max_notional_usd: {notional:.2f} USD, more than {limits.max_notional_usd:.2f}"
    return None


def lost_too_much(limits: RiskLimits, first_equity: float, equity: float) -> bool:
    """Whether the day's loss, marked at the newest close, has reached its limit."""
    return equity <= first_equity * (1.0 - limits.daily_loss_limit)


def strange(limits: RiskLimits, sight: Sight) -> bool:
    """Whether the observation lies where the model was not trained."""
    return sight.at_bound > limits.max_columns_at_bound


def jumped(limits: RiskLimits, close_before: float, first_open: float) -> bool:
    """Whether the night moved the price as a split that nobody told would."""
    return abs(first_open / close_before - 1.0) > limits.max_overnight_jump
