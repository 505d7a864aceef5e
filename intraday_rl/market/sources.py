"""Where bars come from: one function, `load`, whatever the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from intraday_rl.errors import DataError
from intraday_rl.market.aggregation import TradedBars, aggregate
from intraday_rl.market.bars import PRICES, Bars
from intraday_rl.market.calendar import utc
from intraday_rl.market.coverage import holes, without_bad_sessions
from intraday_rl.market.files import (
    BarLabel,
    FileData,
    FileFormat,
    OnBadSession,
    Prices,
)
from intraday_rl.market.plausibility import Floats
from intraday_rl.market.raw_bars import RawBars, from_files
from intraday_rl.market.splits import (
    check_factor_column,
    known_splits,
    late_splits,
    overnight_jumps,
    split_factors,
)
from intraday_rl.market.store import from_store
from intraday_rl.market.store_data import StoreData
from intraday_rl.market.synthetic import SyntheticData, generate
from intraday_rl.market.validation import validate

__all__ = [
    "KNOWN_BENCHMARKS",
    "BarLabel",
    "FileData",
    "FileFormat",
    "MarketData",
    "OnBadSession",
    "Prices",
    "StoreData",
    "SyntheticData",
    "frame_of",
    "load",
    "recorded",
    "source_of",
]

# Leveraged and inverse funds, and the plain fund on the same index.
_FUNDS_BY_BENCHMARK = {
    "QQQ": ("TQQQ", "SQQQ", "QLD", "QID", "PSQ"),
    "SPY": ("UPRO", "SPXU", "SPXL", "SPXS", "SSO", "SDS", "SH"),
    "IWM": ("TNA", "TZA", "URTY", "SRTY", "UWM", "TWM", "RWM"),
    "DIA": ("UDOW", "SDOW", "DDM", "DXD", "DOG"),
    "SOXX": ("SOXL", "SOXS"),
    "XLK": ("TECL", "TECS"),
    "XLF": ("FAS", "FAZ"),
}
KNOWN_BENCHMARKS: dict[str, str] = {
    fund: benchmark for benchmark, funds in _FUNDS_BY_BENCHMARK.items() for fund in funds
}


@dataclass(frozen=True, slots=True)
class MarketData:
    """The bars a run works on: symbol and benchmark over their common span, nothing filled in.

    | field | meaning |
    |---|---|
    | `symbol` | the bars that are traded |
    | `benchmark` | the other series; the symbol's own where there is none |
    | `benchmark_is_own` | the benchmark is the symbol's own series |
    | `synthetic`, `reconstructed` | not real prices; real prices but not real trades |
    | `source` | synthetic, csv, parquet or store |
    | `notes` | what was dropped, assumed, replaced or is missing, in plain words |
    """

    symbol: Bars
    benchmark: Bars
    benchmark_is_own: bool
    synthetic: bool
    reconstructed: bool
    source: str
    notes: tuple[str, ...]


def load(
    data: SyntheticData | FileData | StoreData, symbol: str, benchmark: str | None
) -> MarketData:
    """Read, check, aggregate and clip the bars of `symbol` and its benchmark.

    `benchmark` null looks the name up in `KNOWN_BENCHMARKS`. Symbol and benchmark are clipped to
    their common span of sessions first; then sessions of the symbol that miss too many bars are
    refused or dropped. A hole of the benchmark is reported and changes no bar of the symbol.
    """
    name = benchmark or KNOWN_BENCHMARKS.get(symbol.upper())
    notes: tuple[str, ...] = ()
    if isinstance(data, SyntheticData):
        own, other = generate(data, symbol, name or "BENCHMARK")
        is_own, reconstructed, source = False, False, "synthetic"
        notes += ("synthetic bars: not the prices of any market",)
        if name is None:
            notes += (f"no benchmark is known for {symbol}: a synthetic one without a name",)
    else:
        source = source_of(data)
        raw, raw_other = recorded(data, symbol, name)
        is_own = raw_other is None
        reconstructed = raw.reconstructed or (raw_other is not None and raw_other.reconstructed)
        own = other = _checked(raw, data.bar_minutes)
        if raw_other is None:
            notes += (_own_series_note(data, symbol, name),)
        else:
            other = _checked(raw_other, data.bar_minutes)
            own, other = _common_span(own, other, raw.place, raw_other.place)
        notes += tuple(
            f"{one.symbol}: stored bars of {one.vendor}"
            for one in (raw, raw_other)
            if one and one.vendor
        )
        if reconstructed:
            notes += ("reconstructed bars: prices are computed from other series, not traded",)
        own = _with_findings(own, raw.splits)
        drop = data.on_bad_session is OnBadSession.drop
        own = without_bad_sessions(own, data.max_missing_bars, raw.place, drop=drop)
        other = own if raw_other is None else _with_findings(other, raw_other.splits)
    notes += tuple(f"{own.symbol}: {note}" for note in own.notes)
    if not is_own:
        notes += tuple(f"benchmark {other.symbol}: {note}" for note in other.notes)
    return MarketData(own, other, is_own, source == "synthetic", reconstructed, source, notes)


def source_of(data: SyntheticData | FileData | StoreData) -> str:
    """Where the bars come from, in one word."""
    if isinstance(data, SyntheticData):
        return "synthetic"
    return data.format.value if isinstance(data, FileData) else "store"


def recorded(
    data: FileData | StoreData, symbol: str, benchmark: str | None
) -> tuple[RawBars, RawBars | None]:
    """The rows of the symbol and of its benchmark as they are, before anything is checked."""
    if isinstance(data, StoreData):
        return from_store(data, symbol, benchmark)
    return from_files(data, symbol, benchmark)


def _own_series_note(data: FileData | StoreData, symbol: str, benchmark: str | None) -> str:
    wanted = "no benchmark known"
    if benchmark:
        lacking = "stored bars" if isinstance(data, StoreData) else "data.benchmark_path"
        wanted = f"no {lacking} for {benchmark}"
    return f"{wanted}: {symbol}'s own series stands in for its benchmark"


def _with_findings(bars: Bars, declared_splits: Mapping[str, float] | None) -> Bars:
    """The same bars with notes on their holes and on jumps that look like splits."""
    splits = known_splits(bars.symbol, declared_splits) or {}
    return replace(bars, notes=bars.notes + holes(bars) + overnight_jumps(bars, splits))


def _common_span(own: Bars, other: Bars, place: str, other_place: str) -> tuple[Bars, Bars]:
    ours, theirs = own.session_index(), other.session_index()
    first = max(ours[0], theirs[0]).date()
    last = min(ours[-1], theirs[-1]).date()
    if first > last:
        raise DataError(
            f"{place} ({ours[0].date()} to {ours[-1].date()}) and {other_place} "
            f"({theirs[0].date()} to {theirs[-1].date()}) have no session in common; give a "
            "benchmark of the same days or none"
        )
    return _clip(own, first, last), _clip(other, first, last)


def _clip(bars: Bars, first: date, last: date) -> Bars:
    clipped = bars.between(first, last)
    before, after = len(bars.session_index()), len(clipped.session_index())
    if after == 0:
        raise DataError(f"{bars.symbol}: no session from {first} to {last}, the common span")
    if before == after:
        return clipped
    note = f"clipped to the common span {first} to {last}: {after} of {before} sessions"
    return replace(clipped, notes=(*clipped.notes, note))


def _checked(raw: RawBars, bar_minutes: int) -> Bars:
    """Bars of the traded length out of what was recorded."""
    clean = validate(raw.frame, raw.place, stamped_at_end=raw.stamped_at_end, timezone=raw.timezone)
    if "split_factor" in clean.values:
        check_factor_column(clean.session_ns, clean.values["split_factor"], raw.place)
    traded = aggregate(clean, bar_minutes)
    if not traded.start_ns.size:
        raise DataError(
            f"{raw.place}: no bar of {bar_minutes} minutes can be built: none of its bars starts "
            "with one; check data.bar_minutes, data.bar_label and data.timezone"
        )
    factor, known, split_notes = _factor(traded, raw)
    frame = frame_of(traded, factor, raw.prices)
    notes = clean.notes + raw.notes + traded.notes + split_notes
    return Bars(raw.symbol, bar_minutes, frame, notes, split_factor_known=known)


def frame_of(traded: TradedBars, factor: Floats, prices: Prices) -> pd.DataFrame:
    """The columns of `Bars`; `factor` of each bar, traded price = adjusted price * factor."""
    divisor = factor if prices is Prices.traded else np.ones_like(factor)
    return pd.DataFrame(
        {
            "session": traded.session_ns.astype("datetime64[ns]"),
            "bar_start": utc(traded.start_ns),
            "bar_end": utc(traded.end_ns),
            **{name: traded.values[name] / divisor for name in PRICES},
            # Volume follows the prices: shares in adjusted terms, however the file counts them.
            "volume": traded.values["volume"] * divisor,
            "split_factor": factor,
        }
    )


def _factor(traded: TradedBars, raw: RawBars) -> tuple[Floats, bool, tuple[str, ...]]:
    """The factor of each bar, whether anything is known about it, and what was assumed."""
    if "split_factor" in traded.values:
        ignored = raw.splits is not None
        note = "data.splits ignored: the file has its own split_factor column"
        return traded.values["split_factor"], True, (note,) if ignored else ()
    splits = known_splits(raw.symbol, raw.splits)
    if splits is None:
        note = "splits unknown (no split_factor column, shipped table or data.splits): factor 1"
        return np.ones(len(traded.session_ns)), False, (note,)
    last = pd.Timestamp(traded.session_ns[-1]).date()
    through = date.fromisoformat(raw.adjusted_through) if raw.adjusted_through else last
    is_traded = raw.prices is Prices.traded
    factor = split_factors(traded.session_ns, splits, through, prices_are_traded=is_traded)
    notes: tuple[str, ...] = ()
    if splits:
        origin = "" if raw.adjusted_through else ", the file's last session"
        notes += (f"split factors are relative to {through}{origin}",)
    if not is_traded and (late := late_splits(splits, through, last)):
        notes += (f"splits after data.adjusted_through not in the factor: {', '.join(late)}",)
    return factor, True, notes
