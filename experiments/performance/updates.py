"""Gradient updates a second: the learner's own `train()` against the stock one, one thread each."""

from __future__ import annotations

from learners import learner
from stable_baselines3 import SAC
from timing import Compared, compare, rate

from intraday_rl.agents.sac import Compile

UPDATES_PER_CALL = 4


def compare_updates(width: int, updates: int, rounds: int, goal: float) -> Compared:
    """Both sides train on buffers of the same size, batch 256."""
    ours, stock = learner(width, Compile.always).model, learner(width, Compile.never).model
    calls = updates // UPDATES_PER_CALL
    return compare(
        f"SAC updates, {width}×{width}, batch 256, one thread, against stock SB3",
        "updates/s",
        lambda: rate(lambda: _train(ours), calls, UPDATES_PER_CALL),
        lambda: rate(lambda: _train(stock), max(calls // 2, 1), UPDATES_PER_CALL),
        rounds,
        goal=goal,
    )


def _train(model: SAC) -> None:
    model.train(gradient_steps=UPDATES_PER_CALL, batch_size=256)
