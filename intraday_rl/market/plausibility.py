"""Mistakes that no single row shows: the wrong label, a shifted clock, exchanged columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intraday_rl.errors import DataError
from intraday_rl.market.calendar import MINUTE_NS
from intraday_rl.market.stamps import day_text

# How far from a session's ends a shifted clock is looked for; what share of the sessions shows
# it, or how many in a row: clocks that follow another country's summer time are wrong for weeks.
_MARGIN_MINUTES, _SHIFTED_SHARE, _SHIFTED_IN_A_ROW = 30, 0.1, 5

# Neighbouring bars that say something about the order of open and close, and by what factor.
_ENOUGH_NEIGHBOURS, _CLEARLY = 100, 2.0

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def check_label(
    stamps_ns: Ints, opens: Ints, closes: Ints, stamped_at_end: bool, file: str
) -> None:
    """Bars stamped by their start reach the opens, by their end the closes, never the reverse."""
    seen = np.searchsorted(stamps_ns, closes) > np.searchsorted(stamps_ns, opens)
    at_open, at_close = np.isin(opens[seen], stamps_ns), np.isin(closes[seen], stamps_ns)
    ours, other = (at_close, at_open) if stamped_at_end else (at_open, at_close)
    if other.mean() > 0.5 > ours.mean():
        said, likely = ("end", "start") if stamped_at_end else ("start", "end")
        raise DataError(
            f"{file}: data.bar_label={said} contradicts the stamps: {int(other.sum())} of "
            f"{len(other)} sessions have a stamp at their {'open' if stamped_at_end else 'close'}, "
            f"{int(ours.sum())} at their {'close' if stamped_at_end else 'open'}; "
            f"set data.bar_label={likely}, or check data.timezone"
        )


def check_clock(stamps_ns: Ints, opens: Ints, closes: Ints, bar_ns: int, file: str) -> None:
    """A shift by whole hours stays on the grid: it shows as bars on one side, none on the other.

    Stamps in a fixed offset read as New York time are right in winter only; such a file may
    otherwise pass, since each summer session just lacks a few bars.
    """
    width = max(_MARGIN_MINUTES * MINUTE_NS, bar_ns)

    def any_between(low: Ints, high: Ints) -> NDArray[np.bool_]:
        return np.searchsorted(stamps_ns, low, "right") < np.searchsorted(stamps_ns, high, "left")

    seen = any_between(opens, closes)
    early = any_between(opens - width, opens) & ~any_between(closes - width, closes)
    late = any_between(closes, closes + width) & ~any_between(opens, opens + width)
    shifted = (early | late)[seen]
    count = int(np.count_nonzero(shifted))
    longest = max(_longest_run(early[seen]), _longest_run(late[seen]))
    if count > _SHIFTED_SHARE * len(shifted) or longest >= _SHIFTED_IN_A_ROW:
        first = day_text(opens[seen][np.argmax(shifted)])
        raise DataError(
            f"{file}: in {count} of {len(shifted)} sessions, from {first} on, bars lie just "
            "outside the session at one end and none inside it at the other: the stamps are "
            "shifted; check data.timezone (UTC read as New York? another country's summer time, "
            "or none?)"
        )


def check_open_and_close(open_: Floats, close: Floats, session_ns: Ints, file: str) -> None:
    """Exchanged, they pass every check of a row; but then a bar ends where the one before began."""
    same = session_ns[1:] == session_ns[:-1]
    if np.count_nonzero(same) < _ENOUGH_NEIGHBOURS:
        return
    onward = np.abs(np.log(open_[1:] / close[:-1]))[same]
    reverse = np.abs(np.log(close[1:] / open_[:-1]))[same]
    if _CLEARLY * np.median(reverse) < np.median(onward):
        raise DataError(
            f"{file}: columns open and close look exchanged, or the rows reversed in time: bars "
            "close where the bar before opened; check data.columns.open and data.columns.close"
        )


def _longest_run(flags: NDArray[np.bool_]) -> int:
    ends = np.flatnonzero(~np.r_[False, flags, False])
    return int(np.diff(ends).max()) - 1
