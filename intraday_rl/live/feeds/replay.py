"""A past session's bars, given out as if they came in."""

from __future__ import annotations

from datetime import date

import pandas as pd

from intraday_rl.live.feeds.feed import DayBars, upto
from intraday_rl.market.sources import MarketData


class ReplayFeed:
    """Bars that are there already: each at its end, its opening price at its start."""

    def __init__(self, market: MarketData, day: date) -> None:
        self._symbol = market.symbol.between(day, day)
        self._benchmark = market.benchmark.between(day, day)

    def known(self, now: pd.Timestamp) -> DayBars:
        return DayBars(upto(self._symbol, now), upto(self._benchmark, now))

    def opening(
        self, boundary: pd.Timestamp, now: pd.Timestamp
    ) -> tuple[pd.Timestamp, float] | None:
        frame = self._symbol.frame
        later = frame[(frame["bar_start"] >= boundary) & (frame["bar_start"] <= now)]
        if later.empty:
            return None
        first = later.iloc[0]
        return first["bar_start"], float(first["open"] * first["split_factor"])

    def close(self) -> None:
        """There is nothing to let go of."""
