"""A session's account: what it opens with, what its orders came to, what it sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.trading.kernel.decide import accepted_target, shares_for

# Raw actions by the end of the bar at which they were taken.
Actions = Mapping[pd.Timestamp, float]
CUT_SHORT = "cut_short"


@dataclass(frozen=True, slots=True)
class Filled:
    """What the orders of one row came to: signed shares, USD a share; null = as the model fills."""

    shares: float
    paid: float | None = None


NOTHING = Filled(0.0)
# What was filled for the decision at a bar's end; a decision that is not there had no fill.
Fills = Mapping[pd.Timestamp, Filled]


@dataclass(frozen=True, slots=True)
class Exit:
    """How a session ended.

    | field | what |
    |---|---|
    | `filled` | what closed the position |
    | `time`, `price` | of an exit before the cutoff; null = where the session rule puts it |
    | `reason` | of such an exit |
    """

    filled: Filled
    time: pd.Timestamp | None = None
    price: float | None = None
    reason: str = CUT_SHORT


@dataclass(frozen=True, slots=True)
class Opening:
    """The account as a session finds it: equity in USD, moments of the reward."""

    equity: float
    moment_a: float
    moment_b: float


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known at a bar's end.

    | field | what |
    |---|---|
    | `observation` | (n_observation,) float32, what the policy is asked with |
    | `at_bound` | share of the market columns that the scaler cut off |
    | `shares` | of the account |
    | `equity` | USD, marked at the bar's close |
    | `close` | USD, as traded |
    """

    bar_end: pd.Timestamp
    observation: NDArray[np.float32]
    at_bound: float
    shares: float
    equity: float
    close: float
    account: np.void
    book: np.void

    def wanted(self, action: float, last_wanted: float | None) -> tuple[float, float]:
        """Accepted target fraction and the signed shares it means.

        An unchanged target never trades, unless its order was not filled in full: `last_wanted`
        shares are those that it meant when it was accepted (null = it was never acted on).
        """
        target = float(accepted_target(self.book, float(self.account["target"]), action))
        arrived = last_wanted is None or last_wanted == self.shares
        if target == float(self.account["target"]) and arrived:
            return target, self.shares
        equity = float(self.account["session_equity"])
        return target, float(shares_for(self.book, target, equity, self.close))
