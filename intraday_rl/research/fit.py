"""Train one agent on one fold, look at it on the first validation half, keep the best."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
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
from intraday_rl.plan import Plan
from intraday_rl.research.rollout import walk
from intraday_rl.statistics.ratios import sharpe_or_zero
from intraday_rl.trading.rewards import LogReturn, NetReturn
from intraday_rl.trading.vector_env import TradingVectorEnv

# (decisions so far, decisions in all, latest validation Sharpe if just measured)
Progress = Callable[[int, int, float | None], None]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One look at the policy: decisions trained, Sharpe on the first validation half."""

    step: int
    sharpe: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """The chosen policy and how it came about."""

    policy: Policy
    state: PolicyState
    chosen: Checkpoint | None = None
    checkpoints: list[Checkpoint] = field(default_factory=list)
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
    plan: Plan, fold: Fold, generator: np.random.Generator, folder: Path, progress: Progress
) -> Fitted:
    """Train `plan.agent` on the fold's train sessions; baselines come as they are."""
    if isinstance(plan.agent, SoftActorCritic):
        return _fit_sac(plan, plan.agent, fold, generator, folder, progress)
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
    progress: Progress,
) -> Fitted:
    # torch and jax are for those who train
    from intraday_rl.agents.learner import learner_class

    learner = learner_class(sac)(
        sac,
        TradingVectorEnv(fold.problem(Split.train), sac.n_envs),
        generator,
        failure_folder=folder,
        reward_scale=_reward_scale(plan, sac, fold),
    )
    validation = fold.problem(Split.validation_first)
    checkpoints: list[Checkpoint] = []
    best: list[tuple[Checkpoint, PolicyState]] = []

    def look(step: int, policy: ActorPolicy) -> None:
        checkpoint = Checkpoint(step, sharpe_or_zero(walk(validation, policy).daily_returns()))
        checkpoints.append(checkpoint)
        progress(step, sac.total_timesteps, checkpoint.sharpe)
        # Strictly better only: on ties the earliest stays.
        if not best or checkpoint.sharpe > best[0][0].sharpe:
            best[:] = [(checkpoint, learner.state())]

    curve = learner.learn(
        on_progress=lambda step: progress(step, sac.total_timesteps, None), on_evaluation=look
    )
    chosen, state = best[0]
    if state.actor is None:
        raise TypeError("a SAC state always has an actor")
    return Fitted(
        policy=ActorPolicy.from_arrays(state.actor),
        state=state,
        chosen=chosen,
        checkpoints=checkpoints,
        curve=[(point.step, point.name, point.value) for point in curve],
        updates=learner.n_updates,
    )


def _reward_scale(plan: Plan, sac: SoftActorCritic, fold: Fold) -> float:
    if sac.reward_scale is not None:
        return sac.reward_scale
    in_returns = isinstance(plan.reward, NetReturn | LogReturn)
    return 1.0 / fold.moments.volatility if in_returns else 1.0
