"""Fine bars of a file, gathered into the bars that are traded, each inside its own session."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from intraday_rl.errors import DataError
from intraday_rl.market.calendar import MINUTE_NS
from intraday_rl.market.plausibility import Floats, Ints
from intraday_rl.market.validation import CleanBars


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
    | exists | when the one that starts at `bar_start` does; otherwise it is missing |
    | `bar_start` | session open + a whole number of `bar_minutes` |
    | `bar_end` | `bar_start` + `bar_minutes`, at most the session's close |
    | `open`, `close` | open of that one, close of the last that exists |
    | `high`, `low` | largest high, smallest low |
    | `volume` | sum; NaN when the volume of any of them is NaN |
    | `split_factor` | of the first (one value a session) |

    Without the fine bar at `bar_start` there is no price at `bar_start`: a later one must not
    stand in for it, since orders and the exit fill there. An absent fine bar inside is read as
    minutes without a trade. The notes count both.
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
    begun = clean.start_ns[first] == bar_start[first]
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
    late = int(np.count_nonzero(~begun))
    late_note = f"{late} {bar_minutes}-minute bars are missing: no bar of the file starts with them"
    return TradedBars(
        clean.session_ns[first][begun],
        start[begun],
        end[begun],
        {name: column[begun] for name, column in values.items()},
        ((note,) if partial else ()) + ((late_note,) if late else ()),
    )
