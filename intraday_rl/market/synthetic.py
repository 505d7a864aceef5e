"""Synthetic bars: a market whose truth is known, so that a learner can be tested on it.

A benchmark walks through the exchange's real sessions; the symbol is a leveraged fund on it that
is reset every day. With `edge=0` nothing inside a session can be predicted; with `edge=rho` one
column of the default features predicts the next fill-to-fill return with that correlation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.market.bars import Bars
from intraday_rl.market.calendar import (
    FULL_SESSION_MINUTES,
    expected_bars,
    open_close_ns,
    sessions,
    utc,
)
from intraday_rl.market.synthetic_data import SyntheticData

__all__ = ["SyntheticData", "generate"]

Array = NDArray[np.float64]

_SESSIONS_A_YEAR = 252
_NS_A_MINUTE = 60_000_000_000

# Extra variance (and volume) near the open and near the close, as multiples of the midday level,
# and the share of the session over which each fades: fitted by eye to 15-minute QQQ, 2018-2023.
_OPEN_EXCESS, _OPEN_FADE = 3.5, 0.10
_CLOSE_EXCESS, _CLOSE_FADE = 4.0, 0.03

# USD at the first open, shares a normal session: of the size of QQQ. They are no settings, since
# the features of a benchmark are free of scale and its volume enters nothing.
_BENCHMARK_START_PRICE, _BENCHMARK_DAILY_VOLUME = 160.0, 40e6

_VOLUME_NOISE = 0.25  # standard deviation of a bar's log volume around its expectation
_VOLUME_TO_VOLATILITY = 0.7  # a day of doubled volatility has 2 ** this times the volume


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where the bars lie: one row a session, one column a bar of a full session."""

    sessions: pd.DatetimeIndex
    exists: NDArray[np.bool_]
    start_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]
    share: Array  # of a full session's variance and volume; 0 where the bar does not exist
    full_share: Array  # the same for one full session


@dataclass(frozen=True, slots=True)
class _Path:
    """Prices by session and bar; `before` is the close of the session before."""

    open: Array
    high: Array
    low: Array
    close: Array
    before: Array


def generate(data: SyntheticData, symbol: str, benchmark: str) -> tuple[Bars, Bars]:
    """The bars of `symbol` and of `benchmark`, in this order (see `SyntheticData`)."""
    grid = _grid(data)
    # One stream a purpose, each drawn in time order: a later `end` cannot change an earlier bar.
    days, nights, bodies, gaps, extremes, volumes, benchmark_volumes = (
        np.random.default_rng(child) for child in np.random.SeedSequence(data.seed).spawn(7)
    )
    day = _day_factors(data, days, len(grid.sessions))
    inside = _inside(data, grid, day, bodies, gaps, extremes)
    path = _benchmark(data, grid, day, nights, inside)
    fund = _leveraged(data, grid, path)
    note = f"synthetic bars: seed {data.seed}, edge {data.edge:g}, leverage {data.leverage:g}"
    activity = grid.share * day[:, None] ** _VOLUME_TO_VOLATILITY
    fund_volume = data.symbol_daily_volume * activity
    volume = _BENCHMARK_DAILY_VOLUME * activity
    return (
        _bars(symbol, data, grid, fund, fund_volume, volumes, note),
        _bars(benchmark, data, grid, path, volume, benchmark_volumes, note),
    )


