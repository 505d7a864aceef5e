"""Which sessions tune and which judge: the last ones judge, tuning ends before the first of them.

No session is left out between the two. Every position is flat overnight, so no reward of a tuning
session reaches into a held-out one; and features look back only: what a held-out day sees of the
tuning days was known that morning.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from intraday_rl.errors import DataError

FEWEST_SESSIONS = 20  # held out; fewer prove nothing


@dataclass(frozen=True, slots=True)
class Spans:
    """Sessions of the data, in order; `held_out` follows `tuning` without a gap."""

    tuning: tuple[dt.date, ...]
    held_out: tuple[dt.date, ...]

    @property
    def name(self) -> str:
        """Of the folder, as a final fit up to the last tuning session would be called."""
        return f"until_{self.tuning[-1]}"


def spans_of(
    available: Sequence[dt.date], *, days: int | None, sessions: int | None, holdout_sessions: int
) -> Spans:
    """Cut from the end: `holdout_sessions`, then `sessions` or `days` calendar days of tuning."""
    before, held_out = available[:-holdout_sessions], available[-holdout_sessions:]
    if not before:
        raise DataError(
            f"task.holdout_sessions={holdout_sessions}: the data have {len(available)} sessions, "
            "which leaves none to tune on; hold out fewer, or give longer data"
        )
    if sessions is None:
        if days is None:
            raise TypeError("days or sessions")
        first = before[-1] - dt.timedelta(days=days - 1)
        return Spans(tuple(day for day in before if day >= first), tuple(held_out))
    if len(before) < sessions:
        raise DataError(
            f"task.sessions={sessions}: the data have {len(before)} before the held-out ones"
        )
    return Spans(tuple(before[-sessions:]), tuple(held_out))
