"""The sweep in MLflow: a run of its own, linked with the parents of the runs that it judges."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from intraday_rl.plan import Plan
from intraday_rl.records import read_json, write_json
from intraday_rl.research.sweep.judging import Judged
from intraday_rl.research.sweep.sources import Family
from intraday_rl.tracking.tracker import Tracker, open_tracker

_RETURNS = ("sharpe", "sharpe_low", "sharpe_high", "total_return", "max_drawdown")


def record(plan: Plan, family: Family, content: dict[str, Any], judged: list[Judged]) -> str:
    """Write the sweep's MLflow run, in place of an earlier one; returns how to look at it."""
    tracker = open_tracker(plan.tracking, Path(plan.paths.outputs))
    parents = _parents(family)
    judged_before = tracker.find_runs({"kind": "sweep", "verdict_hash": _hash(content)})
    if judged_before and judged_before[0].status == "FINISHED":
        return tracker.ui_command()  # the same finding about the same runs: said once
    for unfinished in judged_before:
        tracker.set_tags(unfinished.run_id, {"kind": "superseded sweep"})
        tracker.finish(unfinished.run_id, "KILLED")
    run = _open(tracker, family, content, parents)
    for world in judged:
        prefix = "" if len(judged) == 1 else f"world/{world.content['world'][:8]}/"
        tracker.log_metrics(run, {f"{prefix}{k}": v for k, v in metrics(world.content).items()})
    for path in (family.folder / "verdict.json", family.folder / "report.html"):
        tracker.log_artifact(run, path)
    # A run can be judged in several families, but it was begun by one sweep.
    for parent in parents:
        tracker.set_tags(parent, {"sweep" if family.is_one_sweep else "family": family.name})
    tracker.finish(run)
    return tracker.ui_command()


def metrics(world: dict[str, Any]) -> dict[str, float | None]:
    """A world's verdict as flat metric names."""
    counts = world["trials"]
    names = ("raw", "effective", "with_series", "failed", "abandoned", "looks", "at_least")
    found: dict[str, float | None] = {f"trials/{name}": counts[name] for name in names}
    for who in ("best", "chosen", "hold"):
        if world.get(who) is not None:
            found |= {f"{who}/{name}": world[who][name] for name in _RETURNS}
    for who, ways in world.get("deflated_sharpe", {}).items():
        for way, deflated in (ways or {}).items():
            found[f"{who}/deflated_sharpe/{way}"] = deflated["probability"]
    pbo = world.get("overfitting")
    if pbo is not None:
        found["pbo"] = pbo["probability"]
        found["degradation_slope"] = pbo["degradation_slope"]
        found["loss_probability"] = pbo["loss_probability"]
    found["validation_test_rank_correlation"] = world["rank_correlation"]
    return found


def _open(tracker: Tracker, family: Family, content: dict[str, Any], parents: list[str]) -> str:
    worlds = content["worlds"]
    tags = {
        "kind": "sweep",
        "verdict_hash": _hash(content),
        "sweep" if family.is_one_sweep else "family": family.name,
        "sweeps": list(family.sweeps),
        "parents": parents,
        "symbol": ", ".join(dict.fromkeys(world["symbol"] for world in worlds)),
        "synthetic": all(world["synthetic"] for world in worlds),
        "verdict": ", ".join(dict.fromkeys(world["finding"] for world in worlds)),
        "mlflow.note.content": content["headline"] + "\n\n" + "\n\n".join(content["paragraphs"]),
    }
    tags |= {f"world.{world['world'][:8]}": world["label"] for world in worlds}
    ids = family.folder / "mlflow.json"
    if ids.is_file():  # a number that no longer exists could not be taken out of the old run
        tracker.set_tags(read_json(ids)["run"], {"kind": "superseded sweep"})
    params = {"worlds": len(worlds), "jobs": len(family.jobs), "name": family.name}
    run = tracker.start_run(f"sweep {family.name}", tags, params)
    if run:
        write_json(ids, {"run": run})
    return run


def _hash(content: dict[str, Any]) -> str:
    """Of everything that was found, wherever and under whatever name the sweep lies."""
    found = {key: value for key, value in content.items() if key not in ("name", "sweeps")}
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


def _parents(family: Family) -> list[str]:
    """MLflow runs of the jobs; those that ran without MLflow have none."""
    found = []
    for job in family.jobs:
        path = job.run.mlflow if job.run is not None else None
        if path is not None and path.is_file():
            found.append(str(read_json(path)["parent"]))
    return found
