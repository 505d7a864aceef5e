"""What is said while an agent learns: progress, evaluations and the learning curve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from intraday_rl.agents.actor import ActorPolicy

Progress = Callable[[int], None]
Evaluation = Callable[[int, ActorPolicy], None]


class CurvePoint(NamedTuple):
    """One value of the learning curve: the mean over the trainings since the point before."""

    step: int
    name: str
    value: float


class TrainingRecord:
    """Decides when a listener is called and averages the curve between evaluations.

    on_progress, progress_every     called with the decisions so far, every so many, and at the end
    on_evaluation, eval_every       called with them and the present policy, likewise
    names                           the values whose means become the curve
    """

    def __init__(
        self,
        names: Iterable[str],
        *,
        on_progress: Progress | None,
        progress_every: int,
        on_evaluation: Evaluation | None,
        eval_every: int,
    ) -> None:
        self.curve: list[CurvePoint] = []
        self._sums = dict.fromkeys(names, 0.0)
        self._n_sums = 0
        self._on_progress, self._progress_every = on_progress, progress_every
        self._on_evaluation, self._eval_every = on_evaluation, eval_every
        self.start(0)

    def start(self, step: int) -> None:
        """Count from here; a continued training starts above zero."""
        self._last_evaluation = self._last_progress = step
        self._next_evaluation = step + self._eval_every
        self._next_progress = step + self._progress_every

    def add(self, values: Mapping[str, float]) -> None:
        """Take in what one training logged."""
        for name in self._sums:
            self._sums[name] += float(values[name])
        self._n_sums += 1

    def look(self, step: int, policy: Callable[[], ActorPolicy], *, last: bool) -> None:
        """Call whoever is due; `policy` is only asked for when somebody wants it."""
        if step >= self._next_evaluation or (last and step > self._last_evaluation):
            while self._next_evaluation <= step:
                self._next_evaluation += self._eval_every
            self._last_evaluation = step
            self._close_point(step)
            if self._on_evaluation is not None:
                self._on_evaluation(step, policy())
        if step >= self._next_progress or (last and step > self._last_progress):
            self._next_progress, self._last_progress = step + self._progress_every, step
            if self._on_progress is not None:
                self._on_progress(step)

    def _close_point(self, step: int) -> None:
        if self._n_sums:
            self.curve += [
                CurvePoint(step, name, total / self._n_sums) for name, total in self._sums.items()
            ]
        self._sums, self._n_sums = dict.fromkeys(self._sums, 0.0), 0
