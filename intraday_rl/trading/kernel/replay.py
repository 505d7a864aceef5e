"""Recorded paths through the same fills and charges: other costs, or other days."""

from __future__ import annotations

from typing import Any

import numpy as np

from intraday_rl.trading.kernel.account import (
    force_exit,
    hold_shares,
    hold_target,
    new_account,
)
from intraday_rl.trading.kernel.compile import compiled
from intraday_rl.trading.kernel.draw import next_session
from intraday_rl.trading.kernel.layout import ACCOUNT, ENTRY


@compiled
def replay_shares(
    books: Any, sessions: Any, rows: Any, eligible: Any, held: Any, daily_returns: Any, ends: Any
) -> None:
    """Hold the recorded shares under every book.

    `held` (n_rows,) shares after the decision of each row of the tape; results per book:
    `daily_returns` (n_books, n_eligible) and the final equity `ends` (n_books,).
    The policy is frozen: sizes and times are those recorded, whatever a book charges.
    """
    account = np.zeros(1, ACCOUNT)[0]
    entry = np.zeros(1, ENTRY)[0]
    for k in range(books.shape[0]):
        book = books[k]
        new_account(book, account, np.uint64(0))
        for i in range(eligible.shape[0]):
            next_session(book, account, eligible)
            if account.finished:
                daily_returns[k, i:] = 0.0
                break
            session = sessions[account.session]
            before = account.equity
            for step in range(session.decisions):
                index = session.first_row + step
                hold_shares(
                    book, session, account, entry, rows[index], rows[index + 1], held[index]
                )
            force_exit(book, session, account, entry, rows[session.first_row + session.decisions])
            daily_returns[k, i] = account.equity / before - 1.0
        ends[k] = account.equity


@compiled
def replay_targets(
    books: Any, sessions: Any, rows: Any, eligible: Any, paths: Any, dealt: Any, daily_returns: Any
) -> None:
    """Play each session with the target path of another one of equal length.

    `paths` (n_eligible, most_decisions) accepted targets of each session; `dealt` (n_draws,
    n_eligible) whose path each session plays; `daily_returns` (n_draws, n_eligible) is filled.
    """
    book = books[0]
    account = np.zeros(1, ACCOUNT)[0]
    entry = np.zeros(1, ENTRY)[0]
    for draw in range(dealt.shape[0]):
        new_account(book, account, np.uint64(0))
        for i in range(eligible.shape[0]):
            next_session(book, account, eligible)
            if account.finished:
                daily_returns[draw, i:] = 0.0
                break
            session = sessions[account.session]
            before = account.equity
            path = paths[dealt[draw, i]]
            for step in range(session.decisions):
                index = session.first_row + step
                hold_target(book, session, account, entry, rows[index], rows[index + 1], path[step])
            force_exit(book, session, account, entry, rows[session.first_row + session.decisions])
            daily_returns[draw, i] = account.equity / before - 1.0
