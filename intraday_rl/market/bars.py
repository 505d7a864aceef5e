"""Bars: what one symbol's prices were, bar by bar, and from when each number was known.

A bar covers `[bar_start, bar_end)` and is known at `bar_end`; its open is known at `bar_start`.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.market.calendar import nanoseconds

PRICES = ("open", "high", "low", "close")
COLUMNS = ("session", "bar_start", "bar_end", *PRICES, "volume", "split_factor")

_DTYPES = {"session": "datetime64[ns]", "bar_start": "datetime64[ns, UTC]"}
_DTYPES |= {"bar_end": "datetime64[ns, UTC]"}

_FINGERPRINT_ROW = np.dtype(
    [(name, "<i8") for name in ("session", "bar_start", "bar_end")]
    + [(name, "<f8") for name in (*PRICES, "volume", "split_factor")]
)


@dataclass(frozen=True, slots=True)
class Bars:
    """Validated bars of one symbol at one length, in time order.

    | column of `frame` | dtype | unit and meaning |
    |---|---|---|
    | `session` | datetime64[ns], naive midnight | the New York date |
    | `bar_start` | datetime64[ns, UTC] | `open` is known from here on |
    | `bar_end` | datetime64[ns, UTC] | the whole bar is known from here on |
    | `open, high, low, close` | float64 | USD, adjusted for splits |
    | `volume` | float64 | shares in adjusted terms (traded shares * factor); NaN = unknown |
    | `split_factor` | float64 | traded price = adjusted price * split_factor |

    The index is a RangeIndex: row numbers of `frame` are the bars' numbers everywhere.
    `notes` tell in plain words what was dropped, assumed or looks odd. `split_factor_known` is
    False when nothing says which splits the symbol had (`split_factor` is then 1 throughout):
    a cost per share or per tick must refuse such bars.
    """

    symbol: str
    bar_minutes: int
    frame: pd.DataFrame
    notes: tuple[str, ...] = ()
    split_factor_known: bool = True

    def __post_init__(self) -> None:
        for name in COLUMNS:
            wanted = _DTYPES.get(name, "float64")
            found = self.frame[name].dtype if name in self.frame.columns else "absent"
            if str(found) != wanted:
                raise TypeError(f"Bars.frame[{name!r}] is {found}, must be {wanted}")
        if not isinstance(self.frame.index, pd.RangeIndex):
            raise TypeError("Bars.frame must have a RangeIndex: reset_index(drop=True)")

    def session_index(self) -> pd.DatetimeIndex:
        """The distinct sessions in order."""
        return pd.DatetimeIndex(self.frame["session"].unique(), name="session")

    def session_starts(self) -> NDArray[np.intp]:
        """Row number of each session's first bar."""
        return session_starts(nanoseconds(self.frame["session"]))

    def between(self, first: date, last: date) -> Bars:
        """The bars of the sessions from `first` to `last`, both included."""
        begin, end = np.searchsorted(
            nanoseconds(self.frame["session"]), [_midnight_ns(first), _midnight_ns(last) + 1]
        )
        return replace(self, frame=self.frame.iloc[begin:end].reset_index(drop=True))

    def has_volume(self) -> bool:
        """Every bar has a known volume."""
        return len(self.frame) > 0 and not bool(self.frame["volume"].isna().any())

    def fingerprint(self, through: date | None = None) -> str:
        """SHA-256 (hex) of the normalised bars up to and including the session `through`.

        | hashed | as |
        |---|---|
        | `bar_minutes` | little-endian int64, once |
        | each bar: `session, bar_start, bar_end` | little-endian int64, nanoseconds |
        | each bar: `open, high, low, close, volume, split_factor` | little-endian float64 |

        Bars follow each other whole, so later days only lengthen the hashed bytes: the
        fingerprint through a date is the same whatever follows it. The symbol's name, the notes
        and where the bars came from do not enter. NaN and zero have one form each.

        The values themselves must not change with what follows. A file re-adjusted at its
        source for a later split has other prices, hence another fingerprint; so has a file whose
        `split_factor` is built relative to its last session when that session moves past a
        split. A fixed `data.adjusted_through` keeps the factor, and with `data.prices=traded`
        the adjusted prices as well, as they were.
        """
        frame = self.frame
        sessions = nanoseconds(frame["session"])
        count = len(frame)
        if through is not None:
            count = int(np.searchsorted(sessions, _midnight_ns(through), side="right"))
        rows = np.empty(count, dtype=_FINGERPRINT_ROW)
        for name in _FINGERPRINT_ROW.names or ():
            if name in _DTYPES:
                rows[name] = nanoseconds(frame[name])[:count]
            else:
                values = frame[name].to_numpy(dtype=np.float64)[:count] + 0.0
                rows[name] = np.where(np.isnan(values), np.nan, values)
        digest = hashlib.sha256(struct.pack("<q", self.bar_minutes))
        digest.update(rows.tobytes())
        return digest.hexdigest()


def session_starts(sessions_ns: NDArray[np.int64]) -> NDArray[np.intp]:
    """Position of the first row of each session in a sorted column of sessions."""
    if len(sessions_ns) == 0:
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(np.r_[True, sessions_ns[1:] != sessions_ns[:-1]])


def _midnight_ns(day: date) -> int:
    return pd.Timestamp(day).as_unit("ns").value
