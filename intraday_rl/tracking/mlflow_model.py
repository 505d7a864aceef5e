"""A bundle as an MLflow model: code by file, weights as artifact, never a pickle."""

from __future__ import annotations

import importlib.metadata
import tempfile
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from intraday_rl.errors import ModelError
from intraday_rl.tracking.mlflow_store import patiently

if TYPE_CHECKING:
    from mlflow import MlflowClient

SERVED_MODEL = Path(__file__).resolve().parent.parent / "served_model.py"
BUNDLE_ARTIFACT = "bundle"
REQUIREMENTS = (
    "intraday-rl",
    "mlflow",
    "numpy",
    "pandas",
)

# mlflow hands the object over through a module global while it runs the model's code file
_saving = threading.Lock()


def pinned_requirements() -> list[str]:
    """What a process needs to load the model, at the versions installed here.

    A build label such as `+cpu` is dropped: package indexes do not list it. A package without
    installed metadata (a checkout that was never installed) is named without a version.
    """
    requirements = []
    for name in REQUIREMENTS:
        try:
            version = importlib.metadata.version(name).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            requirements.append(name)
        else:
            requirements.append(f"{name}=={version}")
    return requirements


def store_model(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    bundle_folder: Path,
    columns: Sequence[str],
    name: str,
) -> str:
    """Log the bundle as a model of the run; returns `models:/<id>`.

    | column | type | meaning |
    |---|---|---|
    | each of `columns`, in order | double | one scaled observation, as the policy sees it |
    | output | double | raw action in [-1, 1], one per row |

    `mlflow.pyfunc.log_model` is not used: it takes the store's address from global state, which
    is not safe with several stores, workers or threads in one process. These are its steps.
    """
    if not bundle_folder.is_dir():
        raise ModelError(f"{bundle_folder}: not a bundle folder, so no model can be logged")
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    run = patiently(client.get_run, run_id)
    for output in run.outputs.model_outputs if run.outputs else ():
        earlier = patiently(client.get_logged_model, output.model_id)
        if earlier.status == LoggedModelStatus.READY:  # by a process that was killed right after
            return f"models:/{earlier.model_id}"
        patiently(client.finalize_logged_model, earlier.model_id, "FAILED")
    logged = patiently(
        client.create_logged_model,
        experiment_id,
        name=name,
        source_run_id=run_id,
        tags={key: text for key, text in run.data.tags.items() if not key.startswith("mlflow.")},
        params=dict(run.data.params),
        model_type="policy",
    )
    patiently(client.log_outputs, run_id, [LoggedModelOutput(logged.model_id, step=0)])
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "model"
            _save(folder, run_id, logged.model_id, logged.artifact_location, bundle_folder, columns)
            patiently(client.log_model_artifacts, logged.model_id, str(folder))
    except BaseException:
        patiently(client.finalize_logged_model, logged.model_id, "FAILED")
        raise
    patiently(client.finalize_logged_model, logged.model_id, "READY")
    return f"models:/{logged.model_id}"


def _save(
    folder: Path,
    run_id: str,
    model_id: str,
    artifact_location: str,
    bundle_folder: Path,
    columns: Sequence[str],
) -> None:
    with _saving, warnings.catch_warnings():
        # MLflow warns about a type hint of its own, in a chat class it defines while loading
        warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
        import mlflow.pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema

    signature = ModelSignature(
        inputs=Schema([ColSpec("double", column) for column in columns]),
        outputs=Schema([ColSpec("double")]),
    )
    with _saving:
        mlflow.pyfunc.save_model(
            path=str(folder),
            python_model=str(SERVED_MODEL),
            artifacts={BUNDLE_ARTIFACT: str(bundle_folder.resolve())},
            signature=signature,
            input_example=[dict.fromkeys(columns, 0.0)],
            pip_requirements=pinned_requirements(),
            mlflow_model=Model(
                artifact_path=artifact_location,
                run_id=run_id,
                model_uuid=model_id,
                model_id=model_id,
            ),
        )
