"""The learner in JAX: judged, kept and repeated like the one in torch."""

from __future__ import annotations

import base64
import io
import json
import os
import pickle
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from intraday_rl.agents import sac
from intraday_rl.agents.bundle import load_bundle, load_policy, save_bundle
from intraday_rl.agents.card import Card
from intraday_rl.agents.learner import Learner, learner_class
from intraday_rl.agents.sac import Sac, SacJax
from intraday_rl.errors import ConfigError, ModelError, TrainingDiverged
from intraday_rl.market.scaling import FeatureSchema

pytestmark = pytest.mark.slow("jax")  # the extra jax is installed for the long tests alone

NAMES = ("trend", "volatility", "time_to_cutoff", "position")
SCALER: dict[str, object] = {
    "names": list(NAMES),
    "centre": [0.0] * 4,
    "scale": [1.0] * 4,
    "clip": 5.0,
    "constant": [],
    "unscaled": [],
}
OBSERVATION = np.array([0.5, -1.0, 0.25, 0.0], dtype=np.float32)
SMALL: dict[str, Any] = {
    "learning_rate": 3e-3,
    "buffer_size": 4_000,
    "batch_size": 32,
    "gamma": 0.5,
    "learning_starts": 80,
    "net_arch": [16, 12],
    "total_timesteps": 160,
    "eval_freq": 80,
    "n_envs": 8,
}


@pytest.fixture(scope="module")
def make(
    make_environment: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Learner]:
    def learner(seed: int = 0, **changes: Any) -> Learner:
        part = SacJax(**(SMALL | changes))
        return learner_class(part)(
            part,
            make_environment(part.n_envs),
            np.random.default_rng(seed),
            failure_folder=tmp_path_factory.mktemp("failure"),
            reward_scale=1.0,
        )

    return learner


@pytest.fixture(scope="module")
def trained(make: Callable[..., Learner]) -> Learner:
    """One short training for most tests; global random states are watched meanwhile."""
    before = _global_states()
    learner = make(seed=3)
    learner.learn()
    assert _global_states() == before
    return learner


def _global_states() -> tuple[Any, ...]:
    with np.printoptions(threshold=10_000):
        numpy_state = repr(np.random.get_state())  # noqa: NPY002
    return random.getstate(), numpy_state, torch.get_rng_state().tolist()


def _arrays(content: bytes | None) -> dict[str, Any]:
    assert content is not None
    with np.load(io.BytesIO(content), allow_pickle=False) as saved:
        return {name: saved[name] for name in saved.files}


def _save(folder: Path, learner: Learner) -> Path:
    card = Card(
        agent="sac_jax", fold="2021", seed=0, a0=0.0, b0=1e-6, data_fingerprint="d", code_hash="c"
    )
    return save_bundle(folder, learner.state(), FeatureSchema(NAMES, {}), SCALER, "agent: {}", card)


def test_each_part_gets_its_learner_and_both_are_told_the_same() -> None:
    assert learner_class(SacJax()).__name__ == "SacJaxLearner"
    assert learner_class(Sac()).__name__ == "SacLearner"
    shared = set(SacJax.__dataclass_fields__)
    assert set(Sac.__dataclass_fields__) - shared == {"compile"}


def test_the_numpy_actor_acts_as_sbx_does(trained: Learner) -> None:
    policy, draws = trained.policy(), np.random.default_rng(0)
    for _ in range(50):
        observation = draws.normal(size=4).astype(np.float32)
        expected = trained.model.predict(observation, deterministic=True)[0][0]
        assert policy.predict(observation) == pytest.approx(float(expected), abs=1e-5)


def test_updates_and_decisions_are_what_the_part_says(trained: Learner) -> None:
    assert trained.model.num_timesteps == 160
    assert trained.n_updates == trained.sac.total_updates == 40
    assert np.isfinite(trained.squared_weights())
    assert trained.squared_weights() > 0.0


def test_a_zip_opens_in_sbx_without_this_package_and_the_bundle_acts_without_jax(
    trained: Learner, tmp_path: Path
) -> None:
    folder = _save(tmp_path / "bundle", trained)
    assert {path.name for path in folder.iterdir()} >= {"training_state.npz", "sb3.zip"}
    expected = trained.policy().predict(OBSERVATION)
    assert load_policy(folder)[0].predict(OBSERVATION) == expected
    observation = f"np.array({OBSERVATION.tolist()}, dtype=np.float32)"
    programs = [
        "import sys; sys.modules['intraday_rl'] = None\n"
        "from sbx import SAC; import numpy as np\n"
        f"model = SAC.load({str(folder / 'sb3.zip')!r})\n"
        f"print(model.predict({observation}, deterministic=True)[0][0])",
        "import sys, numpy as np; sys.modules['jax'] = sys.modules['torch'] = None\n"
        "from pathlib import Path; from intraday_rl.agents.bundle import load_policy\n"
        f"print(load_policy(Path({str(folder)!r}))[0].predict({observation}))",
    ]
    for program in programs:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert float(done.stdout) == pytest.approx(expected, abs=1e-5)


def test_the_zip_holds_no_class_of_this_package(trained: Learner) -> None:
    content = trained.state().sb3_zip
    assert content is not None
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        data = json.loads(archive.read("data"))
    for value in data.values():
        held = value.get(":serialized:", "") if isinstance(value, dict) else ""
        assert b"intraday_rl" not in base64.b64decode(held) + json.dumps(value).encode()


