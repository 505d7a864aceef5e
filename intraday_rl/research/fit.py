"""Train one agent on one fold, look at it on the first validation half, keep the best."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.agents.baselines import Flat, FlatPolicy, Hold, HoldPolicy, RandomPolicy
from intraday_rl.agents.baselines import Random as RandomAgent
from intraday_rl.agents.bundle import PolicyState
from intraday_rl.agents.policy import Policy
from intraday_rl.agents.soft_actor_critic import SoftActorCritic
from intraday_rl.dataset import Fold, Split
from intraday_rl.errors import ModelError
from intraday_rl.plan import Plan
from intraday_rl.research.candidates import Candidate, Candidates
from intraday_rl.research.checkpoints import Checkpoints
from intraday_rl.research.rollout import walk
from intraday_rl.statistics.ratios import sharpe_or_zero
from intraday_rl.trading.book import Moments
from intraday_rl.trading.rewards import LogReturn, NetReturn
from intraday_rl.trading.vector_env import TradingVectorEnv

logger = logging.getLogger(__name__)

# (decisions so far, decisions in all, latest validation Sharpe if just measured)
Progress = Callable[[int, int, float | None], None]


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a fit is carried out; none of it changes a number.

    progress           told how far it is
    stop               asked often; true ends the fit with `TrainingStopped`, after a checkpoint
    checkpoints        where they are kept, and where the fit goes on if there is one
    checkpoint_every   decisions; null keeps one only when the fit is stopped
    """

    progress: Progress
    stop: Callable[[], bool]
    checkpoints: Checkpoints
    checkpoint_every: int | None


@dataclass(frozen=True, slots=True)
class Fitted:
    """The chosen policy and how it came about."""

    policy: Policy
    state: PolicyState
    chosen: Candidate | None = None
    checkpoints: list[Candidate] = field(default_factory=list)
    curve: list[tuple[int, str, float]] = field(default_factory=list)
    updates: int = 0


def is_learned(plan: Plan) -> bool:
    """True for agents that are trained, and so may abstain."""
    return isinstance(plan.agent, SoftActorCritic)


def fold_generator(seed: int, fold: str) -> np.random.Generator:
    """The one Generator of a fold and seed; the fold's name, not its number, so that adding a
    window changes no other."""
    name = int.from_bytes(hashlib.sha256(fold.encode()).digest()[:8], "big")
    return np.random.default_rng(np.random.SeedSequence([seed, name]))


def fit(
    plan: Plan, fold: Fold, generator: np.random.Generator, folder: Path, conduct: Conduct
) -> Fitted:
    """Train `plan.agent` on the fold's train sessions; baselines come as they are.

    A fit that was interrupted goes on from its newest checkpoint, to the same last bit.
    """
    if isinstance(plan.agent, SoftActorCritic):
        return _fit_sac(plan, plan.agent, fold, generator, folder, conduct)
    policies: dict[type, Callable[[], Policy]] = {
        Flat: FlatPolicy,
        Hold: HoldPolicy,
        RandomAgent: lambda: RandomPolicy(generator),
    }
    return Fitted(policies[type(plan.agent)](), PolicyState())


def _fit_sac(
    plan: Plan,
    sac: SoftActorCritic,
    fold: Fold,
    generator: np.random.Generator,
    folder: Path,
    conduct: Conduct,
) -> Fitted:
    # torch and jax are for those who train
    from intraday_rl.agents.learner import Learner, learner_class

    def build() -> Learner:
        return learner_class(sac)(
            sac,
            TradingVectorEnv(fold.problem(Split.train), sac.n_envs),
            deepcopy(generator),
            failure_folder=folder,
            reward_scale=reward_scale(plan, sac, fold.moments),
        )

    learner, candidates = build(), Candidates()
    kept = conduct.checkpoints.newest()
    if kept is not None:
        try:
            candidates = Candidates.read(kept)
            learner.resume(kept)
            logger.info("window %s: going on from %s", fold.window.name, kept)
        except ModelError as error:
            logger.warning("window %s: training from the start: %s", fold.window.name, error)
            # The first may hold half of what could not be read.
            learner, candidates = build(), Candidates()
    validation = fold.problem(Split.validation_first)

    def look(step: int, policy: ActorPolicy) -> None:
        candidate = Candidate(step, sharpe_or_zero(walk(validation, policy).daily_returns()))
        candidates.add(candidate, learner.state)
        conduct.progress(step, sac.total_timesteps, candidate.sharpe)

    def keep(step: int) -> None:
        try:
            conduct.checkpoints.write(step, {**learner.snapshot(), **candidates.files()})
        except OSError as error:  # the fit itself can still end well
            logger.warning("window %s: no checkpoint: %s", fold.window.name, error)

    curve = learner.learn(
        on_progress=lambda step: conduct.progress(step, sac.total_timesteps, None),
        on_evaluation=look,
        on_checkpoint=keep,
        checkpoint_every=conduct.checkpoint_every,
        stop=conduct.stop,
    )
    if candidates.state.actor is None:
        raise TypeError("a SAC state always has an actor")
    return Fitted(
        policy=ActorPolicy.from_arrays(candidates.state.actor),
        state=candidates.state,
        chosen=candidates.chosen,
        checkpoints=candidates.all,
        curve=[(point.step, point.name, point.value) for point in curve],
        updates=learner.n_updates,
    )


def reward_scale(plan: Plan, sac: SoftActorCritic, moments: Moments) -> float:
    """The factor on the training reward: the part's, or what makes returns of order one."""
    if sac.reward_scale is not None:
        return sac.reward_scale
    in_returns = isinstance(plan.reward, NetReturn | LogReturn)
    return 1.0 / moments.volatility if in_returns else 1.0
