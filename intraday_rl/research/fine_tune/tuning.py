"""Training goes on: load, refill, learn; nothing of the held-out sessions is in reach."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.agents.bundle import PolicyState
from intraday_rl.errors import ConfigError, ModelError
from intraday_rl.research.fine_tune.refill import Refill, refill
from intraday_rl.research.fit import Conduct, reward_scale
from intraday_rl.stage import Stage
from intraday_rl.tasks import FineTune
from intraday_rl.trading.vector_env import TradingVectorEnv
from intraday_rl.trained_model import TrainedModel

if TYPE_CHECKING:
    from intraday_rl.agents.learner import Learner

logger = logging.getLogger(__name__)

CURVE_POINTS = 20


@dataclass(frozen=True, slots=True)
class Tuned:
    """The challenger, and what its training was.

    `decisions`, `updates`: counted from the model's first training on, before and after.
    """

    policy: ActorPolicy
    state: PolicyState
    refill: pd.DataFrame  # ledger of the refill
    decisions: tuple[int, int]
    updates: tuple[int, int]
    learning_rate: float
    curve: list[tuple[int, str, float]]


def tune(
    parent: TrainedModel,
    stage: Stage,
    sessions: Sequence[dt.date],
    options: FineTune,
    generator: np.random.Generator,
    folder: Path,
    conduct: Conduct,
    name: str,
) -> Tuned:
    """Train `parent` on `sessions` and on nothing else, for `options.timesteps` decisions.

    The last policy is the challenger: choosing among several would need sessions that nobody has
    seen, and the held-out ones judge. An interrupted training goes on from its checkpoint.
    """
    from intraday_rl.agents.learner import Forgotten, learner_class  # torch, jax: who trains

    plan = stage.dataset.plan
    rate = options.learning_rate or parent.agent.learning_rate
    sac = replace(
        parent.agent,
        learning_rate=rate,
        learning_starts=0,
        total_timesteps=options.timesteps or parent.agent.total_timesteps,
    )
    planned = decisions_of(options, sac.n_envs)
    problem = stage.problem(sessions, sequential=False)
    forgotten = Forgotten(optimiser=options.reset_optimiser, entropy=options.reset_entropy)

    def ready() -> tuple[Learner, Refill]:
        learner = learner_class(sac)(
            sac,
            TradingVectorEnv(problem, sac.n_envs),
            deepcopy(generator),
            failure_folder=folder,
            reward_scale=reward_scale(plan, sac, stage.fitting.moments),
        )
        learner.continue_from(parent.bundle.training_state, forgotten)
        _check_weights(parent, learner)
        played = learner.explore(lambda explore: refill(problem, explore, name, options.seed))
        check_batch(played.decisions, sac.batch_size, options)
        learner.prefill(played.transitions)
        return learner, played

    learner, played = ready()
    before = (int(learner.model.num_timesteps), learner.n_updates)
    kept = conduct.checkpoints.newest()
    if kept is not None:
        try:
            learner.resume(kept)
            logger.info("%s: going on from %s", name, kept)
        except ModelError as error:
            logger.warning("%s: training from the start: %s", name, error)
            learner, played = ready()  # the first may hold half of what could not be read

    def keep(step: int) -> None:
        try:
            conduct.checkpoints.write(step, learner.snapshot())
        except OSError as error:  # the training itself can still end well
            logger.warning("%s: no checkpoint: %s", name, error)

    curve = learner.learn(
        options.timesteps,
        eval_every=max(options.timesteps // CURVE_POINTS, 1),
        on_progress=lambda step: conduct.progress(step - before[0], planned, None),
        on_checkpoint=keep,
        checkpoint_every=conduct.checkpoint_every,
        stop=conduct.stop,
        reset_num_timesteps=False,
    )
    return Tuned(
        policy=learner.policy(),
        state=learner.state(),
        refill=played.ledger,
        decisions=(before[0], int(learner.model.num_timesteps)),
        updates=(before[1], learner.n_updates),
        learning_rate=rate,
        curve=[(point.step, point.name, point.value) for point in curve],
    )


def decisions_of(options: FineTune, n_envs: int) -> int:
    """All accounts decide at once: what is asked for is rounded up to whole rounds."""
    return -(-options.timesteps // n_envs) * n_envs


def check_batch(decisions: int, batch_size: int, options: FineTune) -> None:
    """The first gradient step draws a batch: the memory must hold as many decisions by then."""
    if decisions >= batch_size:
        return
    key = "days" if options.sessions is None else "sessions"
    raise ConfigError(
        f"task.{key}",
        getattr(options, key),
        f"the tuning sessions have {decisions} decisions, fewer than the model's agent.batch_size "
        f"({batch_size}); name a longer span",
    )


def _check_weights(parent: TrainedModel, learner: Learner) -> None:
    """The network that acts and the one that would be trained are the same."""
    policy = parent.bundle.policy
    acts = policy.as_arrays() if isinstance(policy, ActorPolicy) else {}
    trains = learner.policy().as_arrays()
    same = set(acts) == set(trains) and all(
        np.array_equal(acts[name], trains[name]) for name in acts
    )
    if not same:
        raise ModelError(
            f"{parent.bundle.folder}: actor and training state are not of the same agent: "
            "restore the bundle from its run"
        )
