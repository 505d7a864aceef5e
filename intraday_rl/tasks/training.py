"""Options of the tasks that train an agent from nothing."""

from __future__ import annotations

from dataclasses import dataclass

from intraday_rl.tasks.days import parse_day


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
