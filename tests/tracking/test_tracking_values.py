"""Flattened params, cut values and JSON-safe artifacts, without MLflow."""

from __future__ import annotations

import subprocess
import sys
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

from intraday_rl.errors import ConfigError
from intraday_rl.tracking import MlflowTracking, NoTracking, NullTracker, open_tracker
from intraday_rl.tracking.values import as_text, cut, flatten, plain


class Fill(Enum):
    next_open = 1


def test_nested_params_become_dotted_keys_with_yaml_spelling() -> None:
    tree = {
        "env": {"slippage": {"bps": 1.5, "bps_buy": None}, "long_only": False},
        "seeds": [0, 1],
        "fill": Fill.next_open,
        "splits": {},
        "columns": {"close*": "Close"},
    }
    assert flatten(tree) == {
        "env.slippage.bps": "1.5",
        "env.slippage.bps_buy": "null",
        "env.long_only": "false",
        "seeds": "[0, 1]",
        "fill": "next_open",
        "splits": "{}",
        "columns.close_": "Close",
    }


def test_a_cut_value_has_the_limit_as_length_and_says_that_it_was_cut() -> None:
    assert cut("a" * 50, 50) == "a" * 50
    shortened = cut("a" * 51, 50)
    assert len(shortened) == 50
    assert shortened.endswith("(cut)")


def test_numbers_that_json_cannot_carry_become_null() -> None:
    content = {
        "sharpe": float("nan"),
        "profit_factor": np.inf,
        "days": np.int64(3),
        1: (Path("a"),),
    }
    assert plain(content) == {"sharpe": None, "profit_factor": None, "days": 3, "1": ["a"]}
    assert as_text(float("inf")) == "inf"


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns", "sqlite", "sqlite:///", ""])
def test_a_store_that_mlflow_refuses_is_refused_with_the_remedy(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"uri=.*must be null"):
        MlflowTracking(uri=uri)


@pytest.mark.parametrize("experiment", ["", "  ", "x" * 501])
def test_an_experiment_needs_a_name_that_mlflow_can_store(experiment: str) -> None:
    with pytest.raises(ConfigError, match="experiment="):
        MlflowTracking(experiment=experiment)


@pytest.mark.parametrize(
    ("uri", "server"),
    [
        (None, False),
        ("sqlite:////data/runs.db", False),
        ("postgresql+psycopg2://host/runs", False),
        ("https://runs.example.org", True),
        ("databricks", True),
    ],
)
def test_only_a_server_keeps_its_own_artifacts(uri: str | None, server: bool) -> None:
    assert MlflowTracking(uri=uri).is_server() is server


@pytest.mark.parametrize(
    ("uri", "shown", "remedy"),
    [
        ("http://quant:secret@127.0.0.1:9", "quant:***@127.0.0.1:9", "MLFLOW_TRACKING_PASSWORD"),
        ("https://quant:se/cr@secret@host/x", "https://quant:***@host/x", "MLFLOW_TRACKING_"),
        ("postgresql://quant:secret@host/runs", "quant:***@host/runs", "PGPASSWORD"),
        ("postgresql+psycopg2://:secret@/runs", "psycopg2://:***@/runs", "~/.pgpass"),
        ("postgresql://q@host/runs?password=secret", "runs?password=***", "PGPASSWORD"),
        ("postgresql://h/r?a=1&sslpassword=secret&b=2", "a=1&sslpassword=***&b=2", "PGPASSWORD"),
        ("mysql://quant:secret@host/runs", "quant:***@host/runs", "option file"),
    ],
)
def test_a_password_in_the_address_is_refused_and_not_shown(
    uri: str, shown: str, remedy: str
) -> None:
    with pytest.raises(ConfigError, match="must hold no password") as refused:
        MlflowTracking(uri=uri)
    assert shown in str(refused.value)
    assert remedy in str(refused.value)
    assert "secret" not in str(refused.value)


def test_an_address_may_name_a_user_and_hold_colons(tmp_path: Path) -> None:
    uris = [
        "postgresql://quant@127.0.0.1:5432/runs",
        "http://127.0.0.1:5000",
        f"sqlite:///{tmp_path}/a@b:c.db",
        "postgresql://quant@[::1]:5432/runs?passfile=runs.pgpass",
    ]
    assert [MlflowTracking(uri=uri).uri for uri in uris] == uris


def test_a_server_that_does_not_answer_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no MLflow server answers"):
        open_tracker(MlflowTracking(uri="http://127.0.0.1:9"), tmp_path)


def test_no_tracking_records_nothing_and_gives_empty_ids(tmp_path: Path) -> None:
    tracker = open_tracker(NoTracking(), tmp_path)
    assert isinstance(tracker, NullTracker)
    run_id = tracker.start_run("parent", {"kind": "run"}, {"seeds": [0]})
    assert run_id == ""
    tracker.set_tags(run_id, {"kind": "run"})
    tracker.log_metrics(run_id, {"test/sharpe": 1.0})
    tracker.log_curve(run_id, "train/reward", [(0, 1.0)])
    tracker.log_artifact(run_id, tmp_path / "absent")
    tracker.log_artifacts(run_id, tmp_path / "absent")
    tracker.log_dict(run_id, {}, "config.yaml")
    tracker.log_dataset(run_id, "bars", "0" * 64, {"source": "synthetic"})
    assert tracker.log_model(run_id, tmp_path / "absent", ["rsi"]) == ""
    tracker.finish(run_id, "FAILED")
    tracker.resume(run_id)
    assert tracker.find_runs({"kind": "run"}) == []
    assert tracker.ui_command() == ""
    assert list(tmp_path.iterdir()) == []


def test_importing_the_room_and_tracking_nothing_loads_no_mlflow() -> None:
    code = (
        "import sys; from pathlib import Path; import intraday_rl.tracking as room; "
        "room.open_tracker(room.NoTracking(), Path('unused')); room.MlflowTracking(); "
        "assert not {'mlflow', 'pandas', 'filelock'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
