"""What the agent sees at a decision: market columns, then the account's own state."""

from __future__ import annotations

from typing import Any

from intraday_rl.trading.kernel.compile import compiled


@compiled
def clipped(value: float, bound: float) -> float:
    """`value` within ±`bound`."""
    return min(max(value, -bound), bound)


@compiled
def observe(book: Any, account: Any, session: Any, row: Any, market: Any, observation: Any) -> None:
    """Fill `observation` (float32, one decision); account columns are marked at the bar's close."""
    for column in range(book.market_columns):
        observation[column] = market[column]
    bound = book.observation_clip
    if book.position_column >= 0:
        position = account.shares * row.close / account.session_equity
        observation[book.position_column] = clipped(position, bound)
    if book.unrealised_column >= 0:
        unrealised = 0.0
        if account.shares > 0.0:
            unrealised = row.close / account.entry_price - 1.0
        elif account.shares < 0.0:
            unrealised = 1.0 - row.close / account.entry_price
        observation[book.unrealised_column] = clipped(unrealised / book.unrealised_scale, bound)
    if book.minutes_held_column >= 0:
        held = 0.0
        if account.shares != 0.0:
            held = (row.decision_minute - account.entry_minute) / session.cutoff_minute
        observation[book.minutes_held_column] = clipped(held, bound)
    if book.moments_column >= 0:
        first = (account.seen_a - book.first_a) / book.moment_a_scale
        second = (account.seen_b - book.first_b) / book.moment_b_scale
        observation[book.moments_column] = clipped(first, bound)
        observation[book.moments_column + 1] = clipped(second, bound)
