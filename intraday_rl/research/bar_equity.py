"""Equity bar by bar of the equal-weight average over seeds: what a drawdown is measured on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def bar_equity(
    ledger: pd.DataFrame, daily_returns: NDArray[np.float64], traded: dict[int, bool]
) -> NDArray[np.float64]:
    """Path relative to a start of 1: the start, then the equity after every row of a session.

    | argument | what |
    |---|---|
    | `ledger` | rows of all seeds of one fold |
    | `daily_returns` | (n_sessions,) of the average, which sets the level of each session |
    | `traded` | seed -> False where it abstained (or was ruined): its path stays level |

    Seeds are weighted equally anew each session, as in the average of their daily returns.
    """
    start = ledger.groupby(["seed", "session"])["equity_before"].transform("first")
    relative = ledger.assign(path=ledger["equity_after"] / start)
    paths = relative.pivot_table(index=["session", "step"], columns="seed", values="path")
    for seed, kept in traded.items():
        if not kept:
            paths[seed] = 1.0
    # A ruined seed has no later rows: it holds what it has left.
    inside = paths.sort_index().fillna(1.0).mean(axis=1)
    level = np.concatenate([[1.0], np.cumprod(1.0 + daily_returns)])
    number = pd.factorize(inside.index.get_level_values("session"), sort=True)[0]
    return np.concatenate([[1.0], level[number] * inside.to_numpy()])
