"""Other bars: everything that is not known yet replaced, or one number of one bar moved."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.market.bars import PRICES, Bars
from intraday_rl.market.calendar import nanoseconds
from intraday_rl.market.sources import MarketData
from intraday_rl.research.audit.knowledge import at_close, at_open

# Standard deviations of the log factors: far above a bar's own move, far below a price of zero.
PRICE_SPREAD, VOLUME_SPREAD = 0.03, 1.0
# Far above a bar's usual range, so that no indicator can miss it by a clip or a maximum.
NUDGE = 1.05


def scrambled_market(market: MarketData, instant: int, seed: int) -> MarketData:
    """Every price and volume of symbol and benchmark that is known only after `instant` replaced.

    Times, sessions and split factors stay: the calendar is known in advance. A bar that has
    opened but not closed keeps its open.
    """
    random = np.random.default_rng(seed)
    symbol = scrambled(market.symbol, instant, random)
    other = symbol if market.benchmark_is_own else scrambled(market.benchmark, instant, random)
    return replace(market, symbol=symbol, benchmark=other)


def scrambled(bars: Bars, instant: int, random: np.random.Generator) -> Bars:
    """Bars that agree with `bars` in everything known by `instant` and in nothing after it."""
    frame = bars.frame
    opened = at_open(nanoseconds(frame["bar_start"])) <= instant
    closed = at_close(nanoseconds(frame["bar_end"])) <= instant
    # A factor for every price of a bar: one for the whole bar would leave its shape known.
    factors = np.exp(random.normal(0.0, PRICE_SPREAD, (len(PRICES), len(frame))))
    volume = np.exp(random.normal(0.0, VOLUME_SPREAD, len(frame)))
    columns = {
        name: np.where(opened if name == "open" else closed, values, values * factor)
        for (name, values), factor in zip(_prices(frame).items(), factors, strict=True)
    }
    _keep_order(columns, ~closed)
    traded = frame["volume"].to_numpy()
    columns["volume"] = np.where(closed, traded, traded * volume)
    return replace(bars, frame=frame.assign(**columns))


def nudged(bars: Bars, row: int, names: tuple[str, ...], factor: float = NUDGE) -> Bars:
    """Bars in which the named prices of one bar are multiplied; its range covers them again."""
    frame = bars.frame
    columns = {name: values.copy() for name, values in _prices(frame).items()}
    for name in names:
        columns[name][row] *= factor
    changed = np.zeros(len(frame), bool)
    changed[row] = True
    _keep_order(columns, changed)
    return replace(bars, frame=frame.assign(**columns))


def with_symbol(market: MarketData, symbol: Bars) -> MarketData:
    """The market with another symbol series, which may stand in for the benchmark too."""
    benchmark = symbol if market.benchmark_is_own else market.benchmark
    return replace(market, symbol=symbol, benchmark=benchmark)


def with_benchmark(market: MarketData, benchmark: Bars) -> MarketData:
    """The market with another benchmark series."""
    return replace(market, benchmark=benchmark)


def truncated(market: MarketData, last: date) -> MarketData:
    """The market as it was known after the session `last`."""
    first = market.symbol.session_index()[0].date()
    symbol = market.symbol.between(first, last)
    other = market.benchmark.between(first, last)
    return replace(market, symbol=symbol, benchmark=symbol if market.benchmark_is_own else other)


def _prices(frame: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    return {name: frame[name].to_numpy(dtype=np.float64) for name in PRICES}


def _keep_order(columns: dict[str, NDArray[np.float64]], where: NDArray[np.bool_]) -> None:
    stacked = np.stack([columns[name] for name in PRICES])
    columns["high"] = np.where(where, stacked.max(axis=0), columns["high"])
    columns["low"] = np.where(where, stacked.min(axis=0), columns["low"])
