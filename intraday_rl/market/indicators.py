"""Series formulas that are exact on a prefix: to the bit, row t depends on nothing after t.

TA-Lib's EMA, Wilder averages (RSI, ATR, ADX) and MACD run forward from the first bar, so their
value at t is the same whether the series ends at t or years later. The rest is elementwise
`+ - * /` and square roots, which round the same at any position of an array, and cumulative sums
inside a session, added in time order.
Logarithms and powers are avoided: their vectorised tails may differ in the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import talib
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# An average range below this share of the price is a flat stretch, not a market: dividing by it
# would turn rounding noise into a signal. Relative, so that features stay free of the price scale.
SMALLEST_RANGE_SHARE = 1e-6


@dataclass(frozen=True, slots=True)
class Series:
    """Bars as contiguous columns, the form TA-Lib reads."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Series:
        """The price columns of `Bars.frame`."""
        return cls(*(column_of(frame, name) for name in ("open", "high", "low", "close")))


def column_of(frame: pd.DataFrame, name: str) -> Floats:
    """One column as a contiguous float64 array."""
    return np.ascontiguousarray(frame[name].to_numpy(dtype=np.float64))


def ema(values: Floats, bars: int) -> Floats:
    """Exponential moving average, seeded with the mean of its first `bars` values."""
    return np.asarray(talib.EMA(values, bars), dtype=np.float64)


def rsi(series: Series, bars: int) -> Floats:
    """Wilder's relative strength index of the close, 0 to 100."""
    return np.asarray(talib.RSI(series.close, bars), dtype=np.float64)


def adx(series: Series, bars: int) -> Floats:
    """Wilder's average directional index, 0 to 100."""
    return np.asarray(talib.ADX(series.high, series.low, series.close, bars), dtype=np.float64)


def atr(series: Series, bars: int) -> Floats:
    """Wilder's average true range in price units, never below a sliver of the close."""
    average = np.asarray(talib.ATR(series.high, series.low, series.close, bars), dtype=np.float64)
    return np.maximum(average, SMALLEST_RANGE_SHARE * series.close)


def macd_histogram(series: Series, fast: int, slow: int, signal: int) -> Floats:
    """MACD line minus its signal line, in price units."""
    return np.asarray(talib.MACD(series.close, fast, slow, signal)[2], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class SessionRows:
    """First row of each session; for each row the number of its session and its place in it."""

    start: NDArray[np.intp]
    session: NDArray[np.intp]
    position: NDArray[np.intp]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> SessionRows:
        """Read the borders off the `session` column of `Bars.frame`."""
        dates = pd.DatetimeIndex(frame["session"]).as_unit("ns").asi8
        first = np.ones(len(dates), dtype=bool)
        first[1:] = dates[1:] != dates[:-1]
        start = np.flatnonzero(first)
        session = np.cumsum(first) - 1
        return cls(start, session, np.arange(len(dates)) - start[session])

    def cumulative(self, values: Floats) -> Floats:
        """Running sum that starts anew at each session, so that no rounding carries over."""
        if not len(values):
            return values.copy()
        padded = np.zeros((len(self.start), int(self.position.max()) + 1))
        padded[self.session, self.position] = values
        summed: Floats = np.cumsum(padded, axis=1)[self.session, self.position]
        return summed


def return_within_session(series: Series, rows: SessionRows, bars: int) -> Floats:
    """Close over the close `bars` rows earlier, at most back to the session's open."""
    session_open = series.open[rows.start][rows.session]
    earlier = series.close[np.maximum(np.arange(len(series.close)) - bars, 0)]
    return series.close / np.where(rows.position >= bars, earlier, session_open) - 1.0


def realised_volatility(series: Series, rows: SessionRows, bars: int) -> Floats:
    """Root of the EMA of squared one-bar returns: a share per bar, without the overnight move."""
    one_bar = return_within_session(series, rows, 1)
    return np.sqrt(np.maximum(ema(one_bar * one_bar, bars), 0.0))


def session_vwap(series: Series, volume: Floats, rows: SessionRows) -> Floats:
    """Volume-weighted typical price of the session so far; its open until something has traded."""
    typical = (series.high + series.low + series.close) / 3.0
    traded = rows.cumulative(volume)
    turnover = rows.cumulative(typical * volume)
    session_open = series.open[rows.start][rows.session]
    return np.where(traded > 0.0, turnover / np.where(traded > 0.0, traded, 1.0), session_open)


def overnight_gap(series: Series, rows: SessionRows) -> Floats:
    """Session open over the previous session's last close, minus 1; NaN in the first session."""
    gap = np.full(len(rows.start), np.nan)
    gap[1:] = series.open[rows.start[1:]] / series.close[rows.start[1:] - 1] - 1.0
    return gap[rows.session]
