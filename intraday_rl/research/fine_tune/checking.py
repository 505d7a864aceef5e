"""Checks by name: the first that fails ends a run; a dry run shows all that can still be made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from intraday_rl.errors import IntradayRLError

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Check:
    """`detail`: what was found, or why it failed."""

    name: str
    passed: bool
    detail: str


@dataclass(slots=True)
class Checks:
    """What has been checked; `lenient` (a dry run) goes on after a failure where it can."""

    lenient: bool = False
    done: list[Check] = field(default_factory=list)
    errors: list[IntradayRLError] = field(default_factory=list)

    def need(self, name: str, find: Callable[[], Value], say: Callable[[Value], str]) -> Value:
        """What `find` gives; everything after it rests on that, so a failure is always raised."""
        try:
            found = find()
        except IntradayRLError as error:
            self._failed(name, error)
            raise
        self.done.append(Check(name, True, say(found)))
        return found

    def want(self, name: str, check: Callable[[], str]) -> None:
        """Note what `check` says; a failure is raised unless lenient."""
        try:
            self.done.append(Check(name, True, check()))
        except IntradayRLError as error:
            self._failed(name, error)
            if not self.lenient:
                raise

    @property
    def passed(self) -> bool:
        """No check has failed."""
        return not self.errors

    def _failed(self, name: str, error: IntradayRLError) -> None:
        self.done.append(Check(name, False, str(error)))
        self.errors.append(error)
