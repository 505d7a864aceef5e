"""Runs, tags, params, metrics, artifacts and data sets as MLflow shows them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from intraday_rl.errors import ConfigError
from intraday_rl.tracking import MlflowTracking, Tracker, open_tracker

if TYPE_CHECKING:
    from mlflow import MlflowClient

TAGS = {"symbol": "TQQQ", "synthetic": True, "slippage.bps": 1.0, "run_key": "abc"}


def artifact_folder(client: MlflowClient, run_id: str) -> Path:
    from mlflow.artifacts import download_artifacts

    return Path(
        download_artifacts(
            artifact_uri=client.get_run(run_id).info.artifact_uri,
            tracking_uri=client.tracking_uri,
        )
    )


def test_children_carry_the_parents_id_and_every_tag(
    tracker: Tracker, client: MlflowClient
) -> None:
    parent = tracker.start_run("TQQQ sac dsr", {**TAGS, "kind": "run"}, {"seeds": [0, 1]})
    children = [
        tracker.start_run(f"seed={seed}", {**TAGS, "kind": "fold"}, {"seed": seed}, parent)
        for seed in (0, 1)
    ]
    for run_id in [parent, *children]:
        run = client.get_run(run_id)
        assert run.data.tags["symbol"] == "TQQQ"
        assert run.data.tags["synthetic"] == "true"
        assert run.data.tags["slippage.bps"] == "1.0"
        assert run.info.status == "RUNNING"
    found = client.search_runs(
        [client.get_run(parent).info.experiment_id],
        f"tags.`mlflow.parentRunId` = '{parent}' and tags.`slippage.bps` = '1.0'",
    )
    assert {run.info.run_id for run in found} == set(children)
    assert client.get_run(parent).info.run_name == "TQQQ sac dsr"


def test_a_run_ends_is_resumed_and_fails(tracker: Tracker, client: MlflowClient) -> None:
    run_id = tracker.start_run("run", {}, {"seed": 0})
    tracker.finish(run_id, "KILLED")
    assert client.get_run(run_id).info.status == "KILLED"
    tracker.resume(run_id)
    assert client.get_run(run_id).info.status == "RUNNING"
    tracker.set_tags(run_id, {f"tag{number}": number for number in range(120)})
    tracker.finish(run_id, "FAILED")
    run = client.get_run(run_id)
    assert run.info.status == "FAILED"
    assert run.data.tags["tag119"] == "119"


def test_more_params_than_one_batch_and_longer_ones_than_the_limit_are_kept(
    tracker: Tracker, client: MlflowClient
) -> None:
    long = "x" * 9000
    params = {"env": {f"option{number}": number for number in range(230)}, "note": long}
    run_id = tracker.start_run("many params", {}, params)
    stored = client.get_run(run_id).data.params
    assert len(stored) == 231
    assert stored["env.option229"] == "229"
    assert len(stored["note"]) == 6000
    assert stored["note"].endswith("(cut)")
    full = json.loads((artifact_folder(client, run_id) / "long_params.json").read_text())
    assert full == {"note": long}


def test_metrics_that_are_not_finite_are_left_out(tracker: Tracker, client: MlflowClient) -> None:
    run_id = tracker.start_run("metrics", {}, {})
    tracker.log_metrics(
        run_id,
        {
            "test/sharpe": 1.25,
            "test/calmar": None,
            "test/sortino": float("nan"),
            "test/profit_factor": float("inf"),
            "test/trades": 0,
        },
    )
    assert client.get_run(run_id).data.metrics == {"test/sharpe": 1.25, "test/trades": 0.0}


def test_a_curve_longer_than_one_batch_keeps_every_finite_point(
    tracker: Tracker, client: MlflowClient
) -> None:
    run_id = tracker.start_run("curve", {}, {})
    points = [(step * 10, step / 7) for step in range(2500)]
    points[3] = (30, float("nan"))
    tracker.log_curve(run_id, "train/reward", points)
    history = client.get_metric_history(run_id, "train/reward")
    logged = sorted((metric.step, metric.value) for metric in history)
    assert logged == [point for point in points if point[0] != 30]


def test_artifacts_lie_under_outputs_and_json_is_valid(
    tracker: Tracker, client: MlflowClient, store: Path, tmp_path: Path
) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "equity.svg").write_text("<svg/>")
    (tmp_path / "verdict.json").write_text("{}")
    run_id = tracker.start_run("artifacts", {}, {})
    tracker.log_artifact(run_id, tmp_path / "verdict.json", "folds/2021")
    tracker.log_artifacts(run_id, tmp_path / "plots", "plots")
    tracker.log_dict(run_id, {"sharpe": float("nan"), "name": "é"}, "config/plan.json")
    folder = artifact_folder(client, run_id)
    assert folder.is_relative_to(store.resolve() / "artifacts")
    assert (folder / "folds" / "2021" / "verdict.json").read_text() == "{}"
    assert (folder / "plots" / "equity.svg").exists()
    plan = json.loads((folder / "config" / "plan.json").read_text(encoding="utf-8"))
    assert plan == {"sharpe": None, "name": "é"}


def test_the_data_set_is_an_input_of_the_run(tracker: Tracker, client: MlflowClient) -> None:
    run_id = tracker.start_run("data", {}, {})
    digest = "0123456789abcdef" * 4
    tracker.log_dataset(
        run_id,
        "TQQQ 15 min",
        digest,
        {"source": "parquet"},
        schema={"close": "double", "volume": "double"},
        profile={"num_rows": 1000, "equal_open_share": float("nan")},
        context="test",
    )
    inputs = client.get_run(run_id).inputs
    assert inputs is not None
    (entry,) = inputs.dataset_inputs
    assert entry.dataset.schema is not None
    assert entry.dataset.profile is not None
    assert entry.dataset.name == "TQQQ 15 min"
    assert entry.dataset.digest == digest[:36]
    assert json.loads(entry.dataset.source) == {"source": "parquet", "digest": digest}
    assert json.loads(entry.dataset.schema)["mlflow_colspec"][1] == {
        "name": "volume",
        "type": "double",
    }
    assert json.loads(entry.dataset.profile) == {"num_rows": 1000, "equal_open_share": None}
    assert {(tag.key, tag.value) for tag in entry.tags} == {("mlflow.data.context", "test")}


def test_a_run_is_found_again_by_its_tags(tracker: Tracker) -> None:
    older = tracker.start_run("older", {"fold_key": "k1", "note": "it's"}, {})
    newer = tracker.start_run("newer", {"fold_key": "k1", "seed": 1}, {})
    assert [run.run_id for run in tracker.find_runs({"fold_key": "k1"})] == [newer, older]
    (found,) = tracker.find_runs({"fold_key": "k1", "note": "it's"})
    assert (found.run_id, found.status) == (older, "RUNNING")
    assert tracker.find_runs({"fold_key": "k1", "seed": 2}) == []


def test_the_ui_command_names_the_database_as_one_shell_word(tracker: Tracker, store: Path) -> None:
    words = shlex.split(tracker.ui_command())
    assert words == ["mlflow", "ui", "--backend-store-uri", f"sqlite:///{store / 'mlflow.db'}"]


def test_a_deleted_experiment_is_refused_by_name(client: MlflowClient, store: Path) -> None:
    open_tracker(MlflowTracking(experiment="gone"), store)
    experiment = client.get_experiment_by_name("gone")
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(ConfigError, match="experiment=gone: was deleted"):
        open_tracker(MlflowTracking(experiment="gone"), store)


def test_a_file_that_is_no_database_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is not a database, however long the text is " * 40)
    with pytest.raises(ConfigError, match="store does not open"):
        open_tracker(MlflowTracking(), tmp_path)
