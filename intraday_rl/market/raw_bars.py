"""One symbol's bars as they were recorded, with what is said about them; nothing checked yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from intraday_rl.market.files import BarLabel, FileData, Prices, read_columns


@dataclass(frozen=True, slots=True)
class RawBars:
    """Columns `timestamp, open, high, low, close[, volume][, split_factor]` and their meaning.

    | field | meaning |
    |---|---|
    | `place` | the file or series, as messages name it |
    | `stamped_at_end`, `timezone` | how `timestamp` is to be read; zoned stamps need no zone |
    | `prices` | adjusted for splits, or as they were traded |
    | `splits` | date: ratio; {} = none happened; None = the shipped table, if it has the symbol |
    | `adjusted_through` | later splits do not enter; None = the last session |
    | `reconstructed` | not real trades |
    | `vendor` | who recorded them, where the store says; else None |
    | `notes` | what was assumed while they were read |
    """

    symbol: str
    place: str
    frame: pd.DataFrame
    stamped_at_end: bool
    timezone: str | None
    prices: Prices
    splits: Mapping[str, float] | None
    adjusted_through: str | None
    reconstructed: bool
    vendor: str | None = None
    notes: tuple[str, ...] = ()


def from_files(
    data: FileData, symbol: str, benchmark: str | None
) -> tuple[RawBars, RawBars | None]:
    """The symbol's file and, where there is one, its benchmark's."""
    own = _from_file(data, data.path, symbol, data.splits)
    if data.benchmark_path is None:
        return own, None
    name = benchmark or Path(data.benchmark_path).stem
    return own, _from_file(data, data.benchmark_path, name, None)


def _from_file(
    data: FileData, path: str, symbol: str, splits: Mapping[str, float] | None
) -> RawBars:
    return RawBars(
        symbol=symbol,
        place=path,
        frame=read_columns(path, data),
        stamped_at_end=data.bar_label is BarLabel.end,
        timezone=data.timezone,
        prices=data.prices,
        splits=splits,
        adjusted_through=data.adjusted_through,
        reconstructed=data.is_reconstructed(),
    )
