"""What a finished sweep must have on disk and in MLflow, to compare one with another."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

COMPARED = ("result.json", "ledger.parquet", "validation.parquet", "evaluation.log")
CURVES = ("validation/first_half_sharpe", "train/actor_loss", "validation/score", "test/sharpe")


@dataclass(frozen=True)
class Sweep:
    """files: hash by place · runs: how often each key is there in which status · points: of each
    child's curves, and how many params it has · left: what must not be there."""

    files: dict[str, str]
    runs: Counter[tuple[str, str, str]]
    points: dict[str, list[int]]
    left: list[str]

    @classmethod
    def read(cls, outputs: Path) -> Sweep:
        """A sweep's folder and store."""
        files = {
            str(path.relative_to(outputs)): hashlib.sha256(path.read_bytes()).hexdigest()
            for name in COMPARED
            for path in sorted(outputs.glob(f"runs/*/folds/*/seed=*/{name}"))
        }
        files |= {
            str(path.relative_to(outputs)): "there" for path in outputs.glob("runs/*/verdict.json")
        }
        left = [str(path) for path in outputs.glob("folds/*/checkpoints")]
        left += [str(path) for path in outputs.glob("folds/*/lease.json")]
        client = MlflowClient(f"sqlite:///{outputs / 'mlflow.db'}")
        experiments = [one.experiment_id for one in client.search_experiments()]
        runs: Counter[tuple[str, str, str]] = Counter()
        points: dict[str, list[int]] = {}
        for run in client.search_runs(experiments, max_results=1000):
            tags, status = run.data.tags, run.info.status
            kind = tags.get("kind", "")
            if status == "RUNNING":
                left.append(f"{kind} run {run.info.run_id} is RUNNING")
            if kind == "superseded sweep":
                continue
            runs[kind, tags.get("fold_key", tags.get("run_key", "")), status] += 1
            if kind == "fold":
                history = [client.get_metric_history(run.info.run_id, name) for name in CURVES]
                points[tags["fold_key"]] = [*map(len, history), len(run.data.params)]
        return cls(files, runs, points, left)


def differences(reference: Sweep, found: Sweep) -> list[str]:
    """What is not as in the reference, in words."""
    problems = list(found.left)
    for place in sorted(reference.files.keys() | found.files.keys()):
        if reference.files.get(place) != found.files.get(place):
            problems.append(f"{place} differs or is missing")
    for key in sorted(reference.runs.keys() | found.runs.keys()):
        if reference.runs[key] != found.runs[key]:
            problems.append(f"MLflow run {key}: {found.runs[key]} instead of {reference.runs[key]}")
    for key in sorted(reference.points.keys() & found.points.keys()):
        if reference.points[key] != found.points[key]:
            problems.append(f"curves of fold {key}: {found.points[key]} points")
    return problems
