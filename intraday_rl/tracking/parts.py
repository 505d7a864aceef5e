"""The parts of the `tracking` group: which recorder, and where its store lies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from intraday_rl.errors import ConfigError

SERVER_SCHEMES = ("http", "https", "databricks")
DATABASE_SCHEMES = ("sqlite", "postgresql", "mysql", "mssql")
LONGEST_EXPERIMENT_NAME = 500  # MLflow refuses longer ones


@dataclass(slots=True, kw_only=True)
class MlflowTracking:
    """Record runs in MLflow.

    | field | meaning |
    |---|---|
    | uri | MLflow tracking URI; null = the SQLite file `mlflow.db` under `paths.outputs` |
    | experiment | MLflow experiment the runs are filed under; created when absent |
    | log_models | whether trained agents are also stored as MLflow models |

    Database URIs keep their artifacts in `paths.outputs/artifacts`; a server keeps its own.
    A URI is written into the records of a run: a password belongs into the environment.
    """

    uri: str | None = None
    experiment: str = "intraday_rl"
    log_models: bool = True

    def __post_init__(self) -> None:
        if self.uri is not None:
            scheme, separator, rest = self.uri.partition("://")
            dialect = scheme.partition("+")[0]  # postgresql+psycopg2 names a driver as well
            named = bool(separator) and bool(rest.strip("/"))
            if self.uri != "databricks" and not (
                named and dialect in SERVER_SCHEMES + DATABASE_SCHEMES
            ):
                raise ConfigError(
                    "uri",
                    without_password(self.uri),
                    "must be null (a SQLite file under paths.outputs), sqlite:///<file>, another "
                    "database URL or http(s)://<server>; MLflow no longer accepts plain folders",
                )
            if without_password(self.uri) != self.uri:
                raise ConfigError(
                    "uri",
                    without_password(self.uri),
                    "must hold no password, which would be written into every record of the run; "
                    f"leave it out and {_where_a_password_goes(dialect)}",
                )
        if not self.experiment.strip() or len(self.experiment) > LONGEST_EXPERIMENT_NAME:
            raise ConfigError(
                "experiment",
                self.experiment,
                f"must be a name of 1 to {LONGEST_EXPERIMENT_NAME} characters",
            )

    def is_server(self) -> bool:
        """Whether another process owns the store (and its schema and artifact folder)."""
        return self.uri is not None and self.uri.partition(":")[0] in SERVER_SCHEMES

    def store_uri(self, outputs: Path) -> str:
        """The tracking URI, with null resolved to the SQLite file under `outputs`."""
        if self.uri is not None:
            return self.uri
        return f"sqlite:///{outputs.resolve() / 'mlflow.db'}"


@dataclass(slots=True, kw_only=True)
class NoTracking:
    """Record nothing outside the run folder."""


def without_password(uri: str) -> str:
    """The URI as it may be shown in a log or an error."""
    # up to the last @: a password may itself hold any sign
    shown = re.sub(r"://([^/@:?#]*):(.*)@", r"://\1:***@", uri)
    return re.sub(r"([?&][^=&#]*(?:password|passwd|pwd|token)[^=&#]*)=[^&#]*", r"\1=***", shown)


def _where_a_password_goes(dialect: str) -> str:
    if dialect == "postgresql":
        return "set PGPASSWORD in the environment, or write it into ~/.pgpass"
    if dialect in SERVER_SCHEMES:
        return "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment"
    return "let the database's own option file or an MLflow server hold it"
