"""Putting months into the store: whole or not at all, by one process at a time."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from filelock import FileLock, Timeout

from intraday_rl.collecting.part import month_of, settled
from intraday_rl.errors import DataError
from intraday_rl.market.bars import PRICES
from intraday_rl.market.calendar import NEW_YORK, nanoseconds
from intraday_rl.market.catalogue import Catalogue
from intraday_rl.market.splits import known_splits, split_factors
from intraday_rl.market.store import Series, read_part
from intraday_rl.records import write_json


@contextmanager
def writing_alone(series: Series) -> Iterator[None]:
    """Hold the series; a second writer is refused, readers are not disturbed."""
    lock = FileLock(series.lock)
    with _refusals_told(series):
        series.folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise DataError(
                f"{series.folder}: another process is writing it; wait for it to end"
            ) from None
    try:
        with _refusals_told(series):
            for unfinished in series.folder.glob(".*.*.*"):  # left by a process that was killed
                unfinished.unlink()
        yield
    finally:
        lock.release()


@contextmanager
def _refusals_told(series: Series) -> Iterator[None]:
    """A full or read-only disk, as a message about the store."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{series.folder}: cannot be written to ({error.strerror or error}); make room or make "
            "it writable, or name another store by data.store; finished months are kept"
        ) from error


def keep_month(
    series: Series,
    catalogue: Catalogue,
    month: str,
    rows: pd.DataFrame,
    now: pd.Timestamp,
    adjusted_through: str | None,
) -> Catalogue:
    """Store what was recorded of a month; the caller holds the series.

    Sessions that were stored and are absent from `rows` are kept: a vendor whose history is short
    forgets, the store does not. The file comes first and the catalogue after it, each by one
    rename; a catalogue never names a file that is not there, and a file that it describes
    otherwise (killed between the two) is fetched again.
    """
    before = catalogue.parts.get(month)
    stored = stored_rows(series, catalogue, month, adjusted_through)
    if stored is not None:
        new_days, old_days = (_days(frame["timestamp"]) for frame in (rows, stored))
        rows = pd.concat([stored[~old_days.isin(new_days.unique())], rows])
    made = month_of(rows, month, series.bar_minutes, now, adjusted_through)
    if made is None:
        return catalogue
    frame, part = made
    part = settled(part, before)
    after = catalogue.with_part(month, part)
    with _refusals_told(series):
        if before is None or stored is None or before.fingerprint != part.fingerprint:
            _write_parquet(series, month, frame)
    keep_catalogue(series, after)
    return after


def keep_catalogue(series: Series, catalogue: Catalogue) -> None:
    """Replace the series' catalogue; the caller holds the series."""
    with _refusals_told(series):
        write_json(series.catalogue, catalogue.as_dict())


def stored_rows(
    series: Series, catalogue: Catalogue, month: str, adjusted_through: str | None
) -> pd.DataFrame | None:
    """What is stored of a month, in prices that are adjusted for splits up to `adjusted_through`
    (null: as they were traded); None if nothing readable is."""
    part = catalogue.parts.get(month)
    frame = None if part is None else read_part(series, month, part)
    if part is None or frame is None:
        return None
    return readjusted(frame, catalogue, part.adjusted_through, adjusted_through)


def readjusted(
    frame: pd.DataFrame, catalogue: Catalogue, before: str | None, after: str | None
) -> pd.DataFrame:
    """Rows that are adjusted for splits up to the day `before`, adjusted up to the day `after`."""
    splits = known_splits(catalogue.symbol, catalogue.splits)
    if before is None or after is None or before == after or not splits:
        return frame
    sessions_ns = nanoseconds(pd.to_datetime(_days(frame["timestamp"])))
    old, new = (
        split_factors(sessions_ns, splits, date.fromisoformat(day), prices_are_traded=False)
        for day in (before, after)
    )
    prices = {name: frame[name] * (old / new) for name in PRICES}
    return frame.assign(**prices, volume=frame["volume"] * (new / old))


def _days(stamps: pd.Series) -> pd.Series:
    return pd.to_datetime(stamps, utc=True).dt.tz_convert(NEW_YORK).dt.date


def _write_parquet(series: Series, month: str, frame: pd.DataFrame) -> None:
    file = series.part(month)
    unfinished = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        with unfinished.open("xb") as target:
            table = pa.Table.from_pandas(frame, preserve_index=False)
            pyarrow.parquet.write_table(table, target, compression="zstd")
            target.flush()
            os.fsync(target.fileno())
        os.replace(unfinished, file)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def with_splits(
    catalogue: Catalogue, splits: Mapping[str, float] | None, through: str
) -> Catalogue:
    """The catalogue with the vendor's splits as it tells them today."""
    return replace(catalogue, splits=splits, splits_through=through)
