"""A learner on the synthetic bars, its buffer filled and its code warm."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np

import intraday_rl
from intraday_rl.agents.sac import Compile, Sac
from intraday_rl.agents.sac_torch import SacLearner

OVERRIDES = ["tracking=none", "paths.outputs=outputs/performance"]
assert intraday_rl  # importing it registers the environment


def learner(
    width: int, how: Compile, *, steps: int = 4_000, starts: int = 2_000, learn: bool = True
) -> SacLearner:
    """Batch 256, sixteen accounts, four updates a vector step, as the defaults have it."""
    part = Sac(net_arch=[width, width], compile=how, total_timesteps=steps, learning_starts=starts)
    environment = gymnasium.make_vec(
        "intraday_rl/Trading-v0", num_envs=part.n_envs, overrides=OVERRIDES
    )
    made = SacLearner(
        part,
        environment.unwrapped,
        np.random.default_rng(0),
        failure_folder=Path("outputs/performance"),
        reward_scale=1.0,
    )
    if learn:
        made.learn(eval_every=steps)
    return made
