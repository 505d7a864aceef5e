"""Two recordings of one symbol beside each other: shifted clocks, other labels, other prices.

The rows are compared as they were recorded, before anything is refused: a wrong zone or label is
what is looked for.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.errors import DataError
from intraday_rl.market.calendar import MINUTE_NS, NEW_YORK, nanoseconds

# Minutes by which clocks go wrong: whole hours between zones, of summer time, and a bar's length
# between the labels, which `_shifts` adds.
_HOURS = (-600, -540, -480, -420, -360, -300, -240, -180, -120, -60,
          60, 120, 180, 240, 300, 360, 420, 480, 540, 600)  # fmt: skip
_FEWEST_RETURNS = 30
# How much better than the stamps as they are a shift must correlate to be believed.
_CLEARLY = 0.2
_STEP_LOG, _STEP_SESSIONS = 0.0008, 5  # a lasting change of the level, in log, and over what


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the second recording is, seen from the first.

    | field | unit | meaning |
    |---|---|---|
    | `bar_minutes` | minutes | length compared at: the longer of the two |
    | `shifts` | minutes | month: how much later its stamps are (0: the same clock) |
    | `bars_common`, `bars_only_here`, `bars_only_there` | | after the shift, on common days |
    | `level_ratio` | | median of its close ÷ ours |
    | `level_steps` | | session: the factor by which that ratio changes there, lasting |
    | `return_correlation` | | of the returns from bar to bar inside sessions |
    | `return_difference_bps` | bps | median and 99th percentile of the absolute difference |
    """

    bar_minutes: int
    shifts: dict[str, int]
    bars_common: int
    bars_only_here: int
    bars_only_there: int
    level_ratio: float
    level_steps: dict[str, float]
    return_correlation: float
    return_difference_bps: tuple[float, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them."""
        return asdict(self)


def compare(ours: pd.DataFrame, theirs: pd.DataFrame) -> Comparison:
    """Columns `timestamp` (start, UTC), `open`, `close` on both sides; `DataError` if apart."""
    minutes = max(bar_minutes(ours), bar_minutes(theirs))
    here, there = (_closes(frame, minutes) for frame in (ours, theirs))
    first, last = max(here.index[0], there.index[0]), min(here.index[-1], there.index[-1])
    here, there = (
        closes[first.normalize() : last.normalize() + pd.Timedelta(days=1)]
        for closes in (here, there)
    )
    if len(here) < _FEWEST_RETURNS or len(there) < _FEWEST_RETURNS:
        raise DataError("the two recordings have too few days in common to be compared")
    shifts = _shifts_by_month(here, there, minutes)
    later = pd.Series([shifts[month] for month in _months(there.index)], index=there.index)
    aligned = there.set_axis(there.index - pd.to_timedelta(later.to_numpy(), unit="min"))
    aligned = aligned[~aligned.index.duplicated()].sort_index()
    both = pd.concat({"here": here, "there": aligned}, axis=1, join="inner")
    if len(both) < _FEWEST_RETURNS:
        raise DataError("the two recordings have hardly a bar in common, however shifted")
    returns = (
        both.groupby(_days(both.index)).transform(lambda one: one.map(math.log).diff()).dropna()
    )
    difference = (returns["here"] - returns["there"]).abs() * 1e4
    ratio = both["there"] / both["here"]
    days = set(_days(both.index))
    return Comparison(
        bar_minutes=minutes,
        shifts=shifts,
        bars_common=len(both),
        bars_only_here=_only(here, aligned, days),
        bars_only_there=_only(aligned, here, days),
        level_ratio=float(ratio.median()),
        level_steps=_steps(ratio),
        return_correlation=float(returns["here"].corr(returns["there"])),
        return_difference_bps=(float(difference.median()), float(difference.quantile(0.99))),
    )


def bar_minutes(frame: pd.DataFrame) -> int:
    """The most common distance of neighbouring stamps."""
    steps = frame["timestamp"].diff().dropna()
    usual = steps[steps > pd.Timedelta(0)].mode().iloc[0]
    return max(1, round(float(usual / pd.Timedelta(minutes=1))))


def _closes(frame: pd.DataFrame, minutes: int) -> pd.Series:
    """Last close of each bar of `minutes`, on the clock's own grid from 09:30 New York on."""
    stamps = pd.DatetimeIndex(frame["timestamp"])
    local = stamps.tz_convert(NEW_YORK)
    since_open = (local.hour * 60 + local.minute - (9 * 60 + 30)) % minutes
    starts = stamps - pd.to_timedelta(since_open, unit="min")
    closes: pd.Series = frame["close"].groupby(starts).last()
    return closes.sort_index()


def _shifts_by_month(here: pd.Series, there: pd.Series, minutes: int) -> dict[str, int]:
    """Month of their stamps: how much later they are; 0 unless another shift is clearly better.

    By month, since a clock that ignores summer time is wrong for half of the year; a month that is
    too short to say is as the one before it.
    """
    candidates = sorted(
        {0, -2 * minutes, -minutes, minutes, 2 * minutes}
        | {hour + step for hour in _HOURS for step in (-minutes, 0, minutes)}
        | set(_HOURS),
        key=abs,
    )
    ours, shifts = _Returns.of(here, minutes), {}
    months = {str(month): closes for month, closes in there.groupby(_months(there.index))}
    for month, closes in months.items():
        theirs = _Returns.of(closes, minutes)
        fit = {shift: ours.correlation(theirs, shift) for shift in candidates}
        best = max(fit, key=lambda shift: fit[shift])
        if fit[best] > 0:  # else the month is too short to say
            shifts[month] = best if fit[best] > max(fit[0], 0.0) + _CLEARLY else 0
    known = pd.Series(shifts, dtype="float64").reindex(list(months)).ffill().bfill().fillna(0)
    return {str(month): int(shift) for month, shift in known.items()}


@dataclass(frozen=True, slots=True)
class _Returns:
    """Log returns between bars that follow each other without a gap; times in nanoseconds."""

    time_ns: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, closes: pd.Series, minutes: int) -> _Returns:
        time_ns = nanoseconds(pd.DatetimeIndex(closes.index))
        follows = np.diff(time_ns) == minutes * MINUTE_NS
        values = np.diff(np.log(closes.to_numpy(dtype=np.float64)))
        return cls(time_ns[1:][follows], values[follows])

    def correlation(self, other: _Returns, shift: int) -> float:
        """With the other's times taken to be `shift` minutes late; −1 where it cannot be told."""
        moved = other.time_ns - shift * MINUTE_NS
        at = np.minimum(np.searchsorted(self.time_ns, moved), len(self.time_ns) - 1)
        both = self.time_ns[at] == moved if len(self.time_ns) else np.zeros(len(moved), bool)
        one, two = self.values[at[both]], other.values[both]
        if len(one) < _FEWEST_RETURNS or one.std() == 0 or two.std() == 0:
            return -1.0
        return float(np.corrcoef(one, two)[0, 1])


