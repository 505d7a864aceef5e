"""A logged model predicts what the policy predicts, from named columns, without any pickle."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.agents.bundle import PolicyState, save_bundle
from intraday_rl.agents.card import Card
from intraday_rl.errors import ModelError
from intraday_rl.market.scaling import FeatureSchema, Scaler
from intraday_rl.tracking import MlflowTracking, Tracker, open_tracker

pytestmark = pytest.mark.slow("tracking")

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from numpy.typing import NDArray

COLUMNS = ("adx_14", "rsi_14", "minutes_to_cutoff")


class LinearPolicy:
    """A policy whose answer is known: tanh(weights · observation), counted per session."""

    def __init__(self, weights: list[float]) -> None:
        self.weights = np.array(weights, dtype=np.float32)
        self.decisions = 0

    def begin_session(self) -> None:
        self.decisions = 0

    def predict(self, observation: NDArray[np.float32]) -> float:
        assert observation.dtype == np.float32
        assert observation.shape == (len(COLUMNS),)
        self.decisions += 1
        return float(np.tanh(self.weights @ observation)) / self.decisions


def load_policy(folder: Path) -> tuple[LinearPolicy, tuple[str, ...]]:
    return LinearPolicy(json.loads((folder / "weights.json").read_text())), COLUMNS


@pytest.fixture
def bundle_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agents' bundle module, with this file's policy in it."""
    stand_in = types.ModuleType("intraday_rl.agents.bundle")
    stand_in.load_policy = load_policy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "intraday_rl.agents.bundle", stand_in)


@pytest.fixture
def bundle(tmp_path: Path, bundle_room: None) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "weights.json").write_text("[0.5, -1.0, 0.25]")
    return folder


