"""MLflow on a real PostgreSQL, whose password is in no record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.scaling.services import Database, finished_runs, postgresql, run, start_together

TINY = ("debug=tiny", "agent=random")
FOUR = ("-m", *TINY, "reward=dsr,net_return", "env/slippage=none,bps")


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with postgresql() as started:
        yield started


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    with postgresql() as started:
        monkeypatch.setenv("PGPASSWORD", started.password)
        yield started


def records(uri: str) -> str:
    """Everything that MLflow keeps of the runs."""
    client = MlflowClient(uri)
    return str([run.to_dictionary() for run in client.search_runs(["0", "1"])])


@pytest.mark.slow("postgres")
def test_four_jobs_in_parallel_are_recorded_and_compared_without_the_password(
    fresh: Database, tmp_path: Path
) -> None:
    words = (*FOUR, "hydra/launcher=joblib", "hydra.launcher.n_jobs=4", f"tracking.uri={fresh.uri}")
    status, said = run(*words, folder=tmp_path)
    assert status == 0, said
    finished_runs(fresh.uri, "fold", 4)
    parents = finished_runs(fresh.uri, "parent", 4)
    compared = {(run.data.tags["reward"], run.data.params["env.slippage.bps"]) for run in parents}
    assert len(compared) == 4
    assert all("test/sharpe" in run.data.metrics for run in parents)
    location = f"file://{tmp_path}/outputs/artifacts/"
    assert all(run.info.artifact_uri.startswith(location) for run in parents)

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 40
    assert not [path for path in files if fresh.password.encode() in path.read_bytes()]
    assert fresh.password not in said
    assert fresh.password not in records(fresh.uri)

    again, said = run(*words, folder=tmp_path)
    assert again == 0, said
    finished_runs(fresh.uri, "parent", 4)


@pytest.mark.slow("postgres")
def test_eight_jobs_that_start_at_once_on_a_fresh_database_all_finish(
    fresh: Database, tmp_path: Path
) -> None:
    jobs = [("debug=tiny", "agent=flat", f"seeds=[{k}]") for k in range(8)]
    assert start_together([(*job, f"tracking.uri={fresh.uri}") for job in jobs], tmp_path) == []
    finished_runs(fresh.uri, "parent", 8)


@pytest.mark.slow("postgres")
@pytest.mark.parametrize("given", [None, "mistaken-secret"])
def test_a_wrong_password_is_one_message_and_not_shown(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    environment = {"PGPASSWORD": given} if given else {}
    words = (*TINY, f"tracking.uri={database.uri}")
    status, said = run(*words, folder=tmp_path, environment=environment)
    assert status == 2, said
    assert f"tracking.uri={database.uri}: the MLflow store does not open" in said
    assert "password" in said
    assert "Traceback" not in said
    assert "mistaken-secret" not in said


@pytest.mark.slow("postgres")
def test_a_password_typed_into_the_address_is_refused_before_anything_is_written(
    database: Database, tmp_path: Path
) -> None:
    uri = database.uri.replace("quant@", f"quant:{database.password}@")
    status, said = run(*TINY, f"tracking.uri={uri}", folder=tmp_path)
    assert status == 2
    assert "PGPASSWORD" in said
    assert database.password not in said
    assert not list(tmp_path.iterdir())
