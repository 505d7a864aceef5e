"""A file's rows, refused with a reason or accepted as clean bars of one length inside sessions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.errors import DataError
from intraday_rl.market.bars import PRICES
from intraday_rl.market.calendar import MINUTE_NS, nanoseconds, open_close_ns, sessions, utc
from intraday_rl.market.plausibility import (
    Floats,
    Ints,
    check_clock,
    check_label,
    check_open_and_close,
)
from intraday_rl.market.stamps import stamp_text, stamps_in_utc

# Beyond these no price or volume was ever paid or counted, and arithmetic on it would overflow.
_PRICES_WITHIN, _MOST_VOLUME = (1e-9, 1e12), 1e15
_REPAIR = "repair or remove the row"


@dataclass(frozen=True, slots=True)
class CleanBars:
    """Bars as the file has them, each placed in its session; prices not yet adjusted.

    `session_ns` (midnight), `open_ns`, `close_ns` (the session's, UTC) and `start_ns` have one
    entry a bar; `values` holds open, high, low, close, volume and, if the file has it,
    split_factor; `file_bar_ns` is the file's constant bar length.
    """

    file: str
    file_bar_ns: int
    session_ns: Ints
    open_ns: Ints
    close_ns: Ints
    start_ns: Ints
    values: dict[str, Floats]
    notes: tuple[str, ...]


def validate(
    raw: pd.DataFrame, file: str, *, stamped_at_end: bool, timezone: str | None
) -> CleanBars:
    """Check the columns `timestamp, open, high, low, close[, volume][, split_factor]` of a file.

    Refused (`DataError` with the file's data row, counted from 1): a value that is not a number,
    duplicate or unordered stamps, a bar across a session border or off the session's grid, NaN,
    infinite or non-positive prices, high < low, open or close outside [low, high], negative
    volume, stamps that contradict the declared label or zone. Bars wholly outside the exchange's
    sessions are dropped and counted before prices are looked at. NaN volume means unknown.
    """
    stamps_ns, notes = stamps_in_utc(raw["timestamp"], timezone, file)
    values = {
        name: _numbers(raw[name], name, stamps_ns, file)
        for name in (*PRICES, "volume", "split_factor")
        if name in raw.columns
    }
    _check_order(stamps_ns, file)
    table = sessions(_day(stamps_ns[0], -7), _day(stamps_ns[-1], 7))  # never empty
    session_ns, (opens, closes) = nanoseconds(pd.DatetimeIndex(table.index)), open_close_ns(table)
    bar_ns = _file_bar_ns(stamps_ns, opens, closes, file)
    check_clock(stamps_ns, opens, closes, bar_ns, file)
    check_label(stamps_ns, opens, closes, stamped_at_end, file)

    start = starts_of(stamps_ns, opens, closes, bar_ns) if stamped_at_end else stamps_ns
    place = np.searchsorted(opens, start + bar_ns, side="left") - 1
    inside = (place >= 0) & (start < closes[place])
    rows, start, place = np.flatnonzero(inside), start[inside], place[inside]
    _check_grid(start, opens[place], closes[place], bar_ns, rows, stamps_ns, file)
    values = {name: column[inside] for name, column in values.items()}
    _check_values(values, rows, stamps_ns, file)
    check_open_and_close(values["open"], values["close"], session_ns[place], file)
    if dropped := len(stamps_ns) - len(rows):
        notes += (f"{dropped} bars outside the exchange's sessions dropped",)
    values.setdefault("volume", np.full(len(rows), np.nan))
    return CleanBars(
        file, bar_ns, session_ns[place], opens[place], closes[place], start, values, notes
    )


def _refuse(file: str, row: int | np.intp, stamp_ns: np.int64, reason: str) -> NoReturn:
    raise DataError(f"{file}: row {row + 1} ({stamp_text(stamp_ns)}): {reason}")


def _numbers(column: pd.Series, name: str, stamps_ns: Ints, file: str) -> Floats:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
    as_numbers = pd.to_numeric(column, errors="coerce")
    bad = (as_numbers.isna() & column.notna()).to_numpy(dtype=bool)
    if bad.any():
        row = int(np.argmax(bad))
        _refuse(
            file, row, stamps_ns[row], f"{name}={column.iloc[row]!r} is not a number; {_REPAIR}"
        )
    if column.isna().all():
        return np.full(len(column), np.nan)
    raise DataError(
        f"{file}: column {name} is stored as {column.dtype}, not as numbers; "
        "write it as float or integer"
    )


def _check_order(stamps_ns: Ints, file: str) -> None:
    wrong = np.diff(stamps_ns) <= 0
    if wrong.any():
        row = int(np.argmax(wrong)) + 1
        kind = (
            "duplicate" if stamps_ns[row] == stamps_ns[row - 1] else "earlier than the row before"
        )
        _refuse(file, row, stamps_ns[row], f"the time stamp is {kind}; sort and deduplicate")


def _file_bar_ns(stamps_ns: Ints, opens: Ints, closes: Ints, file: str) -> int:
    """The most common distance of neighbouring stamps of one session."""
    place = np.searchsorted(opens, stamps_ns, side="right") - 1
    inside = (place >= 0) & (stamps_ns <= closes[place])
    if not inside.any():
        raise DataError(
            f"{file}: no time stamp lies inside a session of the exchange "
            f"({stamp_text(stamps_ns[0])} to {stamp_text(stamps_ns[-1])}); check data.timezone"
        )
    same = inside[1:] & inside[:-1] & (place[1:] == place[:-1])
    lengths, counts = np.unique(np.diff(stamps_ns)[same], return_counts=True)
    if len(lengths) == 0:
        raise DataError(
            f"{file}: at most one bar a session, so no bar length; intraday bars are needed"
        )
    return int(lengths[np.argmax(counts)])


def starts_of(stamps_ns: Ints, opens: Ints, closes: Ints, bar_ns: int) -> Ints:
    """Starts of bars stamped by their end; a session's last bar may be shorter than the others."""
    start = stamps_ns - bar_ns
    place = np.searchsorted(closes, stamps_ns)
    place[place == len(closes)] = 0
    short = (closes[place] - opens[place]) % bar_ns
    last = (closes[place] == stamps_ns) & (short > 0)
    return np.where(last, stamps_ns - short, start)


def _check_grid(
    start: Ints,
    opens: Ints,
    closes: Ints,
    bar_ns: int,
    rows: NDArray[np.intp],
    stamps_ns: Ints,
    file: str,
) -> None:
    off = (start - opens) % bar_ns != 0
    if not off.any():
        return
    first = int(np.argmax(off))
    minutes = f"{bar_ns / MINUTE_NS:g}-minute"
    crosses = start[first] < opens[first] or start[first] + bar_ns > closes[first]
    _refuse(
        file,
        rows[first],
        stamps_ns[rows[first]],
        f"the {minutes} bar crosses the border of the session "
        f"{stamp_text(opens[first])} to {stamp_text(closes[first])}; check data.bar_label, "
        "data.timezone and the bar length"
        if crosses
        else f"the bar is off the {minutes} grid of its session: bar lengths are not constant; "
        f"{_REPAIR}, or give a file of one bar length",
    )


def _check_values(
    values: dict[str, Floats], rows: NDArray[np.intp], stamps_ns: Ints, file: str
) -> None:
    for fault in value_faults(values):
        if fault.bad.any():
            at = int(np.argmax(fault.bad))
            swapped = np.count_nonzero(fault.bad) > len(fault.bad) / 2
            remedy = "check data.columns, most rows are so" if swapped else _REPAIR
            said = fault.said(values, at)
            _refuse(file, rows[at], stamps_ns[rows[at]], f"{said}; {remedy}")


@dataclass(frozen=True, slots=True)
class Fault:
    """What no bar's values may be: which bars are so, by which of their columns, and why not."""

    bad: NDArray[np.bool_]
    names: tuple[str, ...]
    reason: str

    def said(self, values: dict[str, Floats], at: int) -> str:
        """The values of one such bar with the reason, as messages show them."""
        shown = ", ".join(f"{name}={values[name][at]:g}" for name in self.names)
        return f"{shown}: {self.reason}"


def value_faults(values: dict[str, Floats]) -> Iterator[Fault]:
    """Every rule that the values of bars must keep, each with the bars that break it."""
    lowest, highest = _PRICES_WITHIN
    positive = (*PRICES, "split_factor") if "split_factor" in values else PRICES
    for name in positive:
        column = values[name]
        yield Fault(~(np.isfinite(column) & (column > 0)), (name,), "must be a positive number")
        believable = (column >= lowest) & (column <= highest)
        yield Fault(~believable, (name,), f"must lie between {lowest:g} and {highest:g}")
    low, high = values["low"], values["high"]
    yield Fault(high < low, ("high", "low"), "high is below low")
    for name in ("open", "close"):
        outside = (values[name] < low) | (values[name] > high)
        yield Fault(outside, (name, "low", "high"), f"{name} is outside [low, high]")
    if "volume" in values:
        volume = values["volume"]
        yield Fault((volume < 0) | np.isinf(volume), ("volume",), "must be zero or more")
        yield Fault(volume > _MOST_VOLUME, ("volume",), f"must be at most {_MOST_VOLUME:g}")


def _day(stamp_ns: np.int64, days: int) -> pd.Timestamp:
    stamp = utc(np.array([stamp_ns], dtype=np.int64))[0].tz_localize(None)
    return stamp.normalize() + pd.Timedelta(days=days)