def load(uri: str, client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> Any:
    """As a user loads it: by its URI alone, with the store named in the environment."""
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", client.tracking_uri)
    return mlflow.pyfunc.load_model(uri)


def test_the_loaded_model_predicts_what_the_policy_predicts(
    tracker: Tracker, client: MlflowClient, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.random.default_rng(7).standard_normal((6, 3)).astype(np.float32)
    policy, _ = load_policy(bundle)
    expected = [policy.predict(row) for row in rows]
    run_id = tracker.start_run("fold", {"symbol": "SPY"}, {"agent": {"tau": 0.005}})
    uri = tracker.log_model(run_id, bundle, COLUMNS)
    shutil.rmtree(bundle)
    model = load(uri, client, monkeypatch)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    shuffled = frame[list(reversed(COLUMNS))].astype(float)
    np.testing.assert_array_equal(model.predict(frame), expected)
    np.testing.assert_array_equal(model.predict(shuffled), expected)
    np.testing.assert_array_equal(model.predict(model.input_example), [0.0])


def test_the_run_shows_the_model_with_signature_and_no_pickle_is_stored(
    tracker: Tracker, client: MlflowClient, store: Path, bundle: Path
) -> None:
    run_id = tracker.start_run("fold", {"symbol": "SPY"}, {"seed": 3})
    uri = tracker.log_model(run_id, bundle, COLUMNS, name="agent")
    outputs = client.get_run(run_id).outputs
    assert outputs is not None
    (output,) = outputs.model_outputs
    assert uri == f"models:/{output.model_id}"
    logged = client.get_logged_model(output.model_id)
    assert (logged.name, logged.source_run_id, str(logged.status)) == ("agent", run_id, "READY")
    assert logged.tags["symbol"] == "SPY"
    assert logged.params["seed"] == "3"
    from mlflow.artifacts import download_artifacts
    from mlflow.models import Model

    folder = Path(
        download_artifacts(artifact_uri=logged.artifact_location, tracking_uri=client.tracking_uri)
    )
    assert folder.is_relative_to(store.resolve() / "artifacts")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert (folder / "served_model.py").exists()
    assert (folder / "artifacts" / "bundle" / "weights.json").exists()
    assert [path for path in files if path.suffix in {".pkl", ".pickle", ".pyc"}] == []
    signature = Model.load(folder).signature
    assert signature is not None
    assert tuple(signature.inputs.input_names()) == COLUMNS
    requirements = (folder / "requirements.txt").read_text().split()
    assert f"numpy=={np.__version__}" in requirements
    assert any(line.startswith("intraday-rl") for line in requirements)
    assert not any("+" in line for line in requirements)


def test_a_missing_column_is_named(
    tracker: Tracker, client: MlflowClient, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException

    run_id = tracker.start_run("fold", {}, {})
    model = load(tracker.log_model(run_id, bundle, COLUMNS), client, monkeypatch)
    frame = pd.DataFrame(np.zeros((2, 3)), columns=list(COLUMNS))
    with pytest.raises(MlflowException, match="rsi_14"):
        model.predict(frame.drop(columns="rsi_14"))
    served = model.unwrap_python_model()
    with pytest.raises(ModelError, match=r"'rsi_14' is missing \(1 of 3"):
        served.predict(None, frame.drop(columns="rsi_14"))
    with pytest.raises(ModelError, match="'vwap' is not an observation"):
        served.predict(None, frame.assign(vwap=0.0))
    frame.loc[1, "rsi_14"] = np.nan
    with pytest.raises(ModelError, match=r"'rsi_14', row 1: nan is not a finite number"):
        model.predict(frame)


def test_models_are_not_stored_when_the_config_says_so(store: Path, bundle: Path) -> None:
    tracker = open_tracker(MlflowTracking(log_models=False), store)
    run_id = tracker.start_run("fold", {}, {})
    assert tracker.log_model(run_id, bundle, COLUMNS) == ""


def test_a_bundle_that_is_not_there_is_refused_before_anything_is_logged(
    tracker: Tracker, client: MlflowClient, tmp_path: Path
) -> None:
    run_id = tracker.start_run("fold", {}, {})
    with pytest.raises(ModelError, match="not a bundle folder"):
        tracker.log_model(run_id, tmp_path / "absent", COLUMNS)
    outputs = client.get_run(run_id).outputs
    assert outputs is None or outputs.model_outputs == []


def test_a_real_bundle_loads_in_a_fresh_process_without_torch(
    tracker: Tracker, client: MlflowClient, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    layers = {
        "weight_0": rng.standard_normal((4, 3), dtype=np.float32),
        "bias_0": rng.standard_normal(4, dtype=np.float32),
        "weight_1": rng.standard_normal((1, 4), dtype=np.float32),
        "bias_1": rng.standard_normal(1, dtype=np.float32),
    }
    folder = save_bundle(
        tmp_path / "bundle",
        PolicyState(actor=layers, training_state=b"not read", sb3_zip=b"not read"),
        FeatureSchema(COLUMNS, {}),
        Scaler(COLUMNS, np.zeros(3), np.ones(3), 5.0).as_dict(),
        "agent: sac\n",
        Card(
            agent="sac", fold="2021", seed=0, a0=0.0, b0=1e-6, data_fingerprint="d", code_hash="c"
        ),
    )
    rows = rng.standard_normal((5, 3), dtype=np.float32)
    expected = [ActorPolicy.from_arrays(layers).predict(row) for row in rows]
    run_id = tracker.start_run("fold", {}, {})
    uri = tracker.log_model(run_id, folder, COLUMNS)
    shutil.rmtree(folder)
    code = (
        "import sys, json, mlflow, pandas\n"
        "rows, columns = json.loads(sys.argv[2])\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "print(json.dumps(model.predict(pandas.DataFrame(rows, columns=columns)).tolist()))\n"
        "assert 'torch' not in sys.modules\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code, uri, json.dumps([rows.tolist(), COLUMNS])],
        env={
            **os.environ,
            "MLFLOW_TRACKING_URI": client.tracking_uri,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(loaded.stdout) == expected
