"""Gradient updates a second: the learner's own `train()` against the stock one, one thread each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3 import SAC
from timing import Compared, compare, rate

import intraday_rl
from intraday_rl.agents.sac import Compile, Sac
from intraday_rl.agents.sac_torch import SacLearner

OVERRIDES = ["tracking=none", "paths.outputs=outputs/performance"]
UPDATES_PER_CALL = 4


def compare_updates(width: int, goal: float) -> Compared:
    """Both sides train on buffers of the same size, batch 256."""
    ours, stock = _learner(width, Compile.always), _learner(width, Compile.never)
    calls = 400 if width <= 64 else 100
    return compare(
        f"SAC updates, {width}×{width}, batch 256, one thread, against stock SB3",
        "updates/s",
        lambda: rate(lambda: _train(ours), calls, UPDATES_PER_CALL),
        lambda: rate(lambda: _train(stock), calls // 2, UPDATES_PER_CALL),
        goal=goal,
    )


def _train(model: SAC) -> None:
    model.train(gradient_steps=UPDATES_PER_CALL, batch_size=256)


def _learner(width: int, how: Compile) -> Any:
    assert intraday_rl
    part = Sac(net_arch=[width, width], compile=how, total_timesteps=4_000, learning_starts=2_000)
    environment = gymnasium.make_vec(
        "intraday_rl/Trading-v0", num_envs=part.n_envs, overrides=OVERRIDES
    )
    learner = SacLearner(
        part,
        environment.unwrapped,
        np.random.default_rng(0),
        failure_folder=Path("outputs/performance"),
    )
    learner.learn(eval_every=4_000)  # fills the buffer and pays for compiling
    return learner.model
