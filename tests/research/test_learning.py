"""The whole job where the answer is known: a planted signal is learned, noise is not."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SMALL_AGENT = [
    "agent.learning_rate=3e-4",
    "agent.net_arch=[64,64]",
    "agent.total_timesteps=40000",
    "agent.learning_starts=1000",
    "agent.eval_freq=4000",
]


def job(outputs: Path, *overrides: str) -> Path:
    """Run the entry script; the folder of the only run it made."""
    command = [sys.executable, "experiments/run.py", f"paths.outputs={outputs}", "tracking=none"]
    done = subprocess.run(
        [*command, *overrides], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (outputs / "runs").iterdir()
    return folder


def verdict(folder: Path) -> dict:
    return json.loads((folder / "verdict.json").read_text())


def ledgers(folder: Path) -> dict[str, str]:
    """Hash of every ledger of a run."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))
    }


@pytest.mark.slow("main")
def test_a_planted_edge_is_learned_and_beats_hold_and_random_on_every_test_year(tmp_path):
    folder = job(tmp_path / "edge", "data.edge=0.30", *SMALL_AGENT)
    windows = [json.loads(p.read_text()) for p in sorted(folder.glob("folds/*/window.json"))]
    assert len(windows) == 3
    for window in windows:
        learned = window["test"]["raw"]["sharpe"]
        assert learned > window["baselines"]["hold"]["sharpe"]
        assert learned > window["baselines"]["random"]["sharpe"]
        assert window["test"]["raw"]["sharpe_low"] > 0.0
        assert window["seeds"]["0"]["abstained"] is False
    assert verdict(folder)["verdict"] == "beats_hold"


@pytest.mark.slow("main")
def test_without_an_edge_nothing_is_learned_and_abstention_keeps_it_near_zero(tmp_path):
    folder = job(tmp_path / "noise", "seeds=[0,1,2,3,4]", *SMALL_AGENT)
    result = verdict(folder)
    assert result["raw"]["sharpe_low"] <= 0.0
    windows = [json.loads(p.read_text()) for p in sorted(folder.glob("folds/*/window.json"))]
    traded = [
        0.0 if entry["abstained"] else entry["test"]["sharpe"]
        for window in windows
        for entry in window["seeds"].values()
    ]
    assert len(traded) == 15
    assert abs(np.mean(traded)) <= 0.3


@pytest.mark.slow("main")
def test_one_and_two_workers_write_byte_equal_ledgers(tmp_path):
    tiny = ["agent.net_arch=[16]", "agent.total_timesteps=2000", "agent.learning_starts=200",
            "agent.eval_freq=500", "agent.batch_size=64", "seeds=[0,1]"]  # fmt: skip
    one = job(tmp_path / "one", *tiny, "parallel.workers=1")
    two = job(tmp_path / "two", *tiny, "parallel.workers=2")
    assert one.name == two.name
    assert ledgers(one) == ledgers(two)
    assert len(ledgers(one)) == 1 + 3 + 3 * 2 * 2


@pytest.mark.slow("truth")
def test_at_a_planted_edge_at_most_one_fold_and_seed_in_fifteen_abstains(tmp_path):
    folder = job(tmp_path / "edge", "data.edge=0.30", "seeds=[0,1,2,3,4]", *SMALL_AGENT)
    windows = [json.loads(p.read_text()) for p in sorted(folder.glob("folds/*/window.json"))]
    entries = [(w["window"]["name"], s, e) for w in windows for s, e in w["seeds"].items()]
    for name, seed, entry in entries:
        print(f"{name} seed {seed}: validation t {entry['abstention']['t_value']:.2f}")
    assert len(entries) == 15
    assert sum(entry["abstained"] for *_, entry in entries) <= 1
