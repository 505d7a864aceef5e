"""The MLflow store: opened once under a lock, quiet, with its artifacts beside it.

Two facts about MLflow 3.17 shape this file. Several processes that start on a fresh SQLite file
race its schema migration and die ("duplicate column"), so the first use happens under a file
lock. An experiment created without an artifact location writes to ./mlruns of whoever logs.
"""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from filelock import FileLock, Timeout

from intraday_rl.errors import ConfigError
from intraday_rl.tracking.full_disk import explained_failures
from intraday_rl.tracking.parts import MlflowTracking

if TYPE_CHECKING:
    from mlflow import MlflowClient

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

LOCK_TIMEOUT_SECONDS = 300.0
SERVER_TIMEOUT_SECONDS = 5.0
ATTEMPTS = 5
# What a store says when another process was first; the same operation then succeeds.
PASSING = (
    "database is locked",
    # MLflow looks for a data set, then inserts it: jobs on the same bars meet in between
    "UNIQUE constraint failed: datasets.",
    'unique constraint "dataset_pk"',
)

_QUIET = {
    # usage statistics go to a server outside; a research machine may have no network, or no wish
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # schema set-up and model logging report each step at INFO, from every worker at once
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # the copy of a bundle is a few files: its bars would break the run's own progress bar
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # the run prints `ui_command` once; a server's URL per fold and seed would bury it
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # requirements are given explicitly; a uv.lock in the working folder must not be copied in
    "MLFLOW_UV_AUTO_DETECT": "false",
    # GitPython warns at import when there is no git; nothing here asks it for anything
    "GIT_PYTHON_REFRESH": "quiet",
}


def quiet_mlflow() -> None:
    """Silence what MLflow says about itself; a value set by the user stays. Before its import."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def open_store(part: MlflowTracking, outputs: Path) -> tuple[MlflowClient, str]:
    """A client on an initialised store, and the id of the experiment (created when absent)."""
    quiet_mlflow()
    uri = part.store_uri(outputs)
    with _refusals(uri), explained_failures(uri, outputs):
        if part.is_server():
            _check_reachable(uri)
            return _client_and_experiment(part, uri, artifact_location=None)
        if not uri.startswith("sqlite"):
            _check_connects(uri)
        location = (outputs.resolve() / "artifacts").as_uri()
        with store_lock(uri, outputs):
            _make_whole(uri)
            return _client_and_experiment(part, uri, location)


def client_of(part: MlflowTracking, outputs: Path) -> MlflowClient:
    """A client on a store that exists, for reading it: nothing is created."""
    quiet_mlflow()
    uri = part.store_uri(outputs)
    with _refusals(uri):
        if part.is_server():
            _check_reachable(uri)
        elif not uri.startswith("sqlite"):
            _check_connects(uri)
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=uri)


@contextmanager
def store_lock(uri: str, outputs: Path) -> Iterator[None]:
    """One process at a time: setting up the schema, changing what is registered."""
    outputs.mkdir(parents=True, exist_ok=True)
    path = outputs.resolve() / "mlflow.lock"
    lock = FileLock(path)
    try:
        lock.acquire(timeout=LOCK_TIMEOUT_SECONDS)
    except Timeout as error:
        problem = f"another process holds {path} for over {LOCK_TIMEOUT_SECONDS:.0f} s"
        raise ConfigError("tracking.uri", uri, f"{problem}: end it") from error
    try:
        yield
    finally:
        lock.release()


def _make_whole(uri: str) -> None:
    """Make a new SQLite file whole or not at all.

    MLflow's schema is made in many steps; a kill or a full disk among them leaves a file that
    opens never again.
    """
    from mlflow import MlflowClient
    from sqlalchemy.engine import make_url

    url = make_url(uri)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return
    path = Path(url.database)
    if path.exists():
        return
    partial = path.with_name(f"{path.name}.partial")
    for left in path.parent.glob(f"{partial.name}*"):  # its journal too
        left.unlink()
    MlflowClient(tracking_uri=str(url.set(database=str(partial)))).search_experiments()
    partial.replace(path)


@contextmanager
def _refusals(uri: str) -> Iterator[None]:
    """Turn what MLflow, SQLAlchemy or a missing driver say of the store into one line."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except ModuleNotFoundError as error:
        remedy = f"its driver is not installed ({error.name})"
        if error.name == "psycopg":
            remedy += ": pip install 'intraday-rl[postgres]'"
        raise ConfigError("tracking.uri", uri, remedy) from error
    except (MlflowException, SQLAlchemyError) as error:
        reason = " ".join(str(error).partition("\n(Background")[0].split())
        raise ConfigError(
            "tracking.uri", uri, f"the MLflow store does not open: {reason}"
        ) from error


def patiently(
    operation: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Run one store operation; repeat it when another process was in its way.

    MLflow gives each statement a busy timeout of 20 s and rolls a failed operation back as a
    whole, so that repeating it writes nothing twice. Any other error is raised at once.
    """
    from mlflow.exceptions import MlflowException

    for attempt in range(1, ATTEMPTS):
        try:
            return operation(*args, **kwargs)
        except MlflowException as error:
            if not any(said in str(error) for said in PASSING):
                raise
            time.sleep(0.1 * 2**attempt)
    return operation(*args, **kwargs)


def _client_and_experiment(
    part: MlflowTracking, uri: str, artifact_location: str | None
) -> tuple[MlflowClient, str]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    return client, _experiment_id(client, part, artifact_location)


def _experiment_id(
    client: MlflowClient, part: MlflowTracking, artifact_location: str | None
) -> str:
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(part.experiment)
    if experiment is None:
        try:
            return str(client.create_experiment(part.experiment, artifact_location))
        except MlflowException as error:
            # a server has no lock of ours: somebody else may just have created it
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        experiment = client.get_experiment_by_name(part.experiment)
    if experiment is None or experiment.lifecycle_stage != "active":
        raise ConfigError(
            "experiment",
            part.experiment,
            "was deleted in MLflow: restore it there or choose another name",
        )
    return str(experiment.experiment_id)


def _check_reachable(uri: str) -> None:
    """Ask once, briefly: MLflow's own client repeats a refused connection for minutes."""
    if not uri.startswith("http"):
        return
    try:
        urllib.request.urlopen(uri, timeout=SERVER_TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError:
        return  # it answers; whether it lets us in is decided at the first call
    except OSError as error:
        raise ConfigError(
            "tracking.uri",
            uri,
            f"no MLflow server answers ({error}): start it or set tracking=none",
        ) from error


def _check_connects(uri: str) -> None:
    """Ask once: MLflow repeats a refused connection to a database for minutes."""
    from sqlalchemy import create_engine

    engine = create_engine(uri)
    try:
        engine.connect().close()
    finally:
        engine.dispose()
