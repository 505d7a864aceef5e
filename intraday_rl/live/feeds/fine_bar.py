"""A bar as it comes in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from intraday_rl.market.bars import PRICES
from intraday_rl.market.plausibility import Floats
from intraday_rl.market.validation import value_faults

COLUMNS = (*PRICES, "volume")


class FineBar(NamedTuple):
    """`start` with a zone, prices in USD as they were traded, shares; NaN volume = unknown."""

    start: pd.Timestamp
    open: float
    high: float
    low: float
    close: float
    volume: float

    def fault(self) -> str | None:
        """Why these cannot be a bar's values, by the rules of whole files; None if they can."""
        values = columns_of([self])
        wrong = (fault.said(values, 0) for fault in value_faults(values) if fault.bad[0])
        return next(wrong, None)

    def same_values(self, other: FineBar) -> bool:
        """Whether the other says the same; unknown volumes are alike."""
        return bool(np.array_equal(np.array(self[1:]), np.array(other[1:]), equal_nan=True))


def columns_of(bars: list[FineBar]) -> dict[str, Floats]:
    """The values of bars, one array a column."""
    return {name: np.array([getattr(bar, name) for bar in bars], np.float64) for name in COLUMNS}
