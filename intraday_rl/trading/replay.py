"""Recorded decisions played again: under other costs, or on other days."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intraday_rl.trading.kernel import replay as kernel
from intraday_rl.trading.problem import Problem


def replay_shares(
    problem: Problem, books: NDArray[np.void], held: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Daily returns (n_books, n_sessions) and final equity (n_books,) of frozen share paths.

    `books` (n_books,) `BOOK`; `held` (n_rows of the tape,) shares after each decision.
    """
    daily = np.zeros((books.size, problem.eligible.size))
    ends = np.zeros(books.size)
    tape = problem.tape
    kernel.replay_shares(books, tape.sessions, tape.rows, problem.eligible, held, daily, ends)
    return daily, ends


def replay_targets(
    problem: Problem, paths: NDArray[np.float64], dealt: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Daily returns (n_draws, n_sessions) when session i plays the path of session dealt[:, i].

    `paths` (n_sessions, most decisions) accepted targets; only sessions of equal length may
    trade places, which is the caller's business.
    """
    daily = np.zeros(dealt.shape)
    tape = problem.tape
    kernel.replay_targets(
        problem.book, tape.sessions, tape.rows, problem.eligible, paths, dealt, daily
    )
    return daily
