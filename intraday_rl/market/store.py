"""The store of bars: where each series lies, which one is meant, and reading it.

`<store>/<symbol>/<vendor>-<minutes>min/` holds `catalogue.json` and one parquet file a month. The
bars are stored as their vendor gave them, stamped by their start in UTC; what splits make of them
is worked out while reading, so that a later split changes no stored file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet

from intraday_rl.errors import DataError
from intraday_rl.market.bars import PRICES
from intraday_rl.market.calendar import NEW_YORK, nanoseconds
from intraday_rl.market.catalogue import Catalogue, Part, fingerprint_of_rows, read_catalogue
from intraday_rl.market.files import Prices
from intraday_rl.market.raw_bars import RawBars
from intraday_rl.market.splits import (
    SHIPPED,
    known_splits,
    overnight_moves,
    settled_by_prices,
    split_disagreement,
    split_factors,
)
from intraday_rl.market.store_data import VENDOR, StoreData

_FOLDER = re.compile(rf"({VENDOR.pattern})-([1-9][0-9]*)min")


@dataclass(frozen=True, slots=True)
class Series:
    """One symbol's bars of one length from one vendor, as a place in the store."""

    store: Path
    symbol: str
    vendor: str
    bar_minutes: int

    def __str__(self) -> str:
        return f"{self.symbol} {self.bar_minutes} min of {self.vendor}"

    @property
    def folder(self) -> Path:
        return self.store / self.symbol / f"{self.vendor}-{self.bar_minutes}min"

    @property
    def catalogue(self) -> Path:
        """Written last: a month that it does not name is not there."""
        return self.folder / "catalogue.json"

    @property
    def lock(self) -> Path:
        """Held by whoever writes the series."""
        return self.folder / "writing.lock"

    def part(self, month: str) -> Path:
        """The file of a month such as 2018-01."""
        return self.folder / f"{month}.parquet"

    def read(self) -> Catalogue | None:
        """Its catalogue; None if nothing is stored yet."""
        return read_catalogue(self.catalogue) if self.catalogue.is_file() else None


def stored_series(store: Path, symbol: str | None = None) -> list[Series]:
    """Every series with a catalogue, of one symbol or of all, in the order of their names."""
    pattern = f"{symbol or '*'}/*/catalogue.json"
    found = []
    for file in sorted(store.glob(pattern)) if store.is_dir() else []:
        if name := _FOLDER.fullmatch(file.parent.name):
            found.append(Series(store, file.parents[1].name, name[1], int(name[2])))
    return found


def from_store(
    data: StoreData, symbol: str, benchmark: str | None
) -> tuple[RawBars, RawBars | None]:
    """The symbol's stored bars and, where the same vendor's are there, its benchmark's."""
    series = chosen_series(data, symbol)
    own = _raw_bars(series, data, data.splits)
    if benchmark is None or benchmark == symbol:
        return own, None
    other = Series(series.store, benchmark, series.vendor, series.bar_minutes)
    return own, _raw_bars(other, data, None) if other.catalogue.is_file() else None


def chosen_series(data: StoreData, symbol: str) -> Series:
    """The one series that fits; raises `DataError` naming what there is if none or several do."""
    assert data.store is not None  # loading.load_market fills it in
    there = stored_series(Path(data.store), symbol)
    fitting = [
        series
        for series in there
        if data.vendor in (None, series.vendor)
        and data.stored_minutes in (None, series.bar_minutes)
        and data.bar_minutes % series.bar_minutes == 0
    ]
    if len(fitting) == 1:
        return fitting[0]
    shown = "; ".join(map(str, there)) or f"nothing of {symbol}"
    if fitting:
        raise DataError(
            f"{data.store}: several series fit: {'; '.join(map(str, fitting))}; say which by "
            "data.vendor and data.stored_minutes"
        )
    of = f" of {data.vendor}" if data.vendor else ""
    stored = f" of {data.stored_minutes} minutes" if data.stored_minutes else ""
    raise DataError(
        f"{data.store}: no bars of {symbol}{of}{stored} that {data.bar_minutes}-minute bars can be "
        f"made from; the store has {shown}; task=download symbol={symbol} data=<vendor> or "
        "task=import fills it"
    )


def read_parts(series: Series, catalogue: Catalogue) -> dict[str, pd.DataFrame]:
    """Every month's rows, checked against the catalogue's fingerprints."""
    parts = {}
    for month, part in catalogue.parts.items():
        frame = read_part(series, month, part)
        if frame is None:
            raise DataError(
                f"{series.part(month)} is missing, damaged or half replaced: {_again(series)}"
            )
        parts[month] = frame
    return parts


