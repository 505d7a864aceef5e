"""Splits: how adjusted prices relate to the prices that were paid on the day.

traded price = adjusted price * split_factor. Returns use the adjusted price; ticks, share
counts and costs per share use the traded one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.market.bars import Bars
from intraday_rl.market.calendar import NEW_YORK, nanoseconds

# New shares for one old share, by the first session at the new price, as announced by the funds'
# issuers. Empty: no split since 2001.
SHIPPED: dict[str, dict[str, float]] = {
    "TQQQ": {"2018-05-24": 3.0, "2021-01-21": 2.0, "2022-01-13": 2.0, "2025-11-20": 2.0},
    "SPY": {},
    "QQQ": {},
}

# What an overnight jump is compared with: ratios in which funds and shares are commonly split
# or merged, and how far (in log price) the night's own move may carry it away from the ratio.
_COMMON_RATIOS = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0)
_JUMP_TOLERANCE_LOG = 0.09

# How far the night's own move may carry prices from a split, and how much nearer one of two ratios
# must lie than the other, for the prices to say which of them it was.
_SETTLED_WITHIN_LOG, _SETTLED_BY_LOG = 0.25, 0.35

_SMALLEST_RATIO = 1e-4


def known_splits(symbol: str, declared: Mapping[str, float] | None) -> Mapping[str, float] | None:
    """`declared` if given ({} = none happened), else the shipped table's, else None (unknown)."""
    return declared if declared is not None else SHIPPED.get(symbol.upper())


def check_splits(declared: Mapping[str, float] | None, adjusted_through: str | None) -> None:
    """Raise `ConfigError` for a date that is not a date or a ratio that is not positive."""
    if declared is not None and not isinstance(declared, Mapping):
        raise ConfigError("splits", declared, "must map dates to ratios, {} for none, or be null")
    for day, ratio in (declared or {}).items():
        _check_date("splits", day)
        number = isinstance(ratio, int | float)
        if not (number and _SMALLEST_RATIO <= ratio <= 1 / _SMALLEST_RATIO):
            remedy = f"the ratio must lie between {_SMALLEST_RATIO:g} and {1 / _SMALLEST_RATIO:g}"
            raise ConfigError("splits", f"{{{day}: {ratio}}}", remedy)
    if adjusted_through is not None:
        _check_date("adjusted_through", adjusted_through)


def split_factors(
    session_ns: NDArray[np.int64],
    splits: Mapping[str, float],
    adjusted_through: date,
    *,
    prices_are_traded: bool,
) -> NDArray[np.float64]:
    """Factor of each bar: traded price = adjusted price * factor.

    | bar's session d, split date s, A = `adjusted_through` | factor |
    |---|---|
    | d < s <= A | multiplied by the ratio |
    | s <= d | unchanged: the day already trades at the new price |
    | A < s, prices adjusted | unchanged: the file was not adjusted for it |
    | A < s <= d, prices traded | divided by the ratio, so that the adjusted series has no jump |

    One unit of the adjusted price is a share as it was counted on A. With A fixed, bars that
    follow later change no earlier factor.
    """
    factor = np.ones(len(session_ns))
    through = _ns(adjusted_through)
    for day, ratio in splits.items():
        split = _ns(date.fromisoformat(day))
        if split <= through:
            factor[session_ns < split] *= ratio
        elif prices_are_traded:
            factor[session_ns >= split] /= ratio
    return factor


def check_factor_column(
    session_ns: NDArray[np.int64], factor: NDArray[np.float64], file: str
) -> None:
    """Raise `DataError` if a `split_factor` column changes inside a session."""
    wrong = (session_ns[1:] == session_ns[:-1]) & (factor[1:] != factor[:-1])
    if wrong.any():
        at = int(np.argmax(wrong))
        raise DataError(
            f"{file}: split_factor changes from {factor[at]:g} to {factor[at + 1]:g} inside the "
            f"session {_day_text(session_ns[at])}; a split happens between sessions"
        )


def late_splits(
    splits: Mapping[str, float], adjusted_through: date, last_session: date
) -> list[str]:
    """Split dates after `adjusted_through` but not after the file's last session."""
    return [
        day for day in sorted(splits) if adjusted_through < date.fromisoformat(day) <= last_session
    ]


