"""How much of training is not gradient updates: sampling, acting, stepping, listening, logging."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from learners import learner
from timing import Measured, seconds

from intraday_rl.agents.sac import Compile


def measure_overhead(width: int, steps: int, rounds: int) -> Measured:
    """Per cent of `learn()` outside of the updates; filling the buffer is not counted.

    The updates are `train()` without drawing its batches and without recording its means.
    """
    made = learner(width, Compile.always)
    train = _Clock(made.model, "train")
    inside = [_Clock(made.model.replay_buffer, "sample_many"), _Clock(made.model, "_log")]
    shares = []
    for _ in range(rounds):
        for clock in (train, *inside):
            clock.seconds = 0.0
        whole = seconds(lambda: made.learn(steps, eval_every=steps, reset_num_timesteps=False))
        updates = train.seconds - sum(clock.seconds for clock in inside)
        shares.append(100.0 * (1.0 - updates / whole))
    what = f"share of training outside of the updates, {width}×{width}, compiled"
    return Measured(what, "%", shares, goal=10.0)


class _Clock:
    """Adds up the seconds spent in one method of one object."""

    def __init__(self, owner: Any, name: str) -> None:
        self.seconds = 0.0
        method: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return method(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - started

        setattr(owner, name, timed)
