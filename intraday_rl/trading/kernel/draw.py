"""Which session comes next: a random one in training, the next in order elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from intraday_rl.trading.kernel.account import open_session
from intraday_rl.trading.kernel.compile import compiled

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
