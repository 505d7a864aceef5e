"""A trained agent is one folder that says the same tomorrow, and nothing in it is ever run."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intraday_rl.agents.bundle import PolicyState, load_bundle, load_policy, save_bundle
from intraday_rl.agents.card import Card
from intraday_rl.errors import ModelError
from intraday_rl.market.scaling import FeatureSchema

NAMES = ("trend", "volatility", "time_to_cutoff", "position")
SCHEMA = FeatureSchema(NAMES, {"clip": 5.0})
SCALER: dict[str, object] = {
    "names": ["trend", "volatility", "time_to_cutoff"],
    "centre": [0.1, 1 / 3, 0.0],
    "scale": [2.0, 1e-7, 1.0],
    "clip": 5.0,
    "constant": [],
    "unscaled": ["time_to_cutoff"],
}
PLAN = "agent:\n  learning_rate: 0.0001\n"
OBSERVATION = np.array([0.5, -1.0, 0.25, 0.0], dtype=np.float32)


def _card(agent: str = "sac", **changes: Any) -> Card:
    facts: dict[str, Any] = {
        "agent": agent,
        "fold": "2021",
        "seed": 0,
        "a0": 2e-4 / 3,
        "b0": 4e-6 / 3,
        "data_fingerprint": "d" * 64,
        "code_hash": "c" * 64,
        "facts": {"decisions": 400, "symbol": "TQQQ"},
    }
    return Card(**(facts | changes))


class Bomb:
    """A pickle that leaves a file behind when it is read."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch '{self.marker}'",)


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, make_environment: Callable[..., Any]
) -> tuple[Any, PolicyState]:
    """One short training for all tests of this file."""
    from intraday_rl.agents.sac import Sac
    from intraday_rl.agents.sac_torch import SacLearner

    sac = Sac(
        buffer_size=1_000,
        batch_size=32,
        learning_starts=80,
        net_arch=[32, 24],
        total_timesteps=160,
        n_envs=8,
    )
    learner = SacLearner(
        sac,
        make_environment(8),
        np.random.default_rng(0),
        failure_folder=tmp_path_factory.mktemp("failure"),
        reward_scale=1.0,
    )
    learner.learn()
    return learner, learner.state()


@pytest.fixture
def folder(trained: tuple[Any, PolicyState], tmp_path: Path) -> Path:
    return save_bundle(tmp_path / "bundle", trained[1], SCHEMA, SCALER, PLAN, _card())


