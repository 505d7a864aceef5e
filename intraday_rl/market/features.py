"""What the agent may know about the market at the end of a bar: causal, scale-free columns.

Row k of the table holds what is known at `bar_end` of the symbol's bar k and nothing later:

| column | inputs, known at `bar_end` k | formula | unit |
|---|---|---|---|
| `benchmark_trend` | benchmark bars closed by then | (close - EMA) / ATR | ranges |
| `benchmark_macd` | the same | MACD histogram / ATR | ranges |
| `benchmark_adx` | the same | ADX | 0 to 100 |
| `benchmark_rsi` | the same | RSI | 0 to 100 |
| `symbol_atr` | symbol bars up to k | ATR / close | share |
| `symbol_trend` | symbol bars up to k | (close - EMA) / ATR | ranges |
| `symbol_return_n` | this session's bars up to k | close k / close k-n - 1 | share |
| `realised_volatility` | symbol bars up to k | sqrt(EMA of squared one-bar returns) | share |
| `session_anchor_*` | this session's bars up to k | close / (VWAP or open) - 1 | share |
| `overnight_gap` | session open, close before it | open / close before - 1 | share |
| `time_to_cutoff` | calendar, cutoff rule | minutes since open / open to cutoff | 0 to 1 |

`symbol_return_n` reaches back at most to the session's open. A benchmark column is computed on the
benchmark's own bars and joined by `bar_end` to the last closed one: a hole of the benchmark
carries that one on, and no bar of the symbol is added or dropped. Every column starts at the first
bar of the data and is NaN while it warms up. Source of the indicators: Wilder 1978 (RSI, ATR, ADX)
and Appel (MACD), as TA-Lib computes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.errors import ConfigError, DataError, check_range
from intraday_rl.market import calendar, indicators
from intraday_rl.market.bars import Bars
from intraday_rl.market.feature_table import FeatureTable
from intraday_rl.market.indicators import Series, SessionRows
from intraday_rl.market.sources import MarketData

__all__ = [
    "FeatureTable",
    "Features",
    "SessionAnchor",
    "column_settings",
    "compute",
    "content_hash",
    "resolve_anchor",
]

LONGEST_BARS = 10_000
WIDEST_CLIP = 100.0
MARKET_SWITCHES = (
    "benchmark_trend",
    "benchmark_macd",
    "benchmark_adx",
    "benchmark_rsi",
    "symbol_atr",
    "symbol_trend",
    "symbol_returns",
    "realised_volatility",
    "session_anchor",
    "overnight_gap",
    "time_to_cutoff",
)


class SessionAnchor(Enum):
    """What `session_anchor` measures the distance from."""

    auto = "auto"
    vwap = "vwap"
    open = "open"


@dataclass(slots=True, kw_only=True)
class Features:
    """Which columns an observation has, in this order, and how they are scaled.

    | field | unit | |
    |---|---|---|
    | `benchmark_trend` | | (close − EMA) ÷ ATR of the benchmark |
    | `benchmark_macd` | | MACD histogram ÷ ATR of the benchmark |
    | `benchmark_adx` | | ADX of the benchmark |
    | `benchmark_rsi` | | RSI of the benchmark |
    | `symbol_atr` | | ATR ÷ close of the symbol |
    | `symbol_trend` | | (close − EMA) ÷ ATR of the symbol |
    | `symbol_returns` | | a column per lag of `return_bars`, inside the session |
    | `realised_volatility` | | root of the EMA of squared one-bar returns |
    | `session_anchor` | | close ÷ the session's VWAP or open − 1 |
    | `overnight_gap` | | open ÷ the close before − 1 |
    | `time_to_cutoff` | | 0 at the open, 1 at the cutoff |
    | `account_position` | | shares × close ÷ equity at session start |
    | `account_unrealised_return` | | at the close, against the average entry fill |
    | `account_minutes_held` | | since entry or reversal, ÷ minutes to the cutoff |
    | `account_reward_moments` | | A and B of the reward, where it has them |
    | `return_bars` | traded bars | lags |
    | `session_anchor_price` | | auto: VWAP if every session has volume, else the open |
    | `benchmark_ema_bars`, `symbol_ema_bars`, `atr_bars`, `adx_bars`, `rsi_bars` | traded bars | |
    | `macd_fast_bars`, `macd_slow_bars`, `macd_signal_bars` | traded bars | |
    | `realised_volatility_bars` | traded bars | |
    | `clip` | deviations | bound of every scaled value, on either side |

    The `account_*` columns are appended by the environment, after the market columns.
    """

    benchmark_trend: bool = True
    benchmark_macd: bool = True
    benchmark_adx: bool = True
    benchmark_rsi: bool = True
    symbol_atr: bool = True
    symbol_trend: bool = True
    symbol_returns: bool = True
    realised_volatility: bool = True
    session_anchor: bool = True
    overnight_gap: bool = True
    time_to_cutoff: bool = True
    account_position: bool = True
    account_unrealised_return: bool = True
    account_minutes_held: bool = True
    account_reward_moments: bool = True
    return_bars: list[int] = field(default_factory=lambda: [1, 4])
    session_anchor_price: SessionAnchor = SessionAnchor.auto
    benchmark_ema_bars: int = 50
    symbol_ema_bars: int = 10
    atr_bars: int = 14
    adx_bars: int = 14
    rsi_bars: int = 14
    macd_fast_bars: int = 12
    macd_slow_bars: int = 26
    macd_signal_bars: int = 9
    realised_volatility_bars: int = 26
    clip: float = 5.0

    def __post_init__(self) -> None:
        for key in ("benchmark_ema_bars", "symbol_ema_bars", "atr_bars", "adx_bars", "rsi_bars"):
            check_range(key, getattr(self, key), 2, LONGEST_BARS)
        for key in ("macd_fast_bars", "realised_volatility_bars"):
            check_range(key, getattr(self, key), 2, LONGEST_BARS)
        check_range("macd_slow_bars", self.macd_slow_bars, self.macd_fast_bars + 1, LONGEST_BARS)
        check_range("macd_signal_bars", self.macd_signal_bars, 1, LONGEST_BARS)
        check_range("clip", self.clip, 0.0, WIDEST_CLIP, low_open=True)
        distinct = len(set(self.return_bars)) == len(self.return_bars)
        if not distinct or any(not 1 <= bars <= LONGEST_BARS for bars in self.return_bars):
            remedy = f"must be distinct lags of 1 to {LONGEST_BARS} bars"
            raise ConfigError("return_bars", self.return_bars, remedy)
        if self.symbol_returns and not self.return_bars:
            raise ConfigError("return_bars", [], "name a lag, or set symbol_returns=false")
        if not any(getattr(self, name) for name in MARKET_SWITCHES):
            raise ConfigError("time_to_cutoff", False, "switch on at least one market column")


def compute(market: MarketData, features: Features, cutoff: pd.Series) -> FeatureTable:
    """The feature table of a run, from the first bar of its data.

    market    symbol and benchmark bars on their common span (the benchmark may be the symbol's own)
    features  which columns
    cutoff    per session (index: session) the UTC time at which trading ends, by the cutoff rule
    """
    frame = market.symbol.frame
    series, rows = Series.of(frame), SessionRows.of(frame)
    columns = _benchmark_columns(market, features)
    average_range = indicators.atr(series, features.atr_bars)
    if features.symbol_atr:
        columns["symbol_atr"] = average_range / series.close
    if features.symbol_trend:
        average = indicators.ema(series.close, features.symbol_ema_bars)
        columns["symbol_trend"] = (series.close - average) / average_range
    if features.symbol_returns:
        for bars in features.return_bars:
            columns[f"symbol_return_{bars}"] = indicators.return_within_session(series, rows, bars)
    if features.realised_volatility:
        columns["realised_volatility"] = indicators.realised_volatility(
            series, rows, features.realised_volatility_bars
        )
    if features.session_anchor:
        anchor = resolve_anchor(market.symbol, features)
        columns[f"session_anchor_{anchor.value}"] = _distance(anchor, frame, series, rows)
    if features.overnight_gap:
        columns["overnight_gap"] = indicators.overnight_gap(series, rows)
    if features.time_to_cutoff:
        columns["time_to_cutoff"] = _time_to_cutoff(frame, cutoff)
    return FeatureTable.of(columns, frame["bar_end"])


def resolve_anchor(symbol: Bars, features: Features) -> SessionAnchor:
    """VWAP or open, decided once for all sessions; VWAP without volume is refused by name."""
    if features.session_anchor_price is SessionAnchor.open:
        return SessionAnchor.open
    sessions_with_volume = symbol.frame.groupby("session", sort=False)["volume"].sum() > 0.0
    if symbol.has_volume() and bool(sessions_with_volume.all()):
        return SessionAnchor.vwap
    if features.session_anchor_price is SessionAnchor.auto:
        return SessionAnchor.open
    without = symbol.frame.loc[symbol.frame["volume"].isna(), "session"]
    first = without.iloc[0] if len(without) else sessions_with_volume.idxmin()
    raise DataError(
        f"session_anchor_price=vwap: {symbol.symbol} has no volume in session {first:%Y-%m-%d}: "
        "use auto or open, or give bars with volume"
    )


def column_settings(features: Features) -> dict[str, object]:
    """The settings that decide the market columns, JSON-safe (no scaler, no account)."""
    return {
        key: value.value if isinstance(value, Enum) else value
        for key, value in asdict(features).items()
        if key != "clip" and not key.startswith("account_")
    }


def content_hash(fingerprints: Sequence[str], features: Features, cutoff: pd.Series) -> str:
    """Key of a cached table: bars (symbol, benchmark), settings, cutoffs and code."""
    digest = hashlib.sha256()
    for source in (Path(__file__), Path(indicators.__file__), Path(calendar.__file__)):
        digest.update(source.read_bytes())
    described = {
        "fingerprints": list(fingerprints),
        "settings": column_settings(features),
        "sessions": calendar.nanoseconds(pd.DatetimeIndex(cutoff.index)).tolist(),
        "cutoffs": calendar.nanoseconds(cutoff).tolist(),
        "libraries": {name: version(name) for name in ("TA-Lib", "numpy", "exchange_calendars")},
    }
    digest.update(json.dumps(described, sort_keys=True).encode())
    return digest.hexdigest()


def _benchmark_columns(market: MarketData, features: Features) -> dict[str, NDArray[np.float64]]:
    """Indicators on the benchmark's own bars, joined to the last one closed by each bar_end."""
    bars = market.symbol if market.benchmark_is_own else market.benchmark
    series = Series.of(bars.frame)
    average_range = indicators.atr(series, features.atr_bars)
    own: dict[str, NDArray[np.float64]] = {}
    if features.benchmark_trend:
        average = indicators.ema(series.close, features.benchmark_ema_bars)
        own["benchmark_trend"] = (series.close - average) / average_range
    if features.benchmark_macd:
        histogram = indicators.macd_histogram(
            series, features.macd_fast_bars, features.macd_slow_bars, features.macd_signal_bars
        )
        own["benchmark_macd"] = histogram / average_range
    if features.benchmark_adx:
        own["benchmark_adx"] = indicators.adx(series, features.adx_bars)
    if features.benchmark_rsi:
        own["benchmark_rsi"] = indicators.rsi(series, features.rsi_bars)
    if market.benchmark_is_own:
        return own
    closed = np.searchsorted(
        calendar.nanoseconds(bars.frame["bar_end"]),
        calendar.nanoseconds(market.symbol.frame["bar_end"]),
        "right",
    )
    last = closed - 1
    return {
        name: np.where(last >= 0, values[np.maximum(last, 0)], np.nan)
        for name, values in own.items()
    }


def _distance(
    anchor: SessionAnchor, frame: pd.DataFrame, series: Series, rows: SessionRows
) -> NDArray[np.float64]:
    """Close over the session's anchor, minus 1."""
    if anchor is SessionAnchor.vwap:
        volume = indicators.column_of(frame, "volume")
        return series.close / indicators.session_vwap(series, volume, rows) - 1.0
    return series.close / series.open[rows.start][rows.session] - 1.0


def _time_to_cutoff(frame: pd.DataFrame, cutoff: pd.Series) -> NDArray[np.float64]:
    """0 at the session's open, 1 at its cutoff and after; opens come from the calendar."""
    dates = pd.DatetimeIndex(frame["session"].unique())
    absent = dates.difference(pd.DatetimeIndex(cutoff.index))
    if len(absent):
        raise DataError(f"time_to_cutoff: no cutoff is given for session {absent[0]:%Y-%m-%d}")
    opens = calendar.sessions(dates[0].date(), dates[-1].date())["open"].loc[dates]
    of_row = dates.get_indexer(pd.DatetimeIndex(frame["session"]))
    opened, ends = (
        calendar.nanoseconds(opens)[of_row],
        calendar.nanoseconds(cutoff.loc[dates])[of_row],
    )
    elapsed = (calendar.nanoseconds(frame["bar_end"]) - opened) / (ends - opened)
    return np.clip(elapsed, 0.0, 1.0)
