"""What is said while an agent learns: progress, evaluations and the learning curve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.errors import TrainingStopped

Progress = Callable[[int], None]
Evaluation = Callable[[int, ActorPolicy], None]


_DUE = ("_last_evaluation", "_last_progress", "_next_evaluation", "_next_progress")


class CurvePoint(NamedTuple):
    """One value of the learning curve: the mean over the trainings since the point before."""

    step: int
    name: str
    value: float


class TrainingRecord:
    """Decides when a listener is called and averages the curve between evaluations.

    on_progress, progress_every     called with the decisions so far, every so many, and at the end
    on_evaluation, eval_every       called with them and the present policy, likewise
    on_checkpoint, checkpoint_every called with them every so many (null: never), and before a stop
    stop                            asked after every training; true ends it as `TrainingStopped`
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
        on_checkpoint: Callable[[int], None] | None = None,
        checkpoint_every: int | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.curve: list[CurvePoint] = []
        self._sums = dict.fromkeys(names, 0.0)
        self._n_sums = 0
        self._on_progress, self._progress_every = on_progress, progress_every
        self._on_evaluation, self._eval_every = on_evaluation, eval_every
        self._on_checkpoint, self._checkpoint_every = on_checkpoint, checkpoint_every
        self._stop = stop
        self._restored = False
        self.start(0)

    def start(self, step: int) -> None:
        """Count from here; a continued training starts above zero, a restored one goes on."""
        self._next_checkpoint = step + (self._checkpoint_every or 0)
        if self._restored:
            return
        self._last_evaluation = self._last_progress = step
        self._next_evaluation = step + self._eval_every
        self._next_progress = step + self._progress_every

    def state(self) -> dict[str, Any]:
        """The curve, the means under way and what is due next; JSON-safe and exact."""
        due = {name: getattr(self, name) for name in _DUE}
        return {"curve": self.curve, "sums": self._sums, "n_sums": self._n_sums, "due": due}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.curve = [CurvePoint(*point) for point in state["curve"]]
        self._sums, self._n_sums = dict(state["sums"]), int(state["n_sums"])
        for name in _DUE:
            setattr(self, name, int(state["due"][name]))
        self._restored = True

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
        if not last:
            self._keep(step)

    def _keep(self, step: int) -> None:
        """Last of all, so that what is kept includes what the other listeners were told."""
        stopping = self._stop()
        due = self._checkpoint_every is not None and step >= self._next_checkpoint
        if self._on_checkpoint is not None and (due or stopping):
            self._next_checkpoint = step + (self._checkpoint_every or 0)
            self._on_checkpoint(step)
        if stopping:
            raise TrainingStopped(f"stopped after {step} decisions")

    def _close_point(self, step: int) -> None:
        if self._n_sums:
            self.curve += [
                CurvePoint(step, name, total / self._n_sums) for name, total in self._sums.items()
            ]
        self._sums, self._n_sums = dict.fromkeys(self._sums, 0.0), 0
