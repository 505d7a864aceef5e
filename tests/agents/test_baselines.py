"""What a learned agent is measured against."""

from __future__ import annotations

import numpy as np

from intraday_rl.agents.baselines import Flat, Hold, Random, baseline_policy
from intraday_rl.agents.policy import Policy

SEEN = np.zeros(3, dtype=np.float32)


def _policy(agent: Flat | Hold | Random, seed: int = 0) -> Policy:
    return baseline_policy(agent, np.random.default_rng(seed))


def _actions(policy: Policy, n: int) -> list[float]:
    policy.begin_session()
    return [policy.predict(SEEN) for _ in range(n)]


def test_flat_never_wants_a_position_and_hold_always_the_whole() -> None:
    assert _actions(_policy(Flat()), 3) == [0.0, 0.0, 0.0]
    assert _actions(_policy(Hold()), 3) == [1.0, 1.0, 1.0]


def test_random_draws_uniformly_from_its_own_generator() -> None:
    actions = np.array(_actions(_policy(Random()), 4_000))
    assert actions.min() >= -1.0
    assert actions.max() <= 1.0
    assert abs(actions.mean()) < 0.05
    assert abs(actions.std() - 1 / np.sqrt(3)) < 0.02
    assert _actions(_policy(Random()), 5) == _actions(_policy(Random(), 0), 5)
    assert _actions(_policy(Random()), 5) != _actions(_policy(Random(), 1), 5)


def test_random_does_not_repeat_itself_from_session_to_session() -> None:
    policy = _policy(Random())
    assert _actions(policy, 5) != _actions(policy, 5)
