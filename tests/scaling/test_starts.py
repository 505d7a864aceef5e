"""Jobs that somebody starts at the same moment, on a store that does not exist yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scaling.services import finished_runs, start_together

JOBS = [("debug=tiny", "agent=flat", f"seeds=[{seed}]") for seed in range(8)]


@pytest.mark.slow("starts")
@pytest.mark.parametrize("round_", range(10))
def test_eight_jobs_that_start_at_once_on_a_fresh_store_all_finish(
    tmp_path: Path, round_: int
) -> None:
    assert start_together(JOBS, tmp_path) == []
    store = f"sqlite:///{tmp_path}/outputs/mlflow.db"
    finished_runs(store, "parent", 8)
    finished_runs(store, "fold", 8)
