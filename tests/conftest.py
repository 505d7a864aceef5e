"""Fixtures every room uses."""

from __future__ import annotations

import gc
import os
import tempfile
from pathlib import Path

import pytest

# What must outlive outputs (paths.state) belongs to the user; tests have a state of their own.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="intraday-rl-state-")

ROOT = Path(__file__).parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real bars: INTRADAY_RL_DATA, or `shared/data` beside the project."""
    folder = Path(os.environ.get("INTRADAY_RL_DATA", SHARED_DATA))
    if not (folder / "SPY_15min_2018_2025.parquet").is_file():
        pytest.skip(f"no real bars in {folder}; set INTRADAY_RL_DATA")
    return folder


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end; looking through it again takes time."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow-group", default="", help="run only the slow tests of one group")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the slow tests of the chosen group; `@pytest.mark.slow("group")` names it."""
    group = config.getoption("--slow-group")
    if not group:
        return
    kept, left_out = [], []
    for item in items:
        mark = item.get_closest_marker("slow")
        (kept if mark and group in mark.args else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept
