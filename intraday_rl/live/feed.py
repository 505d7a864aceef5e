"""Bars as they become known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

import pandas as pd

from intraday_rl.market.bars import Bars
from intraday_rl.market.sources import MarketData


@dataclass(frozen=True, slots=True)
class DayBars:
    """One session's bars of symbol and benchmark, as far as they are known."""

    symbol: Bars
    benchmark: Bars

    def upto(self, bar_end: pd.Timestamp) -> DayBars:
        """Those that were known at `bar_end`."""
        return DayBars(_upto(self.symbol, bar_end), _upto(self.benchmark, bar_end))

    @property
    def ends(self) -> pd.DatetimeIndex:
        """Ends of the symbol's bars, in order."""
        return pd.DatetimeIndex(self.symbol.frame["bar_end"])


class Feed(Protocol):
    """Where a session's bars come from."""

    def known(self, day: date, now: pd.Timestamp) -> DayBars:
        """The bars of `day` that have ended by `now`; traded prices and factor as in `Bars`."""
        ...


class ReplayFeed:
    """Bars that are there already, given out as if they came in."""

    def __init__(self, market: MarketData) -> None:
        self._market = market

    def known(self, day: date, now: pd.Timestamp) -> DayBars:
        whole = DayBars(
            self._market.symbol.between(day, day), self._market.benchmark.between(day, day)
        )
        return whole.upto(now)


def _upto(bars: Bars, bar_end: pd.Timestamp) -> Bars:
    frame = bars.frame
    return replace(bars, frame=frame[frame["bar_end"] <= bar_end].reset_index(drop=True))
