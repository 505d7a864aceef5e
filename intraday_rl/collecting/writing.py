"""Putting months into the store: whole or not at all, by one process at a time."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from filelock import FileLock, Timeout

from intraday_rl.collecting.part import month_of, settled
from intraday_rl.errors import DataError
from intraday_rl.market.bars import PRICES
from intraday_rl.market.calendar import NEW_YORK
from intraday_rl.market.catalogue import Catalogue, Part
from intraday_rl.market.store import Series, read_part
from intraday_rl.records import write_json


@contextmanager
def writing_alone(series: Series) -> Iterator[None]:
    """Hold the series; a second writer is refused, readers are not disturbed."""
    series.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(series.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise DataError(
            f"{series.folder}: another process is writing it; wait for it to end"
        ) from None
    try:
        for unfinished in series.folder.glob(".*.parquet.*"):  # left by a process that was killed
            unfinished.unlink()
        yield
    finally:
        lock.release()


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
    stored = None if before is None else read_part(series, month, before)
    if before is not None and stored is not None:
        rows = _with_older(rows, stored, before, adjusted_through, catalogue.splits or {})
    made = month_of(rows, month, series.bar_minutes, now, adjusted_through)
    if made is None:
        return catalogue
    frame, part = made
    part = settled(part, before)
    if before is None or stored is None or before.fingerprint != part.fingerprint:
        _write_parquet(series, month, frame)
    after = catalogue.with_part(month, part)
    write_json(series.catalogue, after.as_dict())
    return after


def _with_older(
    rows: pd.DataFrame,
    stored: pd.DataFrame,
    before: Part,
    through: str | None,
    splits: Mapping[str, float],
) -> pd.DataFrame:
    """The new rows, and the stored ones of sessions that the new ones lack, in today's terms."""
    new_days, old_days = (_days(frame["timestamp"]) for frame in (rows, stored))
    kept = stored[~old_days.isin(new_days.unique())]
    if kept.empty:
        return rows
    since = [
        ratio for day, ratio in splits.items() if through and before.adjusted_through
        and before.adjusted_through < day <= through
    ]  # fmt: skip
    factor = float(np.prod(since)) if since else 1.0
    prices = {name: kept[name] / factor for name in PRICES}
    return pd.concat([kept.assign(**prices, volume=kept["volume"] * factor), rows])


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
