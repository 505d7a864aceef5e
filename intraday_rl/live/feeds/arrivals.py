"""What comes from Alpaca, in words that need no client library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from intraday_rl.live.feeds.fine_bar import FineBar

# What another shape than the documented one makes of reading it.
NOT_UNDERSTOOD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class BarArrived:
    """A bar as it was sent; a `correction` replaces one that was sent before."""

    symbol: str
    raw: Mapping[str, Any]
    correction: bool = False


@dataclass(frozen=True, slots=True)
class StreamUp:
    """Connected, and the keys accepted."""


@dataclass(frozen=True, slots=True)
class StreamDown:
    """No bars come; it is tried again. `reason` holds no key."""

    reason: str


@dataclass(frozen=True, slots=True)
class StreamNote:
    """Something was wrong, and the stream goes on."""

    reason: str


@dataclass(frozen=True, slots=True)
class DayFetched:
    """The answer to a request for the day so far: the bars of each symbol."""

    bars: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """A request for the day so far has no answer. `reason` holds no key."""

    reason: str


Arrival = BarArrived | StreamUp | StreamDown | StreamNote | DayFetched | FetchFailed


def fine_bar_of(raw: Any) -> FineBar:
    """The bar of Alpaca's fields t, o, h, l, c, v; raises one of `NOT_UNDERSTOOD` if it is none."""
    return FineBar(_stamp(raw["t"]), *(_number(raw[name]) for name in "ohlcv"))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("no number")
    return float(value)


def _stamp(value: Any) -> pd.Timestamp:
    """The stream sends msgpack's own time, the answers of requests ISO 8601."""
    if isinstance(value, str):
        stamp = pd.Timestamp(value)
        if stamp.tzinfo is None:
            raise ValueError("a stamp without an offset")
    else:
        stamp = pd.Timestamp(value.to_unix_nano(), tz="UTC")
    return stamp.tz_convert("UTC").as_unit("ns")
