"""One account through one session: open, decide and fill, hold, exit."""

from __future__ import annotations

from typing import Any

import numpy as np

from intraday_rl.trading.kernel.charges import financing, settle_order
from intraday_rl.trading.kernel.compile import compiled
from intraday_rl.trading.kernel.decide import accepted_target, shares_for
from intraday_rl.trading.kernel.moments import reward_step


@compiled
def new_account(book: Any, account: Any, random_state: Any) -> None:
    """A fresh account: initial equity, the moments of the hold, no session opened yet."""
    account.random_state = random_state
    account.draw = 0
    account.equity = book.initial_equity
    account.moment_a = book.first_a
    account.moment_b = book.first_b
    account.finished = False
    account.ruined = False


@compiled
def open_session(book: Any, account: Any, session: int) -> None:
    """Enter `session` flat; training starts it with the initial equity, evaluation compounds."""
    if not book.sequential:
        account.equity = book.initial_equity
    account.session = session
    account.step = 0
    account.shares = 0.0
    account.session_equity = account.equity
    account.target = 0.0
    account.entry_price = 0.0
    account.entry_minute = 0.0
    account.seen_a = account.moment_a
    account.seen_b = account.moment_b


@compiled
def record_entry(account: Any, entry: Any, before: float, after: float, minute: float) -> None:
    """Keep the average entry fill and the minute since which the position has its sign."""
    fill = entry.fill_price
    if after == 0.0:
        account.entry_price = 0.0
        account.entry_minute = 0.0
    elif before * after <= 0.0:
        account.entry_price = fill
        account.entry_minute = minute
    elif abs(after) > abs(before):
        added = abs(after) - abs(before)
        account.entry_price = (account.entry_price * abs(before) + fill * added) / abs(after)


@compiled
def close_books(account: Any, entry: Any, equity_before: float) -> None:
    """Complete an entry whose order is settled and whose `gross_pnl`, `financing` are known."""
    entry.net_pnl = entry.gross_pnl - entry.commission - entry.fees - entry.slippage
    entry.net_pnl = entry.net_pnl - entry.impact - entry.financing
    entry.equity_before = equity_before
    entry.equity_after = equity_before + entry.net_pnl
    entry.net_return = growth(equity_before, entry.equity_after)
    account.equity = entry.equity_after


@compiled
def growth(before: float, after: float) -> float:
    """after/before − 1; an account without equity has no return left to lose."""
    if before <= 0.0:
        return 0.0
    return after / before - 1.0


@compiled
def decide_and_hold(
    book: Any, session: Any, account: Any, entry: Any, row: Any, following: Any, action: float
) -> None:
    """One decision: accepted target, order at `row.price`, holding until `following.price`."""
    target = accepted_target(book, account.target, action)
    entry.action = action
    hold_target(book, session, account, entry, row, following, target)


@compiled
def hold_target(
    book: Any, session: Any, account: Any, entry: Any, row: Any, following: Any, target: float
) -> None:
    """Bring the account to an accepted `target`; an unchanged one never trades."""
    after = account.shares
    if target != account.target:
        after = shares_for(book, target, account.session_equity, row.close)
    account.target = target
    entry.target = target
    hold_shares(book, session, account, entry, row, following, after)


@compiled
def hold_shares(
    book: Any, session: Any, account: Any, entry: Any, row: Any, following: Any, after: float
) -> None:
    """Trade to `after` shares at `row.price` and hold them until `following.price`."""
    cost = settle_order(book, session, entry, after - account.shares, row.price)
    carry(book, account, entry, row, following, after, cost)


@compiled
def carry(
    book: Any, account: Any, entry: Any, row: Any, following: Any, after: float, cost: float
) -> None:
    """Hold `after` shares until `following.price`; their order is settled and cost USD `cost`."""
    before = account.shares
    equity_before = account.equity
    if after != before:
        record_entry(account, entry, before, after, row.fill_minute)
    account.shares = after
    entry.shares_before = before
    entry.shares_after = after
    entry.gross_pnl = after * (following.price - row.price)
    minutes = following.fill_minute - row.fill_minute
    entry.financing = financing(book, after, row.price, equity_before - cost, minutes)
    entry.forced_exit = False
    close_books(account, entry, equity_before)


@compiled
def force_exit(book: Any, session: Any, account: Any, entry: Any, row: Any) -> None:
    """Flat at the cutoff, at full cost; also written when there was nothing to close."""
    settle_order(book, session, entry, -account.shares, row.price)
    leave_flat(account, entry)


@compiled
def leave_flat(account: Any, entry: Any) -> None:
    """The exit row of an account whose last order is settled."""
    before = account.shares
    account.shares = 0.0
    account.target = 0.0
    account.entry_price = 0.0
    account.entry_minute = 0.0
    entry.action = np.nan
    entry.target = np.nan
    entry.shares_before = before
    entry.shares_after = 0.0
    entry.gross_pnl = 0.0
    entry.financing = 0.0
    entry.reward = np.nan
    entry.dsr_a = np.nan
    entry.dsr_b = np.nan
    entry.dsr_raw = np.nan
    entry.dsr_floored = False
    entry.dsr_clipped = False
    entry.forced_exit = True
    close_books(account, entry, account.equity)


@compiled
def advance(book: Any, session: Any, account: Any, entries: Any, rows: Any, action: float) -> float:
    """Carry out one decision, and the exit after the last one; returns the reward.

    `entries` has two ledger records: the decision and, when the session ends with it, the exit
    (its `row` is −1 otherwise). The last decision's reward covers both.
    """
    index = session.first_row + account.step
    decision = entries[0]
    leave = entries[1]
    decision.row = index
    decision.session = account.session
    decision.step = account.step
    leave.row = -1
    equity_before = account.equity
    decide_and_hold(book, session, account, decision, rows[index], rows[index + 1], action)
    net_return = decision.net_return
    account.step += 1
    if account.step == session.decisions:
        leave.row = index + 1
        leave.session = account.session
        leave.step = account.step
        force_exit(book, session, account, leave, rows[index + 1])
        net_return = growth(equity_before, account.equity)
    return reward_step(book, account, decision, net_return)
