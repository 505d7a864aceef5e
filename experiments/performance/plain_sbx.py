"""What a user writes without this framework: SBX's SAC on one plain account."""

from __future__ import annotations

import sys
import time

import gymnasium
from sbx import SAC

import intraday_rl  # noqa: F401  registers the environment

WARM_UP_STEPS = 160  # of learning, in which everything is compiled


def main(steps: int, updates_per_16_steps: int, width: int, learning_starts: int) -> None:
    """Print environment steps a second, updates included, once all is compiled."""
    env = gymnasium.make(
        "intraday_rl/Trading-v0", overrides=["tracking=none", "data.edge=0.15"]
    )  # fmt: skip
    model = SAC(
        "MlpPolicy",
        env,
        learning_rate=3e-4,
        buffer_size=200_000,
        batch_size=256,
        train_freq=16,
        gradient_steps=updates_per_16_steps,
        learning_starts=learning_starts,
        policy_kwargs={"net_arch": [width, width]},
        seed=0,
    )
    model.learn(learning_starts + WARM_UP_STEPS)
    started = time.perf_counter()
    model.learn(steps, reset_num_timesteps=False)
    print(steps / (time.perf_counter() - started))  # noqa: T201  read by jax_training.py


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
