"""The options of each task; what a task does is in the room that carries it out."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from intraday_rl.errors import ConfigError


@dataclass(slots=True, kw_only=True)
class WalkForward:
    """Train, choose and test once on every fold and seed."""


@dataclass(slots=True, kw_only=True)
class FinalFit:
    """Train on everything up to a date, without a test.

    | field | what |
    |---|---|
    | `until` | last train day, validation span included; the dates of `windows` are ignored |
    """

    until: str = "???"

    def __post_init__(self) -> None:
        if self.until != "???":
            parse_day("until", self.until)


def parse_day(key: str, value: str) -> dt.date:
    """An ISO date from a configuration value."""
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise ConfigError(key, value, "must be a quoted ISO date such as '2023-12-31'") from None
