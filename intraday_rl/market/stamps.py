"""Time stamps of a file, turned into UTC nanoseconds without guessing a zone or a format."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.errors import DataError
from intraday_rl.market.calendar import NEW_YORK, nanoseconds, utc

_OFFSET = r"(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"
# Text of a time and its offset; the first group is the time without it.
TIME_WITH_OFFSET = r"(\d{2}:\d{2}.*?)" + _OFFSET
# The exchange calendar is built for these years; a stamp beyond them is a unit mistaken.
_EARLIEST, _LATEST = pd.Timestamp("1990-01-01", tz="UTC"), pd.Timestamp("2039-12-01", tz="UTC")


def stamps_in_utc(
    stamps: pd.Series, timezone: str | None, file: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """UTC nanoseconds of each row's stamp, and notes.

    | stamps in the file | `timezone` absent | `timezone` given |
    |---|---|---|
    | with a zone or offset | used as they are | must agree with them row by row; then a note |
    | naive | refused | read as local time there |
    | numbers | refused: an epoch's unit would be a guess | refused |
    | text | ISO 8601 only: day and month are never guessed | the same |
    """
    if len(stamps) == 0:
        raise DataError(f"{file}: has no data rows; give a file with bars")
    missing = stamps.isna().to_numpy()
    if missing.any():
        row = int(np.argmax(missing))
        raise DataError(f"{file}: row {row + 1}: the time stamp is empty; remove or repair the row")
    parsed, written = _parsed(stamps, file)
    zoned = parsed.tz is not None
    notes: tuple[str, ...] = ()
    if zoned:
        if timezone is not None:
            _check_agreement(parsed, written, timezone, file)
            notes = (f"data.timezone={timezone} not needed: the stamps carry their own offset",)
    elif timezone is None:
        raise DataError(
            f"{file}: row 1 ({stamps.iloc[0]}): the stamps are naive; "
            "say their zone with data.timezone (America/New_York, UTC, ...)"
        )
    else:
        parsed = _localised(parsed, timezone, file)
    outside = (parsed < _EARLIEST) | (parsed > _LATEST)
    if outside.any():
        row = int(np.argmax(outside))
        raise DataError(
            f"{file}: row {row + 1} ({parsed[row]}): the stamp lies outside "
            f"{_EARLIEST.year} to {_LATEST.year}; check the column named by data.columns.timestamp"
        )
    future = parsed > now()
    if future.any():
        row = int(np.argmax(future))
        raise DataError(
            f"{file}: row {row + 1} ({parsed[row]}): the stamp lies in the future; check the order "
            "of day and month, data.timezone and this machine's clock"
        )
    return nanoseconds(parsed.tz_convert("UTC")), notes


def _parsed(stamps: pd.Series, file: str) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex | None]:
    """The stamps (zoned or naive), and for text with offsets the wall time as it was written."""
    if isinstance(stamps.dtype, pd.DatetimeTZDtype) or stamps.dtype.kind == "M":
        return pd.DatetimeIndex(stamps), None
    if not (pd.api.types.is_string_dtype(stamps) or stamps.dtype == object):
        raise DataError(
            f"{file}: row 1 ({stamps.iloc[0]}): the time stamps are stored as {stamps.dtype}, "
            "not as times (an epoch?); store them as ISO 8601 text or as a timestamp column"
        )
    text = stamps.astype(str)
    without = text.str.replace(TIME_WITH_OFFSET, r"\1", regex=True)
    has_offset = (without != text).to_numpy(dtype=bool)
    wall = _from_iso(without, file, zoned=False)
    if has_offset.any() and not has_offset.all():
        row = int(np.argmax(has_offset != has_offset[0]))
        raise DataError(
            f"{file}: row {row + 1} ({text.iloc[row]}): some stamps carry a UTC offset and some "
            "do not; write all of them the same way"
        )
    if not has_offset.all():
        return wall, None
    return _from_iso(text, file, zoned=True), wall


def _from_iso(text: pd.Series, file: str, *, zoned: bool) -> pd.DatetimeIndex:
    times = pd.to_datetime(text, format="ISO8601", utc=zoned, errors="coerce")
    bad = times.isna().to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"{file}: row {row + 1} ({text.iloc[row]}): the time stamp is not ISO 8601; "
            "write it as 2021-11-26 09:30:00, with or without an offset like -05:00"
        )
    return pd.DatetimeIndex(times)


def _check_agreement(
    parsed: pd.DatetimeIndex, written: pd.DatetimeIndex | None, timezone: str, file: str
) -> None:
    wall = parsed.tz_localize(None) if written is None else written
    there = parsed.tz_convert(timezone).tz_localize(None)
    differs = np.asarray(wall != there)
    if differs.any():
        row = int(np.argmax(differs))
        raise DataError(
            f"{file}: row {row + 1} ({parsed[row]}): the stamp's own offset contradicts "
            f"data.timezone={timezone}; the stamps need none, remove data.timezone"
        )


def _localised(naive: pd.DatetimeIndex, timezone: str, file: str) -> pd.DatetimeIndex:
    """Naive stamps as local time in `timezone`; an hour that was skipped or repeated is refused."""
    doubtful = naive.tz_localize(timezone, ambiguous="NaT", nonexistent="NaT")
    bad = np.asarray(doubtful.isna())
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"{file}: row {row + 1} ({naive[row]}): this time does not exist or exists twice in "
            f"{timezone} (change of the clocks); write the stamps with their offset"
        )
    return pd.DatetimeIndex(doubtful)


def now() -> pd.Timestamp:
    """This machine's clock."""
    return pd.Timestamp.now("UTC")


def day_text(ns: int | np.int64) -> str:
    """The New York date of a stamp as messages show it."""
    return str(utc(np.array([ns], dtype=np.int64)).tz_convert(NEW_YORK)[0].date())


def stamp_text(ns: int | np.int64) -> str:
    """A stamp as messages show it."""
    return str(utc(np.array([ns], dtype=np.int64))[0])
