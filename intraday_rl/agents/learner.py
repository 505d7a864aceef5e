"""What training is whichever library makes the updates: environment, seeds, watch, record."""

from __future__ import annotations

import io
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.agents.bundle import PolicyState
from intraday_rl.agents.sac import SacJax
from intraday_rl.agents.sb3_vec_env import Sb3VecEnv
from intraday_rl.agents.seeded_replay import SeededReplayBuffer
from intraday_rl.agents.soft_actor_critic import SoftActorCritic
from intraday_rl.agents.training_checkpoint import capture, restore
from intraday_rl.agents.training_record import CurvePoint, Evaluation, Progress, TrainingRecord
from intraday_rl.agents.training_watch import CURVES, TrainingWatch
from intraday_rl.errors import ConfigError, ModelError

Played = TypeVar("Played")
Explore = Callable[[NDArray[np.float32]], float]
Transitions = Mapping[str, NDArray[Any]]

NETWORKS, RANDOM = "networks", "random"  # of a snapshot, beside the files of `capture`
# What a stock model neither needs nor could rebuild: our buffer's class and generator, and the
# state of the accounts at the moment of saving.
NOT_IN_ZIP = (
    "replay_buffer_class",
    "replay_buffer_kwargs",
    "start_time",
    "_last_obs",
    "_last_episode_starts",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What a continued training does not take over from the saved one.

    optimiser   Adam's moments of actor and critics start anew
    entropy     the learned temperature starts where `ent_coef` says, its moments too
    """

    optimiser: bool = False
    entropy: bool = False


class Learner(ABC):
    """Trains one agent on a VectorEnv; a subclass knows the library that makes the updates.

    environment     gymnasium VectorEnv, SAME_STEP autoreset, one action in [-1, 1]
    random          Generator from which environment, warm-up actions, the library and replay
                    buffer get their own; global random states are neither read nor moved
    failure_folder  receives the batch if training diverges
    reward_scale    resolved factor on the training reward (the part's may be null)

    | of a subclass | |
    |---|---|
    | _make_model(settings, random) | its algorithm, an SB3 `OffPolicyAlgorithm`; `settings` are
      the arguments that both libraries know |
    | policy() | the present actor, as numpy arrays of its own |
    | training_state(), load_training_state(path) | networks, optimisers and counters as the bytes
      of a file, and back; no pickle is executed |
    | fresh_state(), forget(forgotten, fresh) | part of a loaded state back to what it was before |
    | random_state(), load_random_state(state) | the library's randomness, for a checkpoint |
    | squared_weights() | finite only if every weight is |
    | _own_randomness() | lends the library its random state while it trains |
    """

    def __init__(
        self,
        sac: SoftActorCritic,
        environment: VectorEnv[Any, Any, Any],
        random: np.random.Generator,
        *,
        failure_folder: Path,
        reward_scale: float,
    ) -> None:
        _check_environment(sac, environment)
        self.sac = sac
        self.failure_folder = failure_folder
        for_environment, for_actions, for_library, for_buffer = random.spawn(4)
        self.environment = Sb3VecEnv(
            environment, failure_folder=failure_folder, reward_scale=reward_scale
        )
        self.environment.seed(draw_seed(for_environment))
        self.environment.action_space.seed(draw_seed(for_actions))
        self.model: Any = self._make_model(self._settings(for_buffer), for_library)
        self._record: TrainingRecord | None = None
        self._resumed: dict[str, Any] | None = None
        self._n_before = 0  # decisions of the training that this one continues
        self.model.set_logger(Logger(folder=None, output_formats=[]))

    def _settings(self, for_buffer: np.random.Generator) -> dict[str, Any]:
        sac = self.sac
        return {
            "policy": "MlpPolicy",
            "env": self.environment,
            "learning_rate": sac.learning_rate,
            "buffer_size": sac.buffer_size,
            "learning_starts": sac.learning_starts,
            "batch_size": sac.batch_size,
            "tau": sac.tau,
            "gamma": sac.gamma,
            "train_freq": sac.train_freq,
            "gradient_steps": sac.updates_per_training,
            "replay_buffer_class": SeededReplayBuffer,
            "replay_buffer_kwargs": {
                "random": for_buffer,
                "n_batches_kept": sac.updates_per_training,
            },
            "target_entropy": sac.target_entropy,
            "policy_kwargs": {"net_arch": list(sac.net_arch)},
            "device": "cpu",
        }

    @abstractmethod
    def _make_model(
        self, settings: dict[str, Any], random: np.random.Generator
    ) -> OffPolicyAlgorithm: ...

    @abstractmethod
    def _own_randomness(self) -> AbstractContextManager[None]: ...

    @abstractmethod
    def policy(self) -> ActorPolicy:
        """The present actor, as numpy arrays of its own."""

    @abstractmethod
    def training_state(self) -> bytes:
        """Networks, optimisers and counters: what `load_training_state` reads."""

    @abstractmethod
    def load_training_state(self, path: Path) -> None:
        """Pour saved networks and optimisers into this learner; executes no pickle."""

    @abstractmethod
    def fresh_state(self) -> Any:
        """What `forget` needs of a learner into which nothing has been loaded."""

    @abstractmethod
    def forget(self, forgotten: Forgotten, fresh: Any) -> None:
        """Put what is forgotten back to `fresh_state`."""

    @abstractmethod
    def random_state(self) -> bytes:
        """The library's randomness, as far as `training_state` does not hold it."""

    @abstractmethod
    def load_random_state(self, state: bytes) -> None:
        """Go on drawing where `random_state` was asked."""

    @abstractmethod
    def squared_weights(self) -> float:
        """The sum of all squared weights, which is finite only if all of them are."""

    @property
    def n_updates(self) -> int:
        """Gradient updates made so far."""
        return int(self.model._n_updates)

    def state(self) -> PolicyState:
        """All that a bundle keeps of the present agent; the replay buffer is not part of it."""
        sb3_zip = io.BytesIO()
        self.model.save(sb3_zip, exclude=NOT_IN_ZIP)
        return PolicyState(
            actor=self.policy().as_arrays(),
            training_state=self.training_state(),
            sb3_zip=sb3_zip.getvalue(),
        )

    def continue_from(self, path: Path, forgotten: Forgotten) -> None:
        """Stand where a finished training stood: its state in `path`, counters included.

        `learn(reset_num_timesteps=False)` then acts by the policy and learns from the first
        decision on, so the replay memory must be prefilled.
        """
        fresh = self.fresh_state()
        self.load_training_state(path)
        self.forget(forgotten, fresh)
        self._n_before = int(self.model.num_timesteps)
        self.model.learning_starts = 0  # else actions could be random again

    def explore(self, play: Callable[[Explore], Played]) -> Played:
        """What `play` returns, given the exploring policy for one observation at a time."""
        with self._own_randomness():
            return play(lambda seen: float(self.model.policy.predict(seen[None])[0][0, 0]))

    def prefill(self, transitions: Transitions) -> None:
        """Begin the replay memory with what one account played; rewards are not scaled yet."""
        scaled = np.asarray(transitions["rewards"]) * self.environment.reward_scale
        self.model.replay_buffer.prefill({**transitions, "rewards": scaled})

    def snapshot(self) -> dict[str, bytes]:
        """Where the training stands, as files by name; only while `learn` calls a listener."""
        if self._record is None:
            raise ModelError("a snapshot is of a training: learn() has not been called")
        files = capture(self.model, self.environment, self._record)
        return {**files, NETWORKS: self.training_state(), RANDOM: self.random_state()}

    def resume(self, folder: Path) -> None:
        """Stand where a `snapshot` was taken, whose files lie in `folder`; `learn` then goes on."""
        try:
            self.load_training_state(folder / NETWORKS)
            self.load_random_state((folder / RANDOM).read_bytes())
            self._resumed = restore(folder, self.model, self.environment)
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise ModelError(
                f"{folder} is no checkpoint of this training ({type(error).__name__}: {error}): "
                "delete it to train from the start"
            ) from error

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
            total -= self.model.num_timesteps - self._n_before
        watch = TrainingWatch(record, self.policy, self.squared_weights, self.failure_folder)
        with self._own_randomness():
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


def learner_class(sac: SoftActorCritic) -> type[Learner]:
    """The learner of a part, with its library imported only now."""
    if isinstance(sac, SacJax):
        sac.check_installed()
        from intraday_rl.agents.xla_settings import set_up_xla

        set_up_xla()
        from intraday_rl.agents.sac_jax import SacJaxLearner

        return SacJaxLearner
    from intraday_rl.agents.sac_torch import SacLearner

    return SacLearner


def draw_seed(random: np.random.Generator) -> int:
    """A seed for a library that takes one number."""
    return int(random.integers(2**31))


def _check_environment(sac: SoftActorCritic, environment: VectorEnv[Any, Any, Any]) -> None:
    space = environment.single_action_space
    if space != gym.spaces.Box(-1.0, 1.0, (1,), np.float32):
        raise ModelError(f"action space {space}: sac needs one float32 action in [-1, 1]")
    if environment.num_envs != sac.n_envs:
        raise ConfigError("n_envs", sac.n_envs, f"the environment has {environment.num_envs}")
