"""Fine bars of a file, gathered into the bars that are traded, each inside its own session."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from intraday_rl.errors import DataError
from intraday_rl.market.validation import MINUTE_NS, CleanBars, Floats, Ints


@dataclass(frozen=True, slots=True)
class TradedBars:
    """Bars of the length that is traded, one entry a bar; times in nanoseconds."""

    session_ns: Ints
    start_ns: Ints
    end_ns: Ints
    values: dict[str, Floats]
    notes: tuple[str, ...]


def aggregate(clean: CleanBars, bar_minutes: int) -> TradedBars:
    """Gather a file's bars into bars of `bar_minutes`.

    | traded bar | from the file's bars whose start lies in `[bar_start, bar_end)` |
    |---|---|
    | exists | when any of them exists; otherwise it is missing, never filled in |
    | `bar_start` | session open + a whole number of `bar_minutes` |
    | `bar_end` | `bar_start` + `bar_minutes`, at most the session's close |
    | `open`, `close` | open of the first, close of the last that exists |
    | `high`, `low` | largest high, smallest low |
    | `volume` | sum; NaN when the volume of any of them is NaN |
    | `split_factor` | of the first (one value a session) |

    An absent fine bar is read as a minute without a trade, as data vendors do when they build
    the longer bar themselves: its `open` is then the first trade after `bar_start`, which is what
    an order sent at `bar_start` would have met. The note counts such bars.
    """
    bar_ns = bar_minutes * MINUTE_NS
    if bar_ns % clean.file_bar_ns:
        raise DataError(
            f"{clean.file}: data.bar_minutes={bar_minutes} is not a multiple of the file's "
            f"{clean.file_bar_ns / MINUTE_NS:g}-minute bars; choose a multiple or finer data"
        )
    slot = (clean.start_ns - clean.open_ns) // bar_ns
    bar_start = clean.open_ns + slot * bar_ns
    first = np.flatnonzero(np.r_[True, bar_start[1:] != bar_start[:-1]])
    last = np.r_[first[1:], len(bar_start)] - 1
    start, close = bar_start[first], clean.close_ns[first]
    end = np.minimum(start + bar_ns, close)
    fine = clean.values
    values = {
        "open": fine["open"][first],
        "high": np.maximum.reduceat(fine["high"], first),
        "low": np.minimum.reduceat(fine["low"], first),
        "close": fine["close"][last],
        "volume": np.add.reduceat(fine["volume"], first),
    }
    if "split_factor" in fine:
        values["split_factor"] = fine["split_factor"][first]
    whole = -((start - end) // clean.file_bar_ns)
    partial = int(np.count_nonzero(last - first + 1 < whole))
    note = (
        f"{partial} of {len(first)} {bar_minutes}-minute bars are built from fewer than their "
        f"full number of {clean.file_bar_ns / MINUTE_NS:g}-minute bars"
    )
    return TradedBars(clean.session_ns[first], start, end, values, (note,) if partial else ())
