"""The dates that windows declare, before anyone asks which of their sessions the data hold."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.market.calendar import sessions
from intraday_rl.market.offsets import Offset, parse_offset, shift
from intraday_rl.market.window_parts import (
    FOLD_KEYS,
    AutoMode,
    AutoWindows,
    CanonicalWindows,
    ExplicitWindows,
)

_CANONICAL_START, _CANONICAL_TEST_YEARS = date(2018, 1, 1), (2021, 2022, 2023)
_ONE_DAY = timedelta(days=1)

AnyWindows = CanonicalWindows | AutoWindows | ExplicitWindows


@dataclass(frozen=True, slots=True)
class Declared:
    """One fold's dates, both ends included; `partial`: the data end inside the test, as allowed."""

    train_start: date
    train_end: date
    test_start: date
    test_end: date
    partial: bool = False

    @property
    def name(self) -> str:
        return f"{self.test_start}_{self.test_end}"

    def missing_ends(self, found: Sequence[date], expected: Sequence[date]) -> list[str]:
        """Of the first and the last expected session, those that the data do not have."""
        last = found[-1] if self.partial else self.test_end
        whole = within(expected, self.train_start, last)
        ends = (("first", whole[0]), ("last", whole[-1]))
        return [f"{end} session {day}" for end, day in ends if not within(found, day, day)]

    def spans(self) -> tuple[tuple[str, date, date], tuple[str, date, date]]:
        """Role, first and last declared date of train and of test."""
        return (
            ("train", self.train_start, self.train_end),
            ("test", self.test_start, self.test_end),
        )

    def coverage(self, found: Sequence[date], expected: Sequence[date]) -> str:
        """`train 2018-01-01 to 2020-12-31 (109 of 756 sessions), test ...`."""
        return ", ".join(
            f"{role} {start} to {end} ({len(within(found, start, end))} of "
            f"{len(within(expected, start, end))} sessions)"
            for role, start, end in self.spans()
        )


def declare(windows: AnyWindows, found: Sequence[date]) -> list[Declared]:
    """The folds in the order of their tests; never none, and no day is tested twice."""
    if isinstance(windows, AutoWindows):
        return _automatic(windows, found)
    if isinstance(windows, CanonicalWindows):
        return [
            Declared(_CANONICAL_START, date(year - 1, 12, 31), date(year, 1, 1), date(year, 12, 31))
            for year in _CANONICAL_TEST_YEARS
        ]
    if not windows.folds:
        raise DataError("windows.folds=[]: zero folds; give at least one, or use windows=auto")
    return [_as_written(fold) for fold in windows.folds]


def _as_written(fold: Mapping[str, str]) -> Declared:
    train_start, train_end, test_start, test_end = (
        date.fromisoformat(fold[name]) for name in FOLD_KEYS
    )
    return Declared(train_start, train_end, test_start, test_end)


def session_dates(days: pd.DatetimeIndex) -> list[date]:
    """Sessions as dates, in order, each once."""
    return [stamp.date() for stamp in days.unique().sort_values()]


def expected_dates(first: date, last: date) -> list[date]:
    """The exchange's sessions from `first` to `last`, both included; none if last < first."""
    return session_dates(pd.DatetimeIndex(sessions(first, last).index)) if first <= last else []


def within(days: Sequence[date], first: date, last: date) -> tuple[date, ...]:
    """Those of the ordered `days` from `first` to `last`, both included."""
    return tuple(days[bisect_left(days, first) : bisect_right(days, last)])


def _automatic(windows: AutoWindows, found: Sequence[date]) -> list[Declared]:
    train = parse_offset("train_size", windows.train_size)
    test = parse_offset("test_size", windows.test_size)
    step = test if windows.step is None else parse_offset("step", windows.step)
    purge = Offset(sessions=windows.purge_sessions)
    first, last = found[0], found[-1]
    horizon = last + timedelta(days=sum(part.at_most_days() for part in (train, test, step, purge)))
    expected = expected_dates(first, horizon + timedelta(days=31))
    folds: list[Declared] = []
    while True:
        moved = step * len(folds)
        train_start = shift(first, moved, expected) if windows.mode is AutoMode.rolling else first
        train_stop = shift(first, moved + train, expected)
        test_start = shift(first, moved + train + purge, expected)
        test_stop = shift(first, moved + train + purge + test, expected)
        if test_start > last:
            break
        if folds and test_start <= folds[-1].test_end:
            remedy = f"must not be shorter than test_size={windows.test_size}: tests would overlap"
            raise ConfigError("windows.step", windows.step, remedy)
        partial = bool(within(expected, last + _ONE_DAY, test_stop - _ONE_DAY))
        if partial and not windows.allow_partial_last:
            break
        folds.append(
            Declared(train_start, train_stop - _ONE_DAY, test_start, test_stop - _ONE_DAY, partial)
        )
        if partial:
            break
    if not folds:
        remedy = (
            f"use a smaller windows.train_size ({windows.train_size}) or windows.test_size "
            f"({windows.test_size})"
        )
        if test_start <= last:
            remedy += ", or windows.allow_partial_last=true"
        raise DataError(
            f"windows: zero folds: the data have {len(found)} sessions, {first} to {last}, and "
            f"the first test would be {test_start} to {test_stop - _ONE_DAY}: {remedy}"
        )
    return folds
