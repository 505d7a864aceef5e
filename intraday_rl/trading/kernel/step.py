"""Many accounts at once: the loops behind the Gymnasium environments."""

from __future__ import annotations

from typing import Any

import numpy as np

from intraday_rl.trading.kernel.account import advance, new_account
from intraday_rl.trading.kernel.compile import compiled
from intraday_rl.trading.kernel.draw import next_session
from intraday_rl.trading.kernel.observe import observe


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
    accounts stand still: no entry, no reward. An action that is not finite is found before any
    decision, and −1 − its account returned.
    """
    for i in range(actions.shape[0]):
        if not np.isfinite(actions[i]):
            return -1 - i
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
