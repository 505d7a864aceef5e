"""The learner of the part `sac`: Stable-Baselines3's SAC on one thread, watched, seeded."""

from __future__ import annotations

import io
import logging
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import VectorEnv
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.agents.bundle import PolicyState
from intraday_rl.agents.exploration import quicken
from intraday_rl.agents.graph_cache import has_compiler
from intraday_rl.agents.sac import Compile, Sac
from intraday_rl.agents.sac_compiled import CompiledSac
from intraday_rl.agents.sb3_vec_env import Sb3VecEnv
from intraday_rl.agents.seeded_replay import SeededReplayBuffer
from intraday_rl.agents.training_checkpoint import capture, restore
from intraday_rl.agents.training_record import CurvePoint, Evaluation, Progress, TrainingRecord
from intraday_rl.agents.training_watch import CURVES, TrainingWatch
from intraday_rl.errors import ConfigError, ModelError

logger = logging.getLogger(__name__)

BACKEND = "backend.pt"

# What a stock SAC neither needs nor could rebuild: our buffer's class and generator, and the
# state of the accounts at the moment of saving.
NOT_IN_ZIP = (
    "replay_buffer_class",
    "replay_buffer_kwargs",
    "start_time",
    "_last_obs",
    "_last_episode_starts",
)


class SacLearner:
    """Trains one SAC agent on a VectorEnv.

    environment     gymnasium VectorEnv, SAME_STEP autoreset, one action in [-1, 1]
    random          Generator from which environment, warm-up actions, torch and replay buffer
                    get their own; global random states are neither read nor moved
    failure_folder  receives the batch if training diverges
    reward_scale    resolved factor on the training reward (`Sac.reward_scale` may be null)
    algorithm       SB3's SAC, or a subclass with another `train()`; attributes it adds belong in
                    its `_excluded_save_params`, so that the stock class opens the zip; by default
                    the one that `Sac.compile` asks for

    A learner sets torch to one thread for the process: small networks get slower with more, and
    the order of summation, hence the last bits of the weights, depends on the number.
    """

    def __init__(
        self,
        sac: Sac,
        environment: VectorEnv[Any, Any, Any],
        random: np.random.Generator,
        *,
        failure_folder: Path,
        reward_scale: float,
        algorithm: type[SAC] | None = None,
    ) -> None:
        torch.set_num_threads(1)
        _check_environment(sac, environment)
        self.sac = sac
        self.failure_folder = failure_folder
        for_environment, for_actions, for_torch, for_buffer = random.spawn(4)
        self.environment = Sb3VecEnv(
            environment, failure_folder=failure_folder, reward_scale=reward_scale
        )
        self.environment.seed(_seed(for_environment))
        self.environment.action_space.seed(_seed(for_actions))
        self._torch_state = torch.Generator().manual_seed(_seed(for_torch)).get_state()
        with self._own_torch_randomness():
            self.model = (algorithm or algorithm_of(sac))(
                "MlpPolicy",
                self.environment,
                learning_rate=sac.learning_rate,
                buffer_size=sac.buffer_size,
                learning_starts=sac.learning_starts,
                batch_size=sac.batch_size,
                tau=sac.tau,
                gamma=sac.gamma,
                train_freq=sac.train_freq,
                gradient_steps=sac.updates_per_training,
                replay_buffer_class=SeededReplayBuffer,
                replay_buffer_kwargs={
                    "random": for_buffer,
                    "n_batches_kept": sac.updates_per_training,
                },
                ent_coef=sac.ent_coef,
                target_entropy=sac.target_entropy,
                target_update_interval=sac.target_update_interval,
                policy_kwargs={"net_arch": list(sac.net_arch)},
                seed=None,  # a number here would reseed the global generators
                device="cpu",
            )
        self._record: TrainingRecord | None = None
        self._resumed: dict[str, Any] | None = None
        quicken(self.model.policy)
        self.model.set_logger(Logger(folder=None, output_formats=[]))

    @property
    def n_updates(self) -> int:
        """Gradient updates made so far."""
        return int(self.model._n_updates)

    def learn(
        self,
        total_timesteps: int | None = None,
        on_progress: Progress | None = None,
        eval_every: int | None = None,
        on_evaluation: Evaluation | None = None,
        *,
        reset_num_timesteps: bool = True,
        on_checkpoint: Callable[[int], None] | None = None,
        checkpoint_every: int | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> list[CurvePoint]:
        """Train; `total_timesteps` and `eval_every` (decisions) default to the part's.

        on_evaluation   (decisions so far, policy) every `eval_every` decisions, after the updates
                        they earned, and once at the end; may call `state()` to keep it
        on_progress     decisions so far, about a hundred times and at the end
        on_checkpoint   decisions so far, every `checkpoint_every` and before a stop; may call
                        `snapshot()` to keep everything
        stop            asked after every training; true ends it with `TrainingStopped`

        After `resume` it goes on where the snapshot was taken, as if never interrupted.
        """
        total = self.sac.total_timesteps if total_timesteps is None else total_timesteps
        record = TrainingRecord(
            CURVES,
            on_progress=on_progress,
            progress_every=max(total // 100, 1),
            on_evaluation=on_evaluation,
            eval_every=self.sac.eval_freq if eval_every is None else eval_every,
            on_checkpoint=on_checkpoint,
            checkpoint_every=checkpoint_every,
            stop=stop,
        )
        self._record = record
        if self._resumed is not None:
            record.restore(self._resumed)
            self._resumed, reset_num_timesteps = None, False
            total -= self.model.num_timesteps
        watch = TrainingWatch(record, self.policy, self.failure_folder)
        with self._own_torch_randomness():
            try:
                self.model.learn(
                    total,
                    callback=watch,
                    log_interval=sys.maxsize,  # never: the watch reads the logger itself
                    reset_num_timesteps=reset_num_timesteps,
                )
            except ValueError:  # torch refuses a distribution whose mean is not a number
                watch.refuse_non_finite()
                raise
        return record.curve

    def policy(self) -> ActorPolicy:
        """The present actor, as numpy arrays of its own."""
        layers = [*self.model.actor.latent_pi, self.model.actor.mu]
        linear = [layer for layer in layers if isinstance(layer, torch.nn.Linear)]
        return ActorPolicy(
            [layer.weight.detach().numpy() for layer in linear],
            [layer.bias.detach().numpy() for layer in linear],
        )

    def state(self) -> PolicyState:
        """All that a bundle keeps of the present agent; the replay buffer is not part of it."""
        training_state, sb3_zip = io.BytesIO(), io.BytesIO()
        torch.save(self._training_state(), training_state)
        self.model.save(sb3_zip, exclude=NOT_IN_ZIP)
        return PolicyState(
            actor=self.policy().as_arrays(),
            training_state=training_state.getvalue(),
            sb3_zip=sb3_zip.getvalue(),
        )

    def snapshot(self) -> dict[str, bytes]:
        """Where the training stands, as files by name; only while `learn` calls a listener."""
        if self._record is None:
            raise ModelError("a snapshot is of a training: learn() has not been called")
        backend = {"training_state": self._training_state(), "random": torch.get_rng_state()}
        buffer = io.BytesIO()
        torch.save(backend, buffer)
        files = capture(self.model, self.environment, self._record)
        return {**files, BACKEND: buffer.getvalue()}

    def resume(self, folder: Path) -> None:
        """Stand where a `snapshot` was taken, whose files lie in `folder`; `learn` then goes on."""
        try:
            saved = _read_training_state(folder / BACKEND)
            self._pour(saved["training_state"], folder / BACKEND)
            self._torch_state = saved["random"]
            self._resumed = restore(folder, self.model, self.environment)
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise ModelError(
                f"{folder} is no checkpoint of this training ({type(error).__name__}: {error}): "
                "delete it to train from the start"
            ) from error

    def load_training_state(self, path: Path) -> None:
        """Pour saved networks and optimisers into this learner; executes no pickle."""
        self._pour(_read_training_state(path), path)

    def _pour(self, saved: dict[str, Any], path: Path) -> None:
        try:
            self.model.set_parameters(saved["parameters"], exact_match=True, device="cpu")
            if self.model.log_ent_coef is not None:  # a fixed coefficient comes from the part
                self.model.log_ent_coef.data.copy_(saved["log_ent_coef"])
            self.model._n_updates = int(saved["n_updates"])
            self.model.num_timesteps = int(saved["num_timesteps"])
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{path} is no training state of this agent ({type(error).__name__}: {error}): "
                "use the agent.net_arch, agent.ent_coef and features it was trained with"
            ) from error

    def _training_state(self) -> dict[str, Any]:
        """Networks, optimisers, entropy coefficient (in no policy's state_dict) and counters."""
        learned = self.model.log_ent_coef
        return {
            "parameters": self.model.get_parameters(),
            "log_ent_coef": None if learned is None else learned.detach(),
            "n_updates": self.n_updates,
            "num_timesteps": self.model.num_timesteps,
        }

    @contextmanager
    def _own_torch_randomness(self) -> Iterator[None]:
        """SB3 draws from torch's global generator: lend it ours, then put the old one back."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._torch_state)
            try:
                yield
            finally:
                self._torch_state = torch.get_rng_state()


def algorithm_of(sac: Sac) -> type[SAC]:
    """The class that makes the updates; both make the same ones."""
    if not sac.compiles:
        return SAC
    if has_compiler():
        return CompiledSac
    if sac.compile is Compile.always:
        raise ConfigError(
            "compile",
            sac.compile.name,
            "needs a C++ compiler: install g++ or name another in CXX, or set agent.compile=auto",
        )
    logger.info("no C++ compiler (g++, or CXX): updates are not compiled and take longer")
    return SAC


def _read_training_state(path: Path) -> dict[str, Any]:
    """The saved tensors; whatever would need more than tensors and plain values is refused."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Detected pickle protocol")  # not ours
            saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, UserWarning) as error:
        raise ModelError(
            f"{path} cannot be read as tensors ({type(error).__name__}): "
            "restore the bundle from its run"
        ) from error
    return saved


def _check_environment(sac: Sac, environment: VectorEnv[Any, Any, Any]) -> None:
    space = environment.single_action_space
    if space != gym.spaces.Box(-1.0, 1.0, (1,), np.float32):
        raise ModelError(f"action space {space}: sac needs one float32 action in [-1, 1]")
    if environment.num_envs != sac.n_envs:
        raise ConfigError("n_envs", sac.n_envs, f"the environment has {environment.num_envs}")


def _seed(random: np.random.Generator) -> int:
    return int(random.integers(2**31))
