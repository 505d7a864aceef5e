"""What SQLite says when its disk is full, read-only or gone, as a message about the key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from intraday_rl.errors import ConfigError
from intraday_rl.tracking.parts import without_password

# SQLite's words; MLflow passes them on inside an exception of its own, whatever the cause.
_REFUSALS = (
    "database or disk is full",
    "attempt to write a readonly database",
    "unable to open database file",
    "disk I/O error",
)


@contextmanager
def explained_failures(uri: str, outputs: Path) -> Iterator[None]:
    """Turn the store's refusal to be written to into one line; any other failure stays."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        said = next((words for words in _REFUSALS if words in str(error)), None)
        if said is None:
            raise
        remedy = (
            f"cannot be written to ({said}: {without_password(uri)}); make room or make it "
            "writable, then run the same command again: finished folds are kept"
        )
        raise ConfigError("paths.outputs", outputs, remedy) from error
