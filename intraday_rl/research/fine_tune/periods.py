"""The test span of a study, in the periods between two fine-tunes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from intraday_rl.errors import DataError
from intraday_rl.tasks import Cadence, FineTuneStudy, parse_day


def sessions_of(task: FineTuneStudy, days: Sequence[date], last_seen: str) -> tuple[date, ...]:
    """Sessions of the test span, all of them new to the model."""
    first, last = parse_day("task.start", task.start), parse_day("task.end", task.end)
    tested = tuple(day for day in days if first <= day <= last)
    if not tested:
        raise DataError(f"task.start={first}, task.end={last}: the data have no session there")
    if str(tested[0]) <= last_seen:
        raise DataError(
            f"task.start={first}: the model has seen days to {last_seen}; "
            "start after them, or choose a model that ends earlier"
        )
    return tested


def periods_of(sessions: Sequence[date], cadence: Cadence) -> list[tuple[date, ...]]:
    """The sessions in calendar order, by ISO week or by month."""
    periods: dict[tuple[int, int], list[date]] = {}
    for day in sessions:
        week = day.isocalendar()
        key = (week.year, week.week) if cadence is Cadence.weekly else (day.year, day.month)
        periods.setdefault(key, []).append(day)
    return [tuple(one) for one in periods.values()]
