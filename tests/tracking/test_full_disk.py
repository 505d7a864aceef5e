"""A store that can no longer be written to is a message about the key."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from intraday_rl.errors import ConfigError
from intraday_rl.tracking.full_disk import explained_failures


@pytest.mark.parametrize(
    "said",
    ["database or disk is full", "attempt to write a readonly database", "disk I/O error"],
)
def test_a_refusal_of_sqlite_names_outputs_and_the_way_on(said: str) -> None:
    with (
        pytest.raises(ConfigError, match=f"paths.outputs=out: cannot be .*{said}.*same command"),
        explained_failures("sqlite:///out/mlflow.db", Path("out")),
    ):
        raise MlflowException(f"(sqlite3.OperationalError) {said}\n[SQL: INSERT ...]")


def test_any_other_failure_of_the_store_stays_what_it_is() -> None:
    with (
        pytest.raises(MlflowException, match="no such run"),
        explained_failures("sqlite:///out/mlflow.db", Path("out")),
    ):
        raise MlflowException("no such run")
