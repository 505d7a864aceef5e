"""Dates in the options of a task."""

from __future__ import annotations

import datetime as dt

from intraday_rl.market.offsets import parse_date


def parse_day(key: str, value: str) -> dt.date:
    """An ISO date from a configuration value."""
    return parse_date(key, value)
