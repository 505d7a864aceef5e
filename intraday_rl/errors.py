"""Every error a user can meet, drawn as a tree; `entry` turns each into a message and a status.

IntradayRLError             1   anything this package raises on purpose
  ConfigError               2   a key has a value that is not allowed
  ModelError                2   a trained agent does not fit what it is asked to do
  DataError                 3   bars are missing, malformed or do not cover a window
  TrainingDiverged          1   a loss, weight or observation is not a finite number
  TrainingStopped           1   a training was asked to end early
  FoldFailed                1   a fold ended without a result
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import ClassVar


class IntradayRLError(Exception):
    """Base of the family; `exit_code` is the status of the process that ends with it."""

    exit_code: ClassVar[int] = 1


class ConfigError(IntradayRLError):
    """A configuration value is refused: says the key, the value and the remedy."""

    exit_code: ClassVar[int] = 2

    def __init__(self, key: str, value: object, remedy: str) -> None:
        super().__init__(f"{one_line_of(key)}={one_line_of(value)}: {remedy}")
        self.key, self.value, self.remedy = key, value, remedy

    def under(self, path: str) -> ConfigError:
        """The same error with the key spelled from the root of the configuration."""
        return ConfigError(f"{path}.{self.key}" if path else self.key, self.value, self.remedy)

    def __reduce__(self) -> tuple[type[ConfigError], tuple[str, object, str]]:
        return type(self), (self.key, self.value, self.remedy)


def one_line_of(value: object, longest: int = 300) -> str:
    """A value as a message shows it: on one line, and the middle left out if it is endless."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value)[: 4 * longest])
    if len(text) <= longest:
        return text
    return f"{text[: 2 * longest // 3]} ... {one_line_of(str(value)[-longest // 3 :])}"


class ModelError(IntradayRLError):
    """A bundle is incomplete, or its schema, scaler or plan does not match the request."""

    exit_code: ClassVar[int] = 2


class DataError(IntradayRLError):
    """Bars are refused: names file, row and reason, or the coverage that is missing."""

    exit_code: ClassVar[int] = 3


class TrainingDiverged(IntradayRLError):
    """Training met a value that is not finite; the message names the step and the saved batch."""


class TrainingStopped(IntradayRLError):
    """A training was asked to end before its budget was used; its checkpoint is written."""


class FoldFailed(IntradayRLError):
    """At least one fold ended without a result; the message names the folder with `error.txt`."""


@dataclass(frozen=True, slots=True)
class Range:
    """An interval that a value was checked against; an open end is not part of it."""

    low: float
    high: float
    low_open: bool
    high_open: bool


_ranges: ContextVar[dict[str, Range] | None] = ContextVar("ranges", default=None)


@contextmanager
def recorded_ranges() -> Iterator[dict[str, Range]]:
    """Every interval that `check_range` is asked about meanwhile, by key.

    So what a part checks and what a form says about it cannot differ.
    """
    found: dict[str, Range] = {}
    before = _ranges.set(found)
    try:
        yield found
    finally:
        _ranges.reset(before)


def check_range(
    key: str,
    value: float,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    low_open: bool = False,
    high_open: bool = False,
) -> None:
    """Raise `ConfigError` unless `value` is finite and within the stated interval."""
    recorded = _ranges.get()
    if recorded is not None:
        recorded[key] = Range(low, high, low_open, high_open)
    above = value > low if low_open else value >= low
    below = value < high if high_open else value <= high
    # Comparisons take integers of any size; math.isfinite would end in a traceback.
    finite = isinstance(value, int) or math.isfinite(value)
    if finite and above and below:
        return
    left = "(" if low_open or math.isinf(low) else "["
    right = ")" if high_open or math.isinf(high) else "]"
    raise ConfigError(key, value, f"must be a number in {left}{low:g}, {high:g}{right}")
