"""One MLflow store for the whole session: its schema takes over a second to build."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from intraday_rl.tracking import MlflowTracking, Tracker, open_tracker

if TYPE_CHECKING:
    from mlflow import MlflowClient


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs folder (with a space in its path) of an initialised store."""
    outputs = tmp_path_factory.mktemp("tracking room") / "outputs"
    open_tracker(MlflowTracking(), outputs)
    return outputs


@pytest.fixture
def tracker(
    store: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tracker]:
    """A tracker on the session's store, used from an empty folder that must stay empty."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    yield open_tracker(MlflowTracking(), store)
    assert list(elsewhere.iterdir()) == [], "something was written to the working folder"


@pytest.fixture
def client(store: Path) -> MlflowClient:
    """What a user of MLflow sees."""
    from mlflow import MlflowClient

    return MlflowClient(MlflowTracking().store_uri(store))
