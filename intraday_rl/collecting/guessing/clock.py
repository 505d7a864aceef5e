"""Which zone a file's clock shows and which end of a bar it stamps, told by the exchange's hours.

Every pair of zone and label is tried against the calendar. The right one puts bars at every
session's first and last place; where a file goes on before the open and after the close, the jump
of activity at the open decides. Summer time and half days tell zones apart; where the rows cannot,
because they all lie in one season, the candidates mean the same times and the first is named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from intraday_rl.errors import DataError
from intraday_rl.market.calendar import (
    FULL_SESSION_MINUTES,
    MINUTE_NS,
    open_close_ns,
    sessions,
)
from intraday_rl.market.files import BarLabel
from intraday_rl.market.plausibility import Floats, Ints, check_clock, check_label
from intraday_rl.market.stamps import stamps_in_utc

ZONES = (
    "America/New_York", "UTC", "America/Chicago", "America/Los_Angeles", "Europe/London",
    "Europe/Berlin", "Europe/Helsinki", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo",
    "Etc/GMT+5", "Etc/GMT+4",
)  # fmt: skip
FITS, DOES_NOT = 0.8, 0.6  # share of sessions whose both ends are where they should be
FULL_SESSION_NS = FULL_SESSION_MINUTES * MINUTE_NS
HOUR_NS = 60 * MINUTE_NS
JUMP = 1.5  # how much busier the first bar of a session is than the one before it


@dataclass(frozen=True, slots=True)
class Clock:
    """How the stamps are read. `zone` None: they carry their own; `sure`: share of sessions."""

    label: BarLabel
    zone: str | None
    bar_minutes: int
    sure: float
    by: str

    def __str__(self) -> str:
        zone = "own offsets" if self.zone is None else self.zone
        return (
            f"{self.bar_minutes}-minute bars stamped by their {self.label.value}, {zone} "
            f"({self.by} in {self.sure:.1%} of the sessions)"
        )


def found_clock(
    frame: pd.DataFrame, file: str, label: BarLabel | None = None, zone: str | None = None
) -> Clock:
    """The one reading that fits; what is given is only checked. `DataError` if none or several do.

    `frame` has our names; its rows need not be in order.
    """
    candidates: dict[str | None, Ints] = {}
    refusals: dict[str | None, DataError] = {}
    for one in _zones(frame, zone):
        try:
            candidates[one], _ = stamps_in_utc(frame["timestamp"], one, file)
        except DataError as error:  # an hour that does not exist there: not this zone's clock
            refusals[one] = error
    if not candidates:  # UTC has every hour: what it refuses is no matter of zones
        raise refusals.get("UTC") or next(iter(refusals.values()))
    if all(_bar_ns(np.sort(stamps)) > FULL_SESSION_NS for stamps in candidates.values()):
        raise DataError(f"{file}: at most one bar a session; intraday bars are needed")
    labels = (BarLabel.start, BarLabel.end) if label is None else (label,)
    activity = _activity(frame)
    clocks = [
        (_clock(stamps, activity, one, which), stamps)
        for one, stamps in candidates.items()
        for which in labels
    ]
    fitting = [pair for pair in clocks if pair[0].sure >= FITS]
    if not fitting and label is not None and len(candidates) == 1:
        ((_, stamps),) = candidates.items()
        if _may_be(stamps, activity, label, file):
            return replace(clocks[0][0], by="as said; both ends fit")
    if not fitting:
        best = max((clock for clock, _ in clocks), key=lambda clock: clock.sure)
        closest = f"; closest: {best}" if best.sure else ""
        raise DataError(
            f"{file}: no zone and label put bars at both ends of the sessions{closest}; give "
            "task.timezone and task.bar_label, or check that the bars are of the NYSE's hours"
        )
    first, stamps = max(fitting, key=lambda pair: pair[0].sure)
    for other, its in fitting:
        same = other.label is first.label and bool((its == stamps).all())
        if not same and other.sure > DOES_NOT and other.sure > first.sure - (FITS - DOES_NOT):
            raise DataError(
                f"{file}: it cannot be told whether these are {first} or {other}; "
                "give task.bar_label and task.timezone"
            )
    equal = [
        clock for clock, its in fitting if clock.label is first.label and (its == stamps).all()
    ]
    return equal[0]


def _may_be(stamps: Ints, activity: Floats, label: BarLabel, file: str) -> bool:
    """Whether nothing in stamps too sparse to tell speaks against what the user says of them."""
    other = BarLabel.end if label is BarLabel.start else BarLabel.start
    if _clock(stamps, activity, None, other).sure >= FITS:
        return False
    stamps = np.unique(stamps)
    table = sessions(*_days_around(stamps))
    opens, closes = open_close_ns(table)
    inside = np.searchsorted(opens, stamps, "right") > np.searchsorted(closes, stamps, "right")
    try:
        check_clock(stamps, opens, closes, _bar_ns(stamps), file)
        check_label(stamps, opens, closes, label is BarLabel.end, file)
    except DataError:
        return False
    return bool(inside.any())


def _zones(frame: pd.DataFrame, zone: str | None) -> tuple[str | None, ...]:
    if zone is not None:
        return (zone,)
    stamps = frame["timestamp"]
    zoned = isinstance(stamps.dtype, pd.DatetimeTZDtype) or (
        stamps.dtype.kind not in "mM"
        and stamps.astype(str).str.contains(r"\d{2}:\d{2}.*(?:[Zz]|[+-]\d{2}:?(?:\d{2})?)$").all()
    )
    return (None,) if zoned else ZONES


def _activity(frame: pd.DataFrame) -> Floats:
    """Shares traded where they are known, else how far the price ranged."""
    if "volume" in frame.columns:
        volume = pd.to_numeric(frame["volume"], errors="coerce")
        if volume.notna().mean() > 0.5 and (volume > 0).mean() > 0.5:
            return volume.fillna(0.0).to_numpy(dtype=np.float64)
    high, low = (pd.to_numeric(frame[name], errors="coerce") for name in ("high", "low"))
    return ((high - low) / low).fillna(0.0).to_numpy(dtype=np.float64)


def _clock(stamps: Ints, activity: Floats, zone: str | None, label: BarLabel) -> Clock:
    order = np.argsort(stamps, kind="stable")
    stamps, activity = stamps[order], activity[order]
    opens, closes = open_close_ns(sessions(*_days_around(stamps)))
    bar_ns = _bar_ns(stamps)
    starts = stamps if label is BarLabel.start else stamps - bar_ns
    seen = np.searchsorted(starts, closes) > np.searchsorted(starts, opens)
    opens, closes = opens[seen], closes[seen]
    minutes = max(1, round(bar_ns / MINUTE_NS))
    if len(opens) == 0:
        return Clock(label, zone, minutes, 0.0, "no bars inside the sessions")
    last = closes - 1 - (closes - 1 - opens) % bar_ns  # start of a session's last place
    if label is BarLabel.end:  # a short last bar is stamped by the close, not by its full length
        last = closes - bar_ns
    first_there, last_there = np.isin(opens, starts), np.isin(last, starts)
    beyond = np.isin(opens - bar_ns, starts) | np.isin(closes, starts)
    if beyond.mean() < 0.1:
        return Clock(
            label, zone, minutes, float((first_there & last_there).mean()), "both ends fit"
        )
    busy = _activity_at(starts, activity, opens), _activity_at(starts, activity, opens - bar_ns)
    after = _activity_at(starts, activity, opens + bar_ns)
    both = first_there & np.isin(opens - bar_ns, starts)
    rises = (busy[0] > JUMP * busy[1]) & ~(after > JUMP * busy[0])
    # A file that begins an hour before the open looks like one of a zone an hour away.
    begins_quietly = _activity_at(starts, activity, opens + HOUR_NS) > JUMP * busy[0]
    there = first_there & last_there & np.where(both, rises, ~begins_quietly)
    return Clock(
        label, zone, minutes, float(there.mean()), "both ends and the jump at the open fit"
    )


def _days_around(stamps: Ints) -> tuple[date, date]:
    """First and last day of sorted stamps, whatever their zone may be."""
    days = pd.to_datetime(stamps[[0, -1]])
    return (days[0] - pd.Timedelta(days=2)).date(), (days[1] + pd.Timedelta(days=2)).date()


def _activity_at(starts: Ints, activity: Floats, wanted: Ints) -> Floats:
    at = np.minimum(np.searchsorted(starts, wanted), len(starts) - 1)
    return np.where(starts[at] == wanted, activity[at], 0.0)


def _bar_ns(stamps: Ints) -> int:
    """The most common distance of neighbouring stamps."""
    steps = np.diff(stamps)
    lengths, counts = np.unique(steps[steps > 0], return_counts=True)
    return int(lengths[np.argmax(counts)]) if len(lengths) else MINUTE_NS


def in_utc(frame: pd.DataFrame, clock: Clock, file: str) -> pd.DataFrame:
    """The rows with `timestamp` as the bar's start in UTC, also of a short last bar."""
    stamps, _ = stamps_in_utc(frame["timestamp"], clock.zone, file)
    if clock.label is BarLabel.end:
        bar_ns = clock.bar_minutes * MINUTE_NS
        days = pd.to_datetime(stamps)
        table = sessions(days.min().date(), (days.max() + pd.Timedelta(days=1)).date())
        opens, closes = open_close_ns(table)
        short = (closes - opens) % bar_ns
        at = np.minimum(np.searchsorted(closes, stamps), len(closes) - 1)
        length = np.where((closes[at] == stamps) & (short[at] > 0), short[at], bar_ns)
        stamps = stamps - length
    return frame.assign(timestamp=pd.to_datetime(stamps, utc=True))