def read_part(series: Series, month: str, part: Part) -> pd.DataFrame | None:
    """A month's rows; None if the file is not the one that the catalogue describes."""
    try:
        frame = pyarrow.parquet.read_table(series.part(month)).to_pandas()
        return frame if fingerprint_of_rows(frame) == part.fingerprint else None
    except Exception:  # whatever a damaged file makes the reader raise
        return None


def unreadable_months(series: Series, catalogue: Catalogue) -> list[str]:
    """Months whose file is not the one that the catalogue describes: to be fetched again."""
    return [
        month for month, part in catalogue.parts.items() if read_part(series, month, part) is None
    ]


def _again(series: Series) -> str:
    return f"download or import {series.symbol} again"


def _as_one(series: Series) -> tuple[Catalogue, dict[str, pd.DataFrame]]:
    """Catalogue and rows that belong together, though a download may go on meanwhile."""
    catalogue = series.read()
    while catalogue is not None and catalogue.parts:
        try:
            return catalogue, read_parts(series, catalogue)
        except DataError:
            before, catalogue = catalogue, series.read()
            if catalogue == before:  # nobody replaced a month under our eyes
                raise
    raise DataError(f"{series.folder}: holds no month yet; download or import it")


def _raw_bars(series: Series, data: StoreData, declared: Mapping[str, float] | None) -> RawBars:
    catalogue, parts = _as_one(series)
    splits, notes = _splits_of(series, catalogue, parts, declared)
    prices, through = catalogue.prices, data.adjusted_through
    adjusted = {part.adjusted_through for part in catalogue.parts.values()}
    if catalogue.adjusted and through is None and len(adjusted) == 1:
        through = adjusted.pop()  # all months in the same terms: read as they are
    elif catalogue.adjusted and splits is not None:
        parts = {month: _traded(parts[month], catalogue.parts[month], splits) for month in parts}
        prices = Prices.traded
    frame = pd.concat(parts.values())
    days = frame["timestamp"].dt.tz_convert(NEW_YORK).dt.strftime("%Y-%m-%d")
    wanted = (days >= (data.start or "")) & (days <= (data.end or "9999"))
    if not wanted.any():
        raise DataError(
            f"{series.folder}: has {days.iloc[0]} to {days.iloc[-1]}, nothing of data.start="
            f"{data.start} to data.end={data.end}"
        )
    return RawBars(
        symbol=series.symbol,
        place=str(series.folder),
        frame=frame[wanted].reset_index(drop=True),
        stamped_at_end=False,
        timezone=None,
        prices=prices,
        splits=splits,
        adjusted_through=through,
        reconstructed=catalogue.reconstructed,
        vendor=f"{series.vendor} ({series.bar_minutes} min)",
        notes=notes,
    )


def _splits_of(
    series: Series,
    catalogue: Catalogue,
    parts: Mapping[str, pd.DataFrame],
    declared: Mapping[str, float] | None,
) -> tuple[Mapping[str, float] | None, tuple[str, ...]]:
    """`declared`, else the vendor's, else the shipped table's, with notes; None = nobody knows.

    Where vendor and shipped table disagree on the stored span, prices as they were traded may say
    which is right. Otherwise `DataError`: prices and costs hang on it, so the user says.
    """
    shipped = SHIPPED.get(series.symbol)
    if declared is not None or catalogue.splits is None or shipped is None:
        return known_splits(series.symbol, catalogue.splits if declared is None else declared), ()
    moves = overnight_moves(pd.concat(parts.values()))
    differs = []
    if len(moves):
        differs = split_disagreement(catalogue.splits, shipped, moves.index[0], moves.index[-1])
    if not differs:
        return catalogue.splits, ()
    agreed = None
    if not catalogue.adjusted:
        agreed = settled_by_prices(catalogue.splits, shipped, moves)
    if agreed is None:
        raise DataError(
            f"{series.folder}: {series.vendor} and the shipped table disagree on splits: "
            f"{'; '.join(differs)}; say what is right by data.splits"
        )
    said = ", ".join(f"{day} {ratio:g}:1" for day, ratio in sorted(agreed.items())) or "none"
    return agreed, (f"splits settled by the prices ({'; '.join(differs)}): {said}",)


def _traded(frame: pd.DataFrame, part: Part, splits: Mapping[str, float]) -> pd.DataFrame:
    """A month's adjusted rows in prices as they were traded."""
    if part.adjusted_through is None:
        return frame
    days = frame["timestamp"].dt.tz_convert(NEW_YORK).dt.tz_localize(None).dt.normalize()
    through = date.fromisoformat(part.adjusted_through)
    factor = split_factors(nanoseconds(days), splits, through, prices_are_traded=False)
    prices = {name: frame[name] * factor for name in PRICES}
    return frame.assign(**prices, volume=frame["volume"] / factor)
