"""Stable-Baselines3's replay memory, seeded by hand and sampled for a whole training at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples

STORED = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
PARTS = ("observations", "actions", "next_observations", "dones", "rewards")


class SeededReplayBuffer(ReplayBuffer):
    """SB3's memory, drawn from by a Generator of its own in place of numpy's global one.

    The batches of the last `n_batches_kept` updates are kept, for the moment they went wrong.
    """

    def __init__(
        self, *args: Any, random: np.random.Generator, n_batches_kept: int, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.random = random
        self._n_batches_kept = n_batches_kept
        self._kept: list[ReplayBufferSamples] = []

    def sample(self, batch_size: int, env: Any = None) -> ReplayBufferSamples:
        """Decisions of any account, with replacement; `env` (a VecNormalize) is not supported."""
        many = self.sample_many(1, batch_size)
        return ReplayBufferSamples(*(getattr(many, part)[0] for part in PARTS))

    def sample_many(self, n_batches: int, batch_size: int) -> ReplayBufferSamples:
        """As many batches as one after the other would give, along a new first axis."""
        picked = self.random.integers(self.size() * self.n_envs, size=(n_batches, batch_size))
        ended = self._take(self.dones, picked)
        if self.handle_timeout_termination:
            ended *= 1.0 - self._take(self.timeouts, picked)
        batches = ReplayBufferSamples(
            observations=self._take(self.observations, picked),
            actions=self._take(self.actions, picked),
            next_observations=self._take(self.next_observations, picked),
            dones=ended.unsqueeze(-1),
            rewards=self._take(self.rewards, picked).unsqueeze(-1),
        )
        self._kept = [*self._kept, batches][-self._n_batches_kept :]
        return batches

    def state(self) -> dict[str, NDArray[Any]]:
        """What is stored, and where the next decision goes; the Generator is apart."""
        filled = {name: getattr(self, name)[: self.size()] for name in STORED}
        return {**filled, "place": np.array([self.pos, self.full], np.int64)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The memory as `state` described it; one of another size is refused by numpy."""
        position, full = state["place"].tolist()
        self.pos, self.full = position, bool(full)
        for name in STORED:
            getattr(self, name)[: self.size()] = state[name]

    def last_batches(self) -> dict[str, NDArray[Any]]:
        """What was last drawn, with the update as first axis; empty before the first time."""
        if not self._kept:
            return {}
        return {
            part: np.concatenate([getattr(kept, part).numpy() for kept in self._kept])[
                -self._n_batches_kept :
            ]
            for part in PARTS
        }

    @staticmethod
    def _take(stored: NDArray[Any], picked: NDArray[np.int64]) -> torch.Tensor:
        """Into memory of torch, which is aligned: the last bits of a product can depend on that."""
        taken = torch.empty((*picked.shape, *stored.shape[2:]))
        rows = stored.reshape(-1, *stored.shape[2:])
        # No index can be out of range; numpy would check them in a copy of the result.
        rows.take(picked, axis=0, out=taken.numpy(), mode="clip")
        return taken
