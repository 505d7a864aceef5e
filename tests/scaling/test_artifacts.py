"""Plots, ledger and model in an object store that only the MLflow server may write to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from tests.scaling.services import (
    ObjectStore,
    finished_runs,
    mlflow_server,
    object_store,
    run,
    start_together,
)


@dataclass
class Served:
    uri: str
    bucket: ObjectStore


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The server has the credentials of the bucket; its clients have none."""
    for name in os.environ:
        if name.startswith(("AWS_", "MLFLOW_")):
            monkeypatch.delenv(name)
    folder = tmp_path / "services"
    folder.mkdir()
    backend = f"sqlite:///{folder}/mlflow.db"
    with (
        object_store(folder) as bucket,
        mlflow_server(folder, backend, bucket.environment) as uri,
    ):
        yield Served(uri, bucket)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.mark.slow("artifacts")
def test_a_client_without_credentials_stores_its_run_and_loads_it_back(
    served: Served, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, said = run("debug=tiny", "agent=random", f"tracking.uri={served.uri}", folder=here)
    assert status == 0, said
    assert not (here / "outputs" / "artifacts").exists()
    (parent,) = finished_runs(served.uri, "parent", 1)
    (child,) = finished_runs(served.uri, "fold", 1)
    (fold,) = here.glob("outputs/runs/*/folds/*")

    objects = served.bucket.sizes()
    for name, local in {
        "artifacts/ledger.parquet": fold / "seed=0" / "ledger.parquet",
        "artifacts/window.json": fold / "window.json",
        "artifacts/plots/equity.png": fold / "equity.png",
    }.items():
        (size,) = [
            size for key, size in objects.items() if key.endswith(f"{child.info.run_id}/{name}")
        ]
        assert size == local.stat().st_size
        back = download_artifacts(
            run_id=child.info.run_id,
            artifact_path=name.removeprefix("artifacts/"),
            tracking_uri=served.uri,
            dst_path=str(here),
        )
        assert Path(back).read_bytes() == local.read_bytes()
    assert any(key.endswith(f"{parent.info.run_id}/artifacts/report.html") for key in objects)
    assert any(key.endswith("/artifacts/MLmodel") for key in objects)

    monkeypatch.setenv("MLFLOW_TRACKING_URI", served.uri)
    client = MlflowClient(served.uri)
    (model,) = client.search_logged_models([child.info.experiment_id])
    folder = Path(
        download_artifacts(artifact_uri=f"models:/{model.model_id}", dst_path=str(here / "model"))
    )
    stored = {path.name for path in folder.rglob("*") if path.is_file()}
    assert {"MLmodel", "card.json", "schema.json", "plan.yaml"} <= stored


@pytest.mark.slow("artifacts")
def test_eight_jobs_that_start_at_once_against_the_server_all_finish(
    served: Served, here: Path
) -> None:
    jobs = [
        ("debug=tiny", "agent=flat", f"seeds=[{seed}]", f"tracking.uri={served.uri}")
        for seed in range(8)
    ]
    assert start_together(jobs, here) == []
    finished_runs(served.uri, "parent", 8)
    finished_runs(served.uri, "fold", 8)
    reports = [key for key in served.bucket.sizes() if key.endswith("/artifacts/report.html")]
    assert len(reports) == 8