def test_a_bundle_comes_back_as_it_was(trained: tuple[Any, PolicyState], folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.observation_names == NAMES
    assert bundle.schema == SCHEMA
    assert bundle.scaler == SCALER
    assert bundle.plan_yaml == PLAN
    assert bundle.card == _card()
    assert bundle.policy.predict(OBSERVATION) == trained[0].policy().predict(OBSERVATION)
    policy, names = load_policy(folder)
    assert policy.predict(OBSERVATION) == bundle.policy.predict(OBSERVATION)
    assert names == NAMES
    assert {path.name for path in folder.parent.iterdir()} == {"bundle"}


def test_training_goes_on_from_a_bundle(
    trained: tuple[Any, PolicyState], folder: Path, make_environment: Callable[..., Any]
) -> None:
    from intraday_rl.agents.sac_torch import SacLearner

    learner = SacLearner(
        trained[0].sac,
        make_environment(8),
        np.random.default_rng(9),
        failure_folder=folder.parent / "failure",
        reward_scale=1.0,
    )
    before = learner.policy().predict(OBSERVATION)
    learner.load_training_state(load_bundle(folder).training_state)
    assert learner.policy().predict(OBSERVATION) == trained[0].policy().predict(OBSERVATION)
    assert learner.policy().predict(OBSERVATION) != before


@pytest.mark.slow("agents")
def test_stock_stable_baselines_opens_the_zip_without_this_package(folder: Path) -> None:
    program = (
        "import sys; sys.modules['intraday_rl'] = None\n"
        "from stable_baselines3 import SAC; import numpy as np\n"
        f"model = SAC.load({str(folder / 'sb3.zip')!r})\n"
        f"x = np.array({OBSERVATION.tolist()}, dtype=np.float32)\n"
        "print(float(model.predict(x, deterministic=True)[0][0]), model._n_updates,"
        " type(model).__name__, type(model.replay_buffer).__name__,"
        " model.log_ent_coef.exp().item())"
    )
    printed = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert printed.returncode == 0, printed.stderr
    action, n_updates, model, buffer, ent_coef = printed.stdout.split()
    expected = load_policy(folder)[0].predict(OBSERVATION)
    assert float(action) == pytest.approx(expected, abs=1e-5)
    assert (int(n_updates), model, buffer) == (40, "SAC", "ReplayBuffer")
    assert 0.9 < float(ent_coef) < 1.0


@pytest.mark.parametrize(("agent", "expected"), [("flat", 0.0), ("hold", 1.0)])
def test_a_baseline_is_a_bundle_too(tmp_path: Path, agent: str, expected: float) -> None:
    folder = save_bundle(tmp_path / "b", PolicyState(), SCHEMA, SCALER, PLAN, _card(agent))
    assert load_policy(folder)[0].predict(OBSERVATION) == expected
    assert {path.name for path in folder.iterdir()} == {"schema.json", "plan.yaml", "card.json"}


def test_a_random_baseline_draws_from_the_seed_on_its_card(tmp_path: Path) -> None:
    folder = save_bundle(tmp_path / "b", PolicyState(), SCHEMA, SCALER, PLAN, _card("random"))
    draws = [load_policy(folder)[0].predict(OBSERVATION) for _ in range(2)]
    assert draws[0] == draws[1] == np.random.default_rng(0).uniform(-1, 1)


@pytest.mark.parametrize("name", ["actor.npz", "schema.json", "plan.yaml", "card.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        load_bundle(folder)


def test_a_missing_folder_and_a_missing_training_state_are_named(folder: Path) -> None:
    (folder / "training_state.pt").unlink()
    with pytest.raises(ModelError, match=r"training_state\.pt"):
        _ = load_bundle(folder).training_state
    with pytest.raises(ModelError, match="nowhere"):
        load_policy(folder.parent / "nowhere")


@pytest.mark.parametrize("how", ["array of objects", "bare pickle", "no zip", "empty"])
def test_a_pickle_in_the_actor_is_refused_and_not_run(
    folder: Path, tmp_path: Path, how: str
) -> None:
    marker, path = tmp_path / "ran", folder / "actor.npz"
    if how == "array of objects":
        bomb = np.array([Bomb(marker)], dtype=object)
        np.savez(path, weight_0=bomb, bias_0=bomb)
    elif how == "bare pickle":
        path.write_bytes(pickle.dumps(Bomb(marker)))
    elif how == "no zip":
        path.write_bytes(b"PK\x03\x04 this is not a zip")
    else:
        path.write_bytes(b"")
    for load in (load_bundle, load_policy):
        with pytest.raises(ModelError, match=r"actor\.npz"):
            load(folder)
    assert not marker.exists()
    if "pickle" in how or "objects" in how:  # the bomb itself works
        if how == "bare pickle":
            pickle.loads(path.read_bytes())
        else:
            np.load(path, allow_pickle=True)["weight_0"]
        assert marker.exists()


@pytest.mark.parametrize("how", ["bare pickle", "torch zip"])
def test_a_pickle_bomb_in_the_training_state_is_refused_and_not_run(
    trained: tuple[Any, PolicyState], folder: Path, tmp_path: Path, how: str
) -> None:
    import torch

    marker, path = tmp_path / "ran", folder / "training_state.pt"
    if how == "bare pickle":
        path.write_bytes(pickle.dumps(Bomb(marker)))
    else:
        torch.save({"parameters": Bomb(marker)}, path)
    with pytest.raises(ModelError, match=r"training_state\.pt"):
        trained[0].load_training_state(path)
    load_bundle(folder)
    assert not marker.exists()


def test_a_bomb_in_the_stock_zip_is_never_touched(folder: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    with zipfile.ZipFile(folder / "sb3.zip", "w") as archive:
        archive.writestr("data", pickle.dumps(Bomb(marker)))
    load_bundle(folder)
    load_policy(folder)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("entry", "value", "words"),
    [
        ("observation_names", ["volatility", "trend", "time_to_cutoff", "position"], "hash"),
        ("observation_names", ["trend", "volatility", "time_to_cutoff"], "n_obs|hash"),
        ("n_obs", 5, "n_obs"),
        ("settings", {"clip": 4.0}, "hash"),
        ("hash", "0", "hash"),
        ("scaler", None, "scaler"),
        ("scaler", SCALER | {"scale": [1.0, 0.0, 1.0]}, "scale"),
        ("scaler", SCALER | {"names": ["trend", "volatility", "other"]}, "other"),
    ],
)
def test_a_schema_that_was_changed_is_refused(
    folder: Path, entry: str, value: object, words: str
) -> None:
    path = folder / "schema.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {entry: value}))
    with pytest.raises(ModelError, match=words):
        load_policy(folder)


def test_an_actor_of_another_width_is_refused(
    trained: tuple[Any, PolicyState], tmp_path: Path
) -> None:
    schema = FeatureSchema((*NAMES, "one_more"), {})
    with pytest.raises(ModelError, match="4 values and the schema names 5"):
        save_bundle(tmp_path / "b", trained[1], schema, SCALER, PLAN, _card())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change", [{"agent": "other"}, {"seed": "0"}, {"surprise": 1}, {"a0": None}, {"fold": None}]
)
def test_a_card_that_was_changed_is_refused(folder: Path, change: dict[str, object]) -> None:
    path = folder / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=next(iter(change))):
        load_bundle(folder)


def test_a_state_that_does_not_fit_its_agent_is_refused(
    trained: tuple[Any, PolicyState], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="policy state"):
        save_bundle(tmp_path / "b", PolicyState(), SCHEMA, SCALER, PLAN, _card())
    with pytest.raises(ModelError, match="policy state"):
        save_bundle(tmp_path / "b", trained[1], SCHEMA, SCALER, PLAN, _card("hold"))


def test_a_failed_save_leaves_the_old_bundle_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save_bundle(folder, PolicyState(), SCHEMA, SCALER, PLAN, _card("hold"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert {path.name for path in folder.parent.iterdir()} == {"bundle"}


def test_a_save_replaces_the_old_bundle_whole(folder: Path) -> None:
    save_bundle(folder, PolicyState(), SCHEMA, SCALER, PLAN, _card("hold"))
    assert load_bundle(folder).card.agent == "hold"
    assert not (folder / "actor.npz").exists()
    assert {path.name for path in folder.parent.iterdir()} == {"bundle"}


def test_prediction_from_a_bundle_imports_no_torch(folder: Path) -> None:
    program = (
        "import sys, numpy as np\n"
        "from intraday_rl.agents.bundle import load_policy\n"
        f"policy, names = load_policy(__import__('pathlib').Path({str(folder)!r}))\n"
        f"print(policy.predict(np.array({OBSERVATION.tolist()}, dtype=np.float32)))\n"
        "doors = {'torch', 'stable_baselines3', 'hydra', 'omegaconf', 'mlflow'}\n"
        "heavy = doors & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert printed.returncode == 0, printed.stderr
    assert float(printed.stdout) == load_policy(folder)[0].predict(OBSERVATION)


def test_the_stock_zip_names_no_class_of_this_package(trained: tuple[Any, PolicyState]) -> None:
    import base64

    assert trained[1].sb3_zip is not None
    with zipfile.ZipFile(io.BytesIO(trained[1].sb3_zip)) as archive:
        data = json.loads(archive.read("data"))
    for value in data.values():
        assert "intraday_rl" not in json.dumps(value)
        if isinstance(value, dict) and ":serialized:" in value:
            assert b"intraday_rl" not in base64.b64decode(value[":serialized:"])