def split_disagreement(
    vendors: Mapping[str, float], shipped: Mapping[str, float], first: date, last: date
) -> list[str]:
    """What the two tables say differently about the days from `first` to `last`."""
    days = {day for day in (*vendors, *shipped) if first <= date.fromisoformat(day) <= last}
    return [
        f"{day}: vendor {_ratio(vendors.get(day))}, shipped {_ratio(shipped.get(day))}"
        for day in sorted(days)
        if not math.isclose(vendors.get(day, 1.0), shipped.get(day, 1.0))
    ]


def overnight_moves(rows: pd.DataFrame) -> pd.Series:
    """Log of first open ÷ last close of the session before, by New York date, without the first."""
    days = rows["timestamp"].dt.tz_convert(NEW_YORK).dt.date
    opens, closes = rows["open"].groupby(days).first(), rows["close"].groupby(days).last()
    moves: pd.Series = (opens / closes.shift(1)).iloc[1:].map(math.log)
    return moves


def settled_by_prices(
    vendors: Mapping[str, float], shipped: Mapping[str, float], moves: pd.Series
) -> dict[str, float] | None:
    """The splits on which traded prices agree with one of two tables that differ; None if a night
    is not clear.

    `moves`: `overnight_moves` of prices as they were traded. A table may end before a split, or
    begin after it; the prices of the night show which.
    """
    agreed = dict(vendors)
    for day in {*vendors, *shipped}:
        at = date.fromisoformat(day)
        said = vendors.get(day, 1.0), shipped.get(day, 1.0)
        if math.isclose(*said) or not (len(moves) and moves.index[0] <= at <= moves.index[-1]):
            continue
        if at not in moves.index:
            return None
        left = [abs(float(moves[at]) + math.log(ratio)) for ratio in said]
        if min(left) > _SETTLED_WITHIN_LOG or abs(left[0] - left[1]) < _SETTLED_BY_LOG:
            return None
        agreed.pop(day, None)
        ratio = said[left.index(min(left))]
        if ratio != 1.0:
            agreed[day] = ratio
    return agreed


def _ratio(ratio: float | None) -> str:
    return "none" if ratio is None else f"{ratio:g}:1"


def nearest_ratio(move: float) -> float | None:
    """The common split ratio that an overnight move (log price) is close to, if it is to any."""
    ratio = min(_COMMON_RATIOS, key=lambda one: abs(abs(move) - math.log(one)))
    return ratio if abs(abs(move) - math.log(ratio)) < _JUMP_TOLERANCE_LOG else None


def overnight_jumps(bars: Bars, splits: Mapping[str, float]) -> tuple[str, ...]:
    """A note on each night whose adjusted open ÷ previous close is close to a split ratio."""
    starts = bars.session_starts()[1:]
    if len(starts) == 0:
        return ()
    frame = bars.frame
    open_, close = frame["open"].to_numpy(), frame["close"].to_numpy()
    jump = np.log(open_[starts] / close[starts - 1])
    ratios = np.array(sorted({*_COMMON_RATIOS, *splits.values()} - {1.0}))
    distance = np.abs(np.abs(jump)[:, None] - np.abs(np.log(ratios))[None, :])
    nearest = np.argmin(distance, axis=1)
    days = nanoseconds(frame["session"])[starts]
    notes = []
    for night in np.flatnonzero(distance[np.arange(len(jump)), nearest] < _JUMP_TOLERANCE_LOG):
        ratio = ratios[nearest[night]]
        notes.append(
            f"overnight jump of {math.exp(jump[night]):.3f} into {_day_text(days[night])} is close "
            f"to a split of {ratio:g}; check data.prices, data.splits and data.adjusted_through"
        )
    return tuple(notes)


def _check_date(key: str, value: str) -> None:
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ConfigError(key, value, "dates are written '2021-01-21', in quotes") from None


def _ns(day: date) -> int:
    return pd.Timestamp(day).as_unit("ns").value


def _day_text(session_ns: np.int64) -> str:
    return str(session_ns.astype("datetime64[ns]").astype("datetime64[D]"))
