"""Links to a run in MLflow and the split of its costs: what the page shows and cannot know."""

from __future__ import annotations

from pathlib import Path

import pytest

from intraday_rl.tracking.parts import MlflowTracking, NoTracking
from intraday_rl.web.mlflow_links import mlflow_link
from intraday_rl.web.runs import COSTS, _cost_split

OUTPUTS = Path("/srv/outputs")


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("http://tracking.example:5000", "http://tracking.example:5000/#/runs/abc"),
        ("https://tracking.example/mlflow/", "https://tracking.example/mlflow/#/runs/abc"),
    ],
)
def test_a_run_on_a_server_is_linked_there(uri, address):
    found = mlflow_link(MlflowTracking(uri=uri), OUTPUTS, "abc")
    assert found == {
        "run_id": "abc", "address": address, "command": None, "local_address": None,
    }  # fmt: skip


def test_a_run_in_a_file_has_the_command_that_shows_it():
    found = mlflow_link(MlflowTracking(), OUTPUTS, "abc")
    assert found["command"] == "mlflow ui --backend-store-uri sqlite:////srv/outputs/mlflow.db"
    assert found["local_address"].endswith("/#/runs/abc")


def test_what_is_not_tracked_has_no_link():
    assert mlflow_link(NoTracking(), OUTPUTS, "abc") is None
    assert mlflow_link(MlflowTracking(), OUTPUTS, None) is None


def test_costs_are_split_in_dollars_and_in_bps_of_what_was_traded():
    line = dict.fromkeys(COSTS, 0.0) | {"slippage": 30.0, "fees": 10.0, "total": 40.0}
    line["traded_notional"] = 100_000.0
    failed = dict.fromkeys(COSTS)
    found = _cost_split([line, line, failed])
    assert found["usd"] == {
        "commission": 0.0, "fees": 20.0, "slippage": 60.0, "impact": 0.0, "financing": 0.0,
        "total": 80.0,
    }  # fmt: skip
    assert found["bps_of_turnover"]["slippage"] == pytest.approx(3.0)
    assert found["bps_of_turnover"]["total"] == pytest.approx(4.0)
    nothing_traded = _cost_split([dict.fromkeys(COSTS, 0.0)])
    assert nothing_traded["bps_of_turnover"]["total"] is None
    assert _cost_split([failed]) is None
