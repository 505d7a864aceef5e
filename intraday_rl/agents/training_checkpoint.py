"""Where a training stands, to the last bit: as files by name, and back into a fresh learner.

| file | holds |
|---|---|
| replay.npz | the filled part of the replay memory, the place of the next decision |
| environment.npz | every account of the vector environment, the observations it showed last |
| loop.json | counters, the curve so far, what is due next, the states of the generators |

Networks, optimisers and the backend's own randomness are the learner's to add.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from intraday_rl.agents.sb3_vec_env import Sb3VecEnv
from intraday_rl.agents.seeded_replay import SeededReplayBuffer
from intraday_rl.agents.training_record import TrainingRecord
from intraday_rl.errors import ModelError

REPLAY, ENVIRONMENT, LOOP = "replay.npz", "environment.npz", "loop.json"
COUNTERS = ("num_timesteps", "_n_updates", "_episode_num")


def capture(
    model: OffPolicyAlgorithm, environment: Sb3VecEnv, record: TrainingRecord
) -> dict[str, bytes]:
    """The files; right after an update and before the next decision."""
    loop = {
        "counters": {name: int(getattr(model, name)) for name in COUNTERS},
        "record": record.state(),
        "action_space": environment.action_space.np_random.bit_generator.state,
        "replay": _buffer(model).random.bit_generator.state,
    }
    return {
        REPLAY: npz(_buffer(model).state()),
        ENVIRONMENT: npz(environment.state()),
        LOOP: json.dumps(loop).encode(),
    }


def restore(folder: Path, model: OffPolicyAlgorithm, environment: Sb3VecEnv) -> dict[str, Any]:
    """Pour `capture`'s files into a learner of the same settings; returns the record's state."""
    loop = json.loads((folder / LOOP).read_text("utf-8"))
    for name in COUNTERS:
        setattr(model, name, loop["counters"][name])
    environment.action_space.np_random.bit_generator.state = loop["action_space"]
    _buffer(model).random.bit_generator.state = loop["replay"]
    _buffer(model).restore(read_npz(folder / REPLAY))
    observations = environment.restore(read_npz(folder / ENVIRONMENT))
    model._last_obs = observations  # else learn() would begin new sessions
    model._last_episode_starts = np.zeros(environment.num_envs, np.bool_)
    record: dict[str, Any] = loop["record"]
    return record


def npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays by name as the bytes of an uncompressed archive."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of `npz`; pickles are refused."""
    with np.load(path, allow_pickle=False) as saved:
        return {name: saved[name] for name in saved.files}


def _buffer(model: OffPolicyAlgorithm) -> SeededReplayBuffer:
    if not isinstance(model.replay_buffer, SeededReplayBuffer):
        raise ModelError(f"replay buffer {type(model.replay_buffer).__name__}: cannot be kept")
    return model.replay_buffer
