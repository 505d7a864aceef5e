"""Compare two things on a noisy machine: in turn, in one process, as ratios with their spread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

HEAD = ("| what | here | the other | ratio: median (range) | goal |", "|---|---|---|---|---|")


@dataclass(frozen=True)
class Compared:
    """Rates of two sides measured in turn; `ratio` is ours ÷ theirs, pair by pair.

    goal        of the ratio's median
    goal_here   of our own rate's median, where the goal is a rate
    """

    what: str
    unit: str
    ours: list[float]
    theirs: list[float]
    goal: float | None = None
    goal_here: float | None = None

    @property
    def ratio(self) -> list[float]:
        return [a / b for a, b in zip(self.ours, self.theirs, strict=True)]

    @property
    def median(self) -> float:
        return statistics.median(self.ratio)

    def row(self) -> str:
        """A row of a markdown table."""
        goals = []
        if self.goal_here is not None:
            met = statistics.median(self.ours) >= self.goal_here
            goals.append(f"≥ {number(self.goal_here)} {self.unit} {verdict(met)}")
        if self.goal is not None:
            goals.append(f"≥ {self.goal:g} × {verdict(self.median >= self.goal)}")
        return (
            f"| {self.what} | {spread(self.ours)} {self.unit} | {spread(self.theirs)} {self.unit} "
            f"| {spread(self.ratio)} | {'; '.join(goals) or '–'} |"
        )


@dataclass(frozen=True)
class Measured:
    """One side alone, several times; the goal is an upper bound of the median."""

    what: str
    unit: str
    values: list[float]
    goal: float | None = None

    def row(self) -> str:
        """A row of a markdown table."""
        goal = "–"
        if self.goal is not None:
            met = statistics.median(self.values) < self.goal
            goal = f"< {self.goal:g} {self.unit} {verdict(met)}"
        return f"| {self.what} | {spread(self.values)} {self.unit} | {goal} |"


def compare(
    what: str,
    unit: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    rounds: int = 5,
    goal: float | None = None,
    goal_here: float | None = None,
) -> Compared:
    """Measure both sides `rounds` times in turn, after one of each that is not counted."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return Compared(what, unit, [a for a, _ in pairs], [b for _, b in pairs], goal, goal_here)


def rate(step: Callable[[], object], repeats: int, per_step: int = 1) -> float:
    """Things done a second when `step`, which does `per_step` of them, is repeated."""

    def all_of_them() -> None:
        for _ in range(repeats):  # what a step returns is let go, as a learner does
            step()

    return repeats * per_step / seconds(all_of_them)


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def verdict(met: bool) -> str:
    return "✓" if met else "**missed**"


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{number(statistics.median(values))} ({number(min(values))}–{number(max(values))})"


def number(value: float) -> str:
    """Three significant digits, with k and M."""
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:  # else rounding would reach the next unit
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"
