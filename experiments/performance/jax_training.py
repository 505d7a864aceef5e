"""Training by `agent=sac_jax` against SBX used plainly: environment steps a second, updates
included, each side in a process of its own that has compiled everything before the clock starts."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import gymnasium
import numpy as np
from processes import ROOT, run
from timing import Compared, compare

import intraday_rl
from intraday_rl.agents.learner import learner_class
from intraday_rl.agents.sac import SacJax

LEARNING_STARTS, WARM_UP_STEPS, ACCOUNTS = 1_000, 160, 16
OVERRIDES = ["tracking=none", "data.edge=0.15"]


def compare_jax_training(
    width: int = 64,
    steps: int = 8_000,
    updates_per_16_steps: int = 4,
    rounds: int = 5,
    goal: float | None = 1.5,
) -> Compared:
    """Both sides: batch 256, the same steps and updates per step, the same bars and costs.

    Ours steps 16 accounts at once, plain SBX one, as a user would write it; both train after
    every 16 account-steps. Ours keeps to one thread, SBX to its own default.
    """
    words = [str(number) for number in (steps, updates_per_16_steps, width, LEARNING_STARTS)]
    here = Path(__file__)
    return compare(
        f"training by sac_jax, {width}×{width}, {updates_per_16_steps} updates per 16 steps, "
        "against plain SBX",
        "steps/s",
        lambda: float(run(str(here), *words).output.split()[-1]),
        lambda: float(run(str(here.with_name("plain_sbx.py")), *words).output.split()[-1]),
        rounds,
        goal,
    )


def main(steps: int, updates_per_16_steps: int, width: int, learning_starts: int) -> None:
    """Our side: print steps a second."""
    assert intraday_rl  # importing it registers the id
    part = SacJax(
        learning_rate=3e-4,
        gradient_steps=updates_per_16_steps,
        net_arch=[width, width],
        learning_starts=learning_starts,
        n_envs=ACCOUNTS,
    )
    environment = gymnasium.make_vec(
        "intraday_rl/Trading-v0", num_envs=ACCOUNTS, overrides=OVERRIDES
    )
    learner = learner_class(part)(
        part,
        environment.unwrapped,
        np.random.default_rng(0),
        failure_folder=ROOT / "outputs" / "performance",
        reward_scale=1.0,
    )
    learner.learn(learning_starts + WARM_UP_STEPS)
    started = time.perf_counter()
    learner.learn(steps, reset_num_timesteps=False)
    print(steps / (time.perf_counter() - started))  # noqa: T201  read by compare_jax_training


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
