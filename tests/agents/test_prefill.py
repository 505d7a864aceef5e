"""A replay memory that begins with what one account played: nothing missing, nothing else drawn."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from intraday_rl.agents.seeded_replay import SeededReplayBuffer
from intraday_rl.errors import ModelError

ACCOUNTS = 4


def memory(rows: int = 10, seed: int = 0) -> SeededReplayBuffer:
    box = gym.spaces.Box(-1e6, 1e6, (2,), np.float32)
    action = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    return SeededReplayBuffer(
        rows * ACCOUNTS, box, action, "cpu", ACCOUNTS,
        random=np.random.default_rng(seed), n_batches_kept=1,
    )  # fmt: skip


def played(count: int) -> dict[str, np.ndarray]:
    """Decision i is recognised by its number everywhere."""
    number = np.arange(1, count + 1, dtype=np.float32)
    return {
        "observations": np.stack([number, -number], axis=1),
        "next_observations": np.stack([number + 1, -number], axis=1),
        "actions": number / 1_000,
        "rewards": number,
        "dones": (number % 3 == 0).astype(np.float32),
        "timeouts": np.zeros(count, np.float32),
    }


@pytest.mark.parametrize("count", [3, 4, 9, 16, 23])
def test_exactly_what_was_played_is_drawn_and_every_part_belongs_together(count):
    buffer = memory()
    buffer.prefill(played(count))
    assert buffer.n_stored == count
    drawn = buffer.sample(2_000)
    rewards = drawn.rewards.numpy()[:, 0]
    assert set(rewards) == set(np.arange(1.0, count + 1.0))
    np.testing.assert_array_equal(drawn.observations.numpy()[:, 0], rewards)
    np.testing.assert_array_equal(drawn.next_observations.numpy()[:, 0], rewards + 1)
    np.testing.assert_array_equal(drawn.actions.numpy()[:, 0], (rewards / 1_000))
    np.testing.assert_array_equal(drawn.dones.numpy()[:, 0], rewards % 3 == 0)


def add(buffer: SeededReplayBuffer, reward: float) -> None:
    row = np.zeros((ACCOUNTS, 2), np.float32)
    buffer.add(
        row, row, np.zeros((ACCOUNTS, 1)), np.full(ACCOUNTS, reward),
        np.zeros(ACCOUNTS), [{}] * ACCOUNTS,
    )  # fmt: skip


def test_new_decisions_follow_and_fill_the_empty_cells_when_the_memory_wraps():
    buffer = memory(rows=4)
    buffer.prefill(played(9))  # three rows, the first has one of four
    add(buffer, 100.0)
    assert buffer.full
    assert buffer.pos == 0
    add(buffer, 200.0)
    rewards = buffer.sample(2_000).rewards.numpy()
    assert set(rewards[:, 0]) == {*np.arange(2.0, 10.0), 100.0, 200.0}
    assert buffer.n_stored == 16


def test_a_memory_kept_and_restored_draws_the_same():
    buffer, other = memory(), memory()
    buffer.prefill(played(9))
    other.restore(buffer.state())
    np.testing.assert_array_equal(buffer.sample(64).rewards, other.sample(64).rewards)
    assert other.n_stored == 9


def test_a_memory_without_a_beginning_of_its_own_draws_as_before():
    buffer = memory()
    for step in range(5):
        add(buffer, float(step))
    picked = np.random.default_rng(0).integers(5 * ACCOUNTS, size=(1, 64))
    np.testing.assert_array_equal(buffer.sample(64).rewards.numpy()[:, 0], picked[0] // ACCOUNTS)


def test_too_much_and_too_late_are_refused():
    with pytest.raises(ModelError, match=r"agent\.buffer_size"):
        memory().prefill(played(40))
    buffer = memory()
    add(buffer, 1.0)
    with pytest.raises(ModelError, match="before training"):
        buffer.prefill(played(3))
