"""A session as its orders really came out: a broker's fills in place of the model's."""

from __future__ import annotations

from typing import Any

import numpy as np

from intraday_rl.trading.kernel.account import carry, growth, leave_flat
from intraday_rl.trading.kernel.charges import settle_order
from intraday_rl.trading.kernel.compile import compiled
from intraday_rl.trading.kernel.decide import accepted_target
from intraday_rl.trading.kernel.moments import reward_step


@compiled
def settle_filled(
    book: Any, session: Any, entry: Any, shares: float, price: float, paid: float
) -> float:
    """An order of signed `shares` filled at `paid` (NaN = as the model fills); its USD cost.

    Commission, fees and impact are the model's: a broker tells no others while the session runs.
    The slippage is what was paid beyond the reference `price`, below zero where it was less.
    """
    cost = settle_order(book, session, entry, shares, price)
    if shares == 0.0 or np.isnan(paid) or paid == entry.fill_price:
        return cost
    entry.fill_price = paid
    entry.slippage = shares * (paid - price)
    return entry.commission + entry.fees + entry.slippage + entry.impact


@compiled
def leave_filled(
    book: Any, session: Any, account: Any, leave: Any, rows: Any, traded: float, paid: float
) -> None:
    """The exit row, at the row that the account has come to."""
    index = session.first_row + account.step
    leave.row = index
    leave.session = account.session
    leave.step = account.step
    settle_filled(book, session, leave, traded, rows[index].price, paid)
    leave_flat(account, leave)


@compiled
def walk_filled(
    books: Any,
    sessions: Any,
    accounts: Any,
    entries: Any,
    rows: Any,
    actions: Any,
    traded: Any,
    paid: Any,
    leaves: bool,
) -> None:
    """The open session of one account, through its first decisions.

    | array | shape | what |
    |---|---|---|
    | `actions` | (n,) | of each decision; NaN = none was taken, the target stays |
    | `traded`, `paid` | (n,) and one more if `leaves` | signed shares filled for it, USD a share |
    | `entries` | likewise, `ENTRY` | is filled |

    `leaves`: the exit follows the n-th decision, and its fills are the last of the arrays. It must
    leave the account flat, which is the caller's business. Equal to the environment's own session
    to the last bit where every fill is the model's.
    """
    book, account = books[0], accounts[0]
    session = sessions[account.session]
    count = actions.shape[0]
    for k in range(count):
        index = session.first_row + account.step
        entry = entries[k]
        entry.row = index
        entry.session = account.session
        entry.step = account.step
        entry.action = actions[k]
        if not np.isnan(actions[k]):
            account.target = accepted_target(book, account.target, actions[k])
        entry.target = account.target
        equity_before = account.equity
        row, following = rows[index], rows[index + 1]
        cost = settle_filled(book, session, entry, traded[k], row.price, paid[k])
        carry(book, account, entry, row, following, account.shares + traded[k], cost)
        net_return = entry.net_return
        account.step += 1
        if leaves and k == count - 1:
            leave_filled(book, session, account, entries[count], rows, traded[count], paid[count])
            net_return = growth(equity_before, account.equity)
        reward_step(book, account, entry, net_return)
    if leaves and count == 0:
        leave_filled(book, session, account, entries[0], rows, traded[0], paid[0])
