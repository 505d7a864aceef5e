"""Many accounts at once: the loops behind the Gymnasium environments, and the session draw."""

from __future__ import annotations

from typing import Any

import numpy as np

from intraday_rl.trading.kernel.account import advance, new_account, open_session
from intraday_rl.trading.kernel.compile import compiled
from intraday_rl.trading.kernel.observe import observe

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@compiled
def draw_below(account: Any, bound: int) -> int:
    """Uniform integer in [0, bound) from the account's own splitmix64 (Steele et al. 2014)."""
    state = account.random_state + _GOLDEN
    account.random_state = state
    state = (state ^ (state >> _30)) * _MIX_1
    state = (state ^ (state >> _27)) * _MIX_2
    state = state ^ (state >> _31)
    return int(np.float64(state >> _11) * 2.0**-53 * bound)


@compiled
def next_session(book: Any, account: Any, eligible: Any) -> None:
    """Open a random eligible session (training), or the next in order until the walk is over."""
    if not book.sequential:
        open_session(book, account, eligible[draw_below(account, eligible.shape[0])])
        return
    account.ruined = account.equity < book.ruin_equity
    if account.draw == eligible.shape[0] or account.ruined:
        account.finished = True
        return
    open_session(book, account, eligible[account.draw])
    account.draw += 1


@compiled
def look(
    books: Any, accounts: Any, sessions: Any, rows: Any, market: Any, observations: Any
) -> None:
    """Write the observation of every account at its present step."""
    book = books[0]
    for i in range(accounts.shape[0]):
        account = accounts[i]
        session = sessions[account.session]
        index = session.first_row + account.step
        observe(book, account, session, rows[index], market[index], observations[i])


@compiled
def start_accounts(books: Any, accounts: Any, random_states: Any) -> None:
    """Make every account new; `random_states` is uint64, one per account."""
    for i in range(accounts.shape[0]):
        new_account(books[0], accounts[i], random_states[i])


@compiled
def open_sessions(books: Any, accounts: Any, eligible: Any, wanted: Any) -> None:
    """Open the next session of every account in the mask `wanted`."""
    for i in range(accounts.shape[0]):
        if wanted[i]:
            next_session(books[0], accounts[i], eligible)


@compiled
def step_accounts(
    books: Any,
    accounts: Any,
    entries: Any,
    sessions: Any,
    rows: Any,
    market: Any,
    actions: Any,
    observations: Any,
    rewards: Any,
    terminated: Any,
) -> int:
    """One decision of every account; returns how many sessions ended.

    The observation of an account whose session ended is its state after the exit. Finished
    accounts stand still: no entry, no reward.
    """
    book = books[0]
    ended = 0
    for i in range(accounts.shape[0]):
        account = accounts[i]
        if account.finished:
            entries[i, 0].row = -1
            entries[i, 1].row = -1
            rewards[i] = 0.0
            terminated[i] = True
        else:
            session = sessions[account.session]
            rewards[i] = advance(book, session, account, entries[i], rows, actions[i])
            terminated[i] = account.step == session.decisions
            ended += terminated[i]
        session = sessions[account.session]
        index = session.first_row + account.step
        observe(book, account, session, rows[index], market[index], observations[i])
    return ended