def test_training_goes_on_from_a_bundle_as_it_would_have(
    trained: Learner, make: Callable[..., Learner], tmp_path: Path
) -> None:
    fresh = make(seed=9)
    fresh.load_training_state(load_bundle(_save(tmp_path / "b", trained)).training_state)
    before, after = _arrays(trained.training_state()), _arrays(fresh.training_state())
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    fresh.learn(total_timesteps=40, reset_num_timesteps=False)
    assert fresh.model.num_timesteps == 200
    assert fresh.n_updates > trained.n_updates


@pytest.mark.parametrize("changes", [{"net_arch": [8]}, {"ent_coef": "0.1"}])
def test_a_training_state_of_another_agent_is_refused(
    trained: Learner, make: Callable[..., Learner], tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = tmp_path / "training_state.npz"
    path.write_bytes(trained.training_state())
    with pytest.raises(ModelError, match=r"net_arch.*ent_coef"):
        make(**changes).load_training_state(path)


@pytest.mark.parametrize("how", ["bare pickle", "array of objects", "empty"])
def test_a_pickle_in_the_training_state_is_refused_and_not_run(
    trained: Learner, tmp_path: Path, how: str
) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, (f"touch '{tmp_path / 'ran'}'",)

    path = tmp_path / "training_state.npz"
    if how == "array of objects":
        names = _arrays(trained.training_state())
        np.savez(path, **dict.fromkeys(names, np.array([Bomb()], dtype=object)))
    else:
        path.write_bytes(pickle.dumps(Bomb()) if how == "bare pickle" else b"")
    with pytest.raises(ModelError, match=r"training_state\.npz cannot be read"):
        trained.load_training_state(path)
    assert not (tmp_path / "ran").exists()


def test_a_target_step_is_made_every_so_many_updates_of_a_training(
    make: Callable[..., Learner],
) -> None:
    learner = make(target_update_interval=2, gradient_steps=1, tau=1.0)
    learner.learn()  # one update a training, which is always the first
    critics = _arrays(learner.training_state())
    pairs = [
        (critics[name], critics[name.replace(".params.", ".target_params.", 1)])
        for name in critics
        if name.startswith("critics.params.")
    ]
    assert pairs
    assert all(np.array_equal(ahead, behind) for ahead, behind in pairs)
    learner.model.train(2, 32)  # the second of a training is left out
    moved = _arrays(learner.training_state())
    assert any(
        not np.array_equal(moved[name], moved[name.replace(".params.", ".target_params.", 1)])
        for name in moved
        if name.startswith("critics.params.")
    )


def test_a_fixed_entropy_coefficient_of_zero_is_no_divergence(make: Callable[..., Learner]) -> None:
    curve = make(ent_coef="0").learn()
    assert {point.value for point in curve if point.name == "ent_coef"} == {0.0}


def test_a_loss_that_is_no_number_stops_training_and_saves_the_batch(
    make: Callable[..., Learner],
) -> None:
    learner = make()
    learner.learn(total_timesteps=88)
    learner.model.replay_buffer.rewards[:] = np.nan
    with pytest.raises(TrainingDiverged, match=r"weights, batch rewards: .* at step 96; "):
        learner.learn(reset_num_timesteps=False)
    with np.load(learner.failure_folder / "diverged_step_96.npz", allow_pickle=False) as saved:
        assert np.isnan(saved["rewards"]).any()


def test_without_the_libraries_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sac, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'intraday-rl\[jax\]'"):
        learner_class(SacJax())


def test_it_learns_to_take_the_sign_it_is_shown(make: Callable[..., Learner]) -> None:
    learner = make(total_timesteps=4_000, batch_size=64, net_arch=[32, 32], learning_starts=160)
    learner.learn()
    policy, shown, right = learner.policy(), np.random.default_rng(7), 0
    for _ in range(500):
        observation = np.array(
            [shown.choice([-1.0, 1.0]), shown.integers(6), shown.integers(60), shown.integers(8)],
            dtype=np.float32,
        )
        right += policy.predict(observation) * float(observation[0]) > 0.5
    assert right > 450


def test_the_same_seed_gives_the_same_bytes_in_two_processes(tmp_path: Path) -> None:
    """The first compiles, the second reads what the first has compiled; no global seed matters."""
    root = Path(__file__).parents[2]
    digests = []
    for number in range(2):
        command = [sys.executable, "experiments/run.py", "agent=sac_jax", "debug=tiny"]
        command += ["tracking=none", f"paths.outputs={tmp_path / str(number)}"]
        environment = os.environ | {
            "INTRADAY_RL_CACHE": str(tmp_path / "cache"),
            "PYTHONHASHSEED": str(number),
        }
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        (bundle,) = (tmp_path / str(number)).rglob("bundle")
        names = ("actor.npz", "training_state.npz")
        digests.append([(bundle / name).read_bytes() for name in names])
    assert digests[0] == digests[1]


def test_a_final_fit_leaves_a_bundle(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "experiments/run.py", "agent=sac_jax", "debug=tiny"]
    command += ["task=final_fit", "task.until=2018-05-31", f"paths.outputs={tmp_path}"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (bundle,) = (tmp_path / "runs").rglob("bundle")
    assert load_bundle(bundle).card.agent == "sac_jax"
    assert "cpu_aot_loader" not in done.stderr
