"""Compare two things on a noisy machine: in turn, in one process, as ratios with their spread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Compared:
    """Rates of two sides measured in turn; `ratio` is ours ÷ theirs, pair by pair."""

    what: str
    unit: str
    ours: list[float]
    theirs: list[float]
    goal: float | None = None

    @property
    def ratio(self) -> list[float]:
        return [a / b for a, b in zip(self.ours, self.theirs, strict=True)]

    def row(self) -> str:
        """A row of a markdown table."""
        goal = "–" if self.goal is None else f"≥ {self.goal:g}"
        met = "" if self.goal is None else (" ✓" if self.median >= self.goal else " missed")
        return (
            f"| {self.what} | {spread(self.ours)} {self.unit} | {spread(self.theirs)} {self.unit} "
            f"| {spread(self.ratio)} | {goal}{met} |"
        )

    @property
    def median(self) -> float:
        return statistics.median(self.ratio)


def compare(
    what: str,
    unit: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    rounds: int = 5,
    goal: float | None = None,
) -> Compared:
    """Measure both sides `rounds` times in turn, after one of each that is not counted."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return Compared(what, unit, [a for a, _ in pairs], [b for _, b in pairs], goal)


def rate(step: Callable[[], object], repeats: int, per_step: int = 1) -> float:
    """Things done a second when `step`, which does `per_step` of them, is repeated."""
    started = time.perf_counter()
    for _ in range(repeats):
        step()
    return repeats * per_step / (time.perf_counter() - started)


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{number(statistics.median(values))} ({number(min(values))}–{number(max(values))})"


def number(value: float) -> str:
    """Three significant digits, with k and M."""
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"