def _grid(data: SyntheticData) -> _Grid:
    table = sessions(date.fromisoformat(data.start), date.fromisoformat(data.end))
    if table.empty:
        raise DataError(f"data.start={data.start}, data.end={data.end}: no session in between")
    opens, closes = open_close_ns(table)
    bar_ns = data.bar_minutes * _NS_A_MINUTE
    columns = np.arange(FULL_SESSION_MINUTES // data.bar_minutes)
    start = opens[:, None] + columns * bar_ns
    end = np.minimum(start + bar_ns, closes[:, None])
    length = (closes - opens)[:, None]
    edges = np.minimum(np.arange(len(columns) + 1) * bar_ns / length, 1.0)
    full = FULL_SESSION_MINUTES * _NS_A_MINUTE
    return _Grid(
        sessions=pd.DatetimeIndex(table.index),
        exists=columns < expected_bars(opens, closes, bar_ns)[:, None],
        start_ns=start,
        end_ns=end,
        share=np.diff(_curve(edges), axis=1) * (length / full),
        full_share=np.diff(_curve(np.linspace(0.0, 1.0, len(columns) + 1))),
    )


def _curve(elapsed: Array) -> Array:
    """Share of a session's variance in its first part: the integral of the U, 0 to 1."""

    def integral(x: Array) -> Array:
        opening = _OPEN_EXCESS * _OPEN_FADE * (1.0 - np.exp(-x / _OPEN_FADE))
        closing = _CLOSE_EXCESS * _CLOSE_FADE * np.exp((x - 1.0) / _CLOSE_FADE)
        return np.asarray(x + opening + closing)

    first, last = integral(np.array([0.0, 1.0]))
    return np.asarray((integral(elapsed) - first) / (last - first))


def _day_factors(data: SyntheticData, rng: np.random.Generator, count: int) -> Array:
    """Volatility of each day relative to the average: log-AR(1), started in its long-run law."""
    shocks = rng.standard_normal(count)
    shocks[1:] *= np.sqrt(1.0 - data.volatility_persistence**2)
    state, states = 0.0, np.empty(count)
    for number, shock in enumerate(shocks):
        state = data.volatility_persistence * state + float(shock)
        states[number] = state
    return np.asarray(np.exp(data.volatility_spread * states - data.volatility_spread**2))


def _inside(
    data: SyntheticData,
    grid: _Grid,
    day: Array,
    bodies: np.random.Generator,
    gaps: np.random.Generator,
    extremes: np.random.Generator,
) -> _Path:
    """Log prices relative to the session's open (`before` is unused: all zero)."""
    daily = data.annual_volatility**2 / _SESSIONS_A_YEAR * (1.0 - data.overnight_variance_share)
    deviation = np.sqrt(daily * grid.share) * day[:, None]
    gap_share = data.bar_gap_variance_share
    body_deviation = deviation * np.sqrt(1.0 - gap_share)
    gap_deviation = deviation * np.sqrt(gap_share)
    gap_deviation[:, 0] = 0.0
    gap = gaps.standard_normal(deviation.shape) * gap_deviation
    body = bodies.standard_normal(deviation.shape) * body_deviation
    coupling = _coupling(data.edge, gap_share, grid.full_share)
    if coupling != 0.0:
        fresh = np.sqrt(1.0 - coupling**2)
        feature_deviation = np.where(grid.exists, np.hypot(body_deviation, gap_deviation), 1.0)
        for k in range(1, body.shape[1]):
            feature = (gap[:, k - 1] + body[:, k - 1]) / feature_deviation[:, k - 1]
            body[:, k] = fresh * body[:, k] + coupling * feature * body_deviation[:, k]
    # E[exp(x)] = 1 needs the mean -var/2: prices, not their logarithms, are the martingale.
    unforeseen = np.full(body.shape[1], 1.0 - coupling**2)
    unforeseen[0] = 1.0
    body -= 0.5 * body_deviation**2 * unforeseen
    gap -= 0.5 * gap_deviation**2
    close = np.cumsum(gap + body, axis=1)
    opening = gap.copy()
    opening[:, 1:] += close[:, :-1]
    # Extremes of a Brownian bridge from open to close: they tell nothing about what follows.
    middle, square = opening + close, (close - opening) ** 2
    reach = 2.0 * body_deviation**2
    up, down = extremes.standard_exponential((*middle.shape, 2)).transpose(2, 0, 1)
    high = np.maximum((middle + np.sqrt(square + reach * up)) / 2, np.maximum(opening, close))
    low = np.minimum((middle - np.sqrt(square + reach * down)) / 2, np.minimum(opening, close))
    return _Path(opening, high, low, close, np.zeros(len(day)))


def _coupling(edge: float, gap_share: float, share: Array) -> float:
    """Correlation of a bar's body with the return before it that makes the pooled one `edge`.

    Bars of different volatility are pooled, and a fill-to-fill return ends with a gap that
    nothing predicts: both dilute, by a factor that follows from the shape of the session.
    """
    if edge == 0.0 or len(share) < 3:
        return edge
    body, gap = share * (1.0 - gap_share), share * gap_share
    feature = body[:-2] + np.r_[0.0, gap[1:-2]]
    outcome = body[1:-1] + gap[2:]
    shared = np.sum(np.sqrt(feature * body[1:-1]))
    coupling = edge * float(np.sqrt(np.sum(feature) * np.sum(outcome)) / shared)
    if abs(coupling) >= 1.0:
        raise ConfigError("edge", edge, "too large for this bar_minutes; use a smaller one")
    return coupling


def _benchmark(
    data: SyntheticData, grid: _Grid, day: Array, nights: np.random.Generator, inside: _Path
) -> _Path:
    """Places the sessions one after the other, with the gap, trend and pull in between."""
    deviation = data.annual_volatility * np.sqrt(data.overnight_variance_share / _SESSIONS_A_YEAR)
    night = nights.standard_normal(len(day)) * deviation * day
    night -= 0.5 * (deviation * day) ** 2
    session_return = np.take_along_axis(inside.close, _last_column(grid), axis=1)[:, 0]
    drift = data.annual_drift / _SESSIONS_A_YEAR
    pull = 1.0 - 0.5 ** (1.0 / data.trend_half_life_sessions)
    first = float(np.log(_BENCHMARK_START_PRICE))
    trend = before = first
    befores, opens = np.empty(len(day)), np.empty(len(day))
    for number in range(len(day)):
        opening = before
        if number:
            opening += drift - pull * (before - trend) + float(night[number])
            trend += drift
        befores[number], opens[number] = before, opening
        before = opening + float(session_return[number])
    level = opens[:, None]
    return _Path(
        np.exp(level + inside.open),
        np.exp(level + inside.high),
        np.exp(level + inside.low),
        np.exp(level + inside.close),
        np.exp(befores),
    )


def _leveraged(data: SyntheticData, grid: _Grid, path: _Path) -> _Path:
    """A fund that returns `leverage` times the benchmark's return since the close before."""

    def growth(price: Array) -> Array:
        return np.asarray(1.0 + data.leverage * (price / path.before[:, None] - 1.0))

    daily = np.take_along_axis(growth(path.close), _last_column(grid), axis=1)[:, 0]
    before = np.asarray(data.symbol_start_price * np.cumprod(np.r_[1.0, daily[:-1]]), np.float64)
    high, low = (path.high, path.low) if data.leverage > 0 else (path.low, path.high)
    level = before[:, None]
    fund = _Path(
        level * growth(path.open),
        level * growth(high),
        level * growth(low),
        level * growth(path.close),
        before,
    )
    if not (fund.low[grid.exists] > 0).all():
        remedy = (
            f"the symbol's price falls to zero at leverage={data.leverage:g}; use a smaller one"
        )
        raise ConfigError("data.annual_volatility", data.annual_volatility, remedy)
    return fund


def _last_column(grid: _Grid) -> NDArray[np.int64]:
    return np.asarray(grid.exists.sum(axis=1, keepdims=True) - 1, dtype=np.int64)


def _bars(
    name: str,
    data: SyntheticData,
    grid: _Grid,
    path: _Path,
    expected_volume: Array,
    rng: np.random.Generator,
    note: str,
) -> Bars:
    exists = grid.exists
    noise = _VOLUME_NOISE * rng.standard_normal(exists.shape) - _VOLUME_NOISE**2 / 2
    volume = np.maximum(np.rint(expected_volume * np.exp(noise)), 1.0)
    frame = pd.DataFrame(
        {
            "session": grid.sessions.repeat(exists.sum(axis=1)),
            "bar_start": utc(grid.start_ns[exists]),
            "bar_end": utc(grid.end_ns[exists]),
            "open": path.open[exists],
            "high": path.high[exists],
            "low": path.low[exists],
            "close": path.close[exists],
            "volume": volume[exists],
            "split_factor": np.ones(int(exists.sum())),
        }
    )
    return Bars(symbol=name, bar_minutes=data.bar_minutes, frame=frame, notes=(note,))
