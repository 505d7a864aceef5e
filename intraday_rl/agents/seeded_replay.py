"""Stable-Baselines3's replay memory, seeded by hand and sampled for a whole training at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples

from intraday_rl.errors import ModelError

STORED = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
PARTS = ("observations", "actions", "next_observations", "dones", "rewards")


class SeededReplayBuffer(ReplayBuffer):
    """SB3's memory, drawn from by a Generator of its own in place of numpy's global one.

    The batches of the last `n_batches_kept` updates are kept, for the moment they went wrong.

    A row holds one decision of every account. What one account played alone (`prefill`) may leave
    the first cells of the first row empty; they are never drawn, and filled when the memory wraps.
    """

    def __init__(
        self, *args: Any, random: np.random.Generator, n_batches_kept: int, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.random = random
        self._n_batches_kept = n_batches_kept
        self._kept: list[ReplayBufferSamples] = []
        self._n_empty = 0  # leading cells of the first row

    @property
    def n_stored(self) -> int:
        """Decisions that may be drawn."""
        return int(self.size()) * self.n_envs - (0 if self.full else self._n_empty)

    def prefill(self, transitions: Mapping[str, NDArray[Any]]) -> None:
        """Begin with the decisions of one account, in their order, along the first axis.

        `transitions` names all of `STORED`; rewards are as training sees them, scaled.
        """
        count = len(transitions["rewards"])
        if self.full or self.pos:
            raise ModelError("the replay memory is prefilled once, before training")
        rows = -(-count // self.n_envs)
        if rows >= self.buffer_size:
            raise ModelError(
                f"agent.buffer_size: {self.buffer_size * self.n_envs} decisions cannot take "
                f"{count} and leave room for new ones: name fewer sessions"
            )
        self._n_empty = rows * self.n_envs - count
        for name in STORED:
            stored = getattr(self, name)
            given = np.asarray(transitions[name], stored.dtype).reshape(count, *stored.shape[2:])
            stored.reshape(-1, *stored.shape[2:])[self._n_empty : rows * self.n_envs] = given
        self.pos = rows

    def sample(self, batch_size: int, env: Any = None) -> ReplayBufferSamples:
        """Decisions of any account, with replacement; `env` (a VecNormalize) is not supported."""
        many = self.sample_many(1, batch_size)
        return ReplayBufferSamples(*(getattr(many, part)[0] for part in PARTS))

    def sample_many(self, n_batches: int, batch_size: int) -> ReplayBufferSamples:
        """As many batches as one after the other would give, along a new first axis."""
        first, end = (0 if self.full else self._n_empty), self.size() * self.n_envs
        picked = self.random.integers(first, end, size=(n_batches, batch_size))
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
        return {**filled, "place": np.array([self.pos, self.full, self._n_empty], np.int64)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The memory as `state` described it; one of another size is refused by numpy."""
        self.pos, full, self._n_empty = state["place"].tolist()
        self.full = bool(full)
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
