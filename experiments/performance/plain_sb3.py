"""What a user writes without this framework: stock SAC, one account, one fit after another."""

from __future__ import annotations

import sys

import gymnasium
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.vec_env import DummyVecEnv

import intraday_rl  # noqa: F401  registers the environment


def main(
    fits: int, steps: int, updates_per_16_steps: int, width: int, learning_starts: int
) -> None:
    """`fits` trainings at the same steps, updates and nets as the other side."""
    for seed in range(fits):
        env = DummyVecEnv([lambda: gymnasium.make(
            "intraday_rl/Trading-v0", overrides=["tracking=none", "data.edge=0.15"])])  # fmt: skip
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
            seed=seed,
            device="cpu",
        )
        model.learn(steps)
    print(f"{torch.get_num_threads()} threads")  # noqa: T201


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
