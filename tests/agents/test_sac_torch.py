"""The learner learns what can be learned, twice the same, and stops where it must."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import SAC

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.errors import ConfigError, ModelError, TrainingDiverged

MakeLearner = Callable[..., Any]


def _weights(learner: Any) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = learner.model.policy.state_dict()
    return state


def _same(first: Any, second: Any) -> bool:
    left, right = _weights(first), _weights(second)
    return all(torch.equal(left[name], right[name]) for name in left)


def _global_numpy_state() -> str:
    with np.printoptions(threshold=10_000):
        return repr(np.random.get_state())  # noqa: NPY002


@pytest.mark.slow("agents")
def test_it_learns_to_take_the_sign_it_is_shown(make_learner: MakeLearner) -> None:
    learner = make_learner(total_timesteps=3_000)
    learner.learn()
    policy = learner.policy()
    shown = np.random.default_rng(7)
    right = 0
    for _ in range(500):
        observation = np.array(
            [shown.choice([-1.0, 1.0]), shown.integers(6), shown.integers(60), shown.integers(8)],
            dtype=np.float32,
        )
        right += policy.predict(observation) * float(observation[0]) > 0.5
    assert right > 450


def test_the_same_seed_twice_gives_bit_equal_weights_and_actions(make_learner: MakeLearner) -> None:
    first, second = make_learner(seed=3), make_learner(seed=3)
    curves = first.learn(), second.learn()
    assert curves[0] == curves[1]
    assert _same(first, second)
    observation = np.array([1.0, 2.0, 3.0, 4.0], dtype=np.float32)
    assert first.policy().predict(observation) == second.policy().predict(observation)
    buffers = first.model.replay_buffer, second.model.replay_buffer
    np.testing.assert_array_equal(buffers[0].actions, buffers[1].actions)


def test_seed_zero_is_a_seed(make_learner: MakeLearner, make_environment: Any) -> None:
    environment = make_environment(8)
    zero, again, other = make_learner(0, environment), make_learner(0), make_learner(1)
    assert _same(zero, again)
    assert not _same(zero, other)
    zero.environment.seed(0)
    zero.environment.reset()
    assert environment.seeds == [0]


@pytest.mark.slow("agents")
def test_global_random_states_are_neither_read_nor_moved(make_learner: MakeLearner) -> None:
    np.random.seed(1)  # noqa: NPY002
    first = make_learner()
    before = random.getstate(), _global_numpy_state(), torch.get_rng_state()
    first.learn()
    assert random.getstate() == before[0]
    assert _global_numpy_state() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])
    np.random.seed(2)  # noqa: NPY002
    torch.manual_seed(2)
    random.seed(2)
    second = make_learner()
    second.learn()
    assert _same(first, second)


@pytest.mark.parametrize(
    ("train_freq", "gradient_steps", "expected"), [(1, 4, 4 / 8), (2, 3, 3 / 16), (1, -1, 1.0)]
)
def test_updates_per_decision_are_what_the_part_says(
    make_learner: MakeLearner, train_freq: int, gradient_steps: int, expected: float
) -> None:
    learner = make_learner(
        train_freq=train_freq,
        gradient_steps=gradient_steps,
        learning_starts=160,
        total_timesteps=320,
        batch_size=8,
    )
    learner.learn()
    assert learner.model.num_timesteps == 320
    assert learner.n_updates == (320 - 160) * expected
    assert learner.sac.updates_per_decision == expected


def test_before_learning_starts_actions_are_random_and_nothing_is_updated(
    make_learner: MakeLearner,
) -> None:
    learner = make_learner(learning_starts=200, total_timesteps=208)
    untouched = {name: value.clone() for name, value in _weights(learner).items()}
    learner.learn(total_timesteps=200)
    assert learner.n_updates == 0
    assert all(torch.equal(value, untouched[name]) for name, value in _weights(learner).items())
    actions = learner.model.replay_buffer.actions[:25]
    assert actions.std() == pytest.approx(np.sqrt(1 / 3), rel=0.15)


@pytest.mark.parametrize("where", ["observation", "final observation", "reward"])
def test_a_value_that_is_no_number_stops_training_at_its_step(
    make_learner: MakeLearner, make_environment: Any, tmp_path: Path, where: str
) -> None:
    environment = make_environment(8)
    environment.nan_in, environment.nan_after = where, 29
    learner = make_learner(environment=environment)
    with pytest.raises(TrainingDiverged, match=rf"^{where}\[.* at step 240; .*diverged_step_240"):
        learner.learn()
    with np.load(tmp_path / "failure" / "diverged_step_240.npz", allow_pickle=False) as saved:
        assert {"observations", "actions", "next_observations", "rewards"} <= set(saved.files)
        assert saved["observations"].shape == (8, 4)
        assert np.isfinite(saved["observations"]).all()


def test_a_loss_that_is_no_number_stops_training_and_saves_the_batch(
    make_learner: MakeLearner, tmp_path: Path
) -> None:
    learner = make_learner()
    learner.learn(total_timesteps=240)
    learner.model.replay_buffer.rewards[:] = np.nan
    with pytest.raises(TrainingDiverged, match=r"batch rewards: .* at step 248; ") as caught:
        learner.learn(reset_num_timesteps=False)
    assert "diverged_step_248.npz" in str(caught.value)
    with np.load(tmp_path / "failure" / "diverged_step_248.npz", allow_pickle=False) as saved:
        assert saved["rewards"].shape[1:] == (64, 1)
        assert np.isnan(saved["rewards"]).any()


def test_a_loss_alone_stops_training_when_one_update_follows_each_step(
    make_learner: MakeLearner,
) -> None:
    learner = make_learner(gradient_steps=1, learning_starts=232)
    learner.learn(total_timesteps=232)
    learner.model.replay_buffer.rewards[:] = np.nan
    with pytest.raises(
        TrainingDiverged, match=r"^actor_loss, critic_loss, weights, batch rewards: "
    ):
        learner.learn(reset_num_timesteps=False)


def test_a_weight_that_is_no_number_stops_training_after_one_update(
    make_learner: MakeLearner,
) -> None:
    class Poisoned(SAC):
        def train(self, gradient_steps: int, batch_size: int = 64) -> None:
            super().train(gradient_steps, batch_size)
            next(iter(self.critic.parameters())).data[0, 0] = torch.nan

    learner = make_learner(algorithm=Poisoned)
    with pytest.raises(TrainingDiverged, match=r"^weights: not a finite number at step 168"):
        learner.learn()


def test_listeners_hear_of_evaluations_and_progress(make_learner: MakeLearner) -> None:
    learner = make_learner(total_timesteps=1_000, learning_starts=160, gradient_steps=1)
    heard: list[tuple[int, ActorPolicy]] = []
    progress: list[int] = []
    curve = learner.learn(
        on_progress=progress.append,
        eval_every=300,
        on_evaluation=lambda step, policy: heard.append((step, policy)),
    )
    assert [step for step, _ in heard] == [304, 600, 904, 1000]
    observation = np.array([1.0, 0.0, 0.0, 0.0], dtype=np.float32)
    assert len({policy.predict(observation) for _, policy in heard}) == 4
    assert heard[-1][1].predict(observation) == learner.policy().predict(observation)
    assert progress[-1] == 1000
    assert len(progress) <= 101
    assert [(point.step, point.name) for point in curve[:3]] == [
        (304, "actor_loss"),
        (304, "critic_loss"),
        (304, "ent_coef"),
    ]
    assert len(curve) == 12
    assert all(np.isfinite(point.value) for point in curve)


def test_one_observation_at_a_time_agrees_with_stable_baselines(make_learner: MakeLearner) -> None:
    learner = make_learner(net_arch=[64, 48])
    learner.learn()
    policy = learner.policy()
    draws = np.random.default_rng(0)
    for _ in range(200):
        observation = draws.normal(size=4).astype(np.float32)
        expected = learner.model.predict(observation, deterministic=True)[0][0]
        assert policy.predict(observation) == pytest.approx(float(expected), abs=1e-5)


def test_a_policy_once_taken_does_not_change_with_further_training(
    make_learner: MakeLearner,
) -> None:
    learner = make_learner()
    policy, observation = learner.policy(), np.ones(4, dtype=np.float32)
    before = policy.predict(observation)
    learner.learn()
    assert policy.predict(observation) == before
    assert learner.policy().predict(observation) != before


def test_training_state_restores_networks_optimisers_and_entropy(
    make_learner: MakeLearner, tmp_path: Path
) -> None:
    trained, fresh = make_learner(seed=1), make_learner(seed=2)
    trained.learn()
    path = tmp_path / "training_state.pt"
    path.write_bytes(trained.state().training_state)
    fresh.load_training_state(path)
    assert _same(trained, fresh)
    assert torch.equal(trained.model.log_ent_coef, fresh.model.log_ent_coef)
    for name in ("ent_coef_optimizer", "actor.optimizer", "critic.optimizer"):
        owner: Any = trained.model, fresh.model
        for part in name.split("."):
            owner = tuple(getattr(one, part) for one in owner)
        states = [one.state_dict()["state"] for one in owner]
        assert len(states[0]) > 0
        for key, value in states[0].items():
            assert torch.equal(value["exp_avg_sq"], states[1][key]["exp_avg_sq"])
    assert fresh.n_updates == trained.n_updates > 0
    assert fresh.model.num_timesteps == 400
    fresh.learn(total_timesteps=40, reset_num_timesteps=False)
    assert fresh.model.num_timesteps == 440


def test_a_training_state_of_another_network_is_refused(
    make_learner: MakeLearner, tmp_path: Path
) -> None:
    path = tmp_path / "training_state.pt"
    path.write_bytes(make_learner().state().training_state)
    with pytest.raises(ModelError, match="net_arch"):
        make_learner(net_arch=[16, 16]).load_training_state(path)
    with pytest.raises(ModelError, match="ent_coef"):
        make_learner(ent_coef="0.1").load_training_state(path)


def test_a_fixed_entropy_coefficient_is_the_configured_one(make_learner: MakeLearner) -> None:
    learner = make_learner(ent_coef="0.02")
    curve = learner.learn()
    values = [point.value for point in curve if point.name == "ent_coef"]
    assert values == pytest.approx([0.02, 0.02], rel=1e-6)
    assert learner.state().training_state is not None


def test_an_environment_that_does_not_fit_is_refused(
    make_learner: MakeLearner, make_environment: Any
) -> None:
    with pytest.raises(ConfigError, match="n_envs"):
        make_learner(environment=make_environment(3))


def test_a_learner_runs_on_one_thread(make_learner: MakeLearner) -> None:
    make_learner()
    assert torch.get_num_threads() == 1


def test_the_guard_costs_little(make_learner: MakeLearner) -> None:
    from intraday_rl.agents.training_record import TrainingRecord
    from intraday_rl.agents.training_watch import TrainingWatch

    learner = make_learner(net_arch=[256, 256])
    learner.learn(total_timesteps=168)
    record = TrainingRecord(
        (), on_progress=None, progress_every=1, on_evaluation=None, eval_every=1
    )
    watch = TrainingWatch(record, learner.policy, learner.squared_weights, learner.failure_folder)
    watch.init_callback(learner.model)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        watch.refuse_non_finite()
        times.append(time.perf_counter() - start)
    assert min(times) < 1e-3