def _steps(ratio: pd.Series) -> dict[str, float]:
    """Sessions from which on the level differs by another factor: an adjustment of one side."""
    daily = np.log(ratio.groupby(_days(ratio.index)).median())
    width = _STEP_SESSIONS
    steps: dict[str, float] = {}
    if len(daily) < 2 * width:
        return steps
    values = daily.to_numpy()
    change = np.array([
        np.median(values[at : at + width]) - np.median(values[at - width : at])
        for at in range(width, len(values) - width + 1)
    ])  # fmt: skip
    noise = 1.4826 * np.median(np.abs(change - np.median(change)))
    for place in np.flatnonzero(np.abs(change) > max(_STEP_LOG, 6 * noise)).tolist():
        around = np.abs(change[max(0, place - width) : place + width + 1])
        if abs(change[place]) < around.max():
            continue
        # The window's largest change may begin a day beside the step itself.
        at = place + width
        near = range(max(1, at - width), min(len(values), at + width))
        day = max(near, key=lambda one: abs(values[one] - values[one - 1]))
        steps[str(daily.index[day])] = float(np.exp(change[place]))
    return steps


def _only(one: pd.Series, other: pd.Series, days: set[Any]) -> int:
    alone = one.index.difference(other.index)
    return int(_days(alone).isin(list(days)).sum())


def _days(index: pd.Index) -> pd.Index:
    return pd.Index(pd.DatetimeIndex(index).tz_convert(NEW_YORK).date)


def _months(index: pd.Index) -> pd.Index:
    return pd.DatetimeIndex(index).strftime("%Y-%m")
