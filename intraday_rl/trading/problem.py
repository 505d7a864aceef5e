"""A trading problem: sessions to play, what is seen, what acting costs, how it is rewarded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intraday_rl.trading.tape import Tape


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything an environment needs; read-only and shared by all its accounts.

    | field | shape | what |
    |---|---|---|
    | `tape` | | sessions with fees and impact statistics filled in |
    | `market` | (n_rows, n_market) float32 | scaled market columns of every row of the tape |
    | `names` | (n_observation,) | ordered observation names, account columns last |
    | `book` | (1,) `BOOK` | costs, action map, reward |
    | `eligible` | (n_sessions,) int64 | sessions that may be played, in calendar order |
    | `reward_name` | | as written in the ledger |
    """

    tape: Tape
    market: NDArray[np.float32]
    names: tuple[str, ...]
    book: NDArray[np.void]
    eligible: NDArray[np.int64]
    reward_name: str

    @property
    def sequential(self) -> bool:
        """True in evaluation: sessions in order, once, equity compounding."""
        return bool(self.book[0]["sequential"])
