"""Bars as they become known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import pandas as pd

from intraday_rl.market.bars import Bars


@dataclass(frozen=True, slots=True)
class DayBars:
    """One session's bars of symbol and benchmark, as far as they are known.

    `findings`: what was wrong with what came in, in plain words, each said once.
    """

    symbol: Bars
    benchmark: Bars
    findings: tuple[str, ...] = ()

    @property
    def ends(self) -> pd.DatetimeIndex:
        """Ends of the symbol's bars, in order."""
        return pd.DatetimeIndex(self.symbol.frame["bar_end"])

    def last_close(self) -> float | None:
        """Traded close of the newest bar; None before the first."""
        if self.symbol.frame.empty:
            return None
        last = self.symbol.frame.iloc[-1]
        return float(last["close"] * last["split_factor"])


class Feed(Protocol):
    """Where one session's bars come from."""

    def known(self, now: pd.Timestamp) -> DayBars:
        """The traded bars of the day that are known at `now`, adjusted as the history is."""
        ...

    def opening(
        self, boundary: pd.Timestamp, now: pd.Timestamp
    ) -> tuple[pd.Timestamp, float] | None:
        """Start and traded open of the first bar from `boundary` on, if `now` it is known."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def upto(bars: Bars, bar_end: pd.Timestamp) -> Bars:
    """Those that have ended by then."""
    frame = bars.frame
    return replace(bars, frame=frame[frame["bar_end"] <= bar_end].reset_index(drop=True))
