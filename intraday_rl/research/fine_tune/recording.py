"""The fine-tune in MLflow: one run of its own, linked to the version it came from."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from intraday_rl.outcome import Context
from intraday_rl.plan import Plan
from intraday_rl.records import read_json, write_json
from intraday_rl.research.fine_tune.checks import Prepared
from intraday_rl.research.fine_tune.gate import Decision
from intraday_rl.research.fine_tune.job import Job
from intraday_rl.research.fine_tune.lineage import facts_of, lineage_of, options_described
from intraday_rl.research.registration import obstacle, version_tags
from intraday_rl.saved_plan import SavedPlan
from intraday_rl.tracking.registry_file import PENDING
from intraday_rl.tracking.tracker import RunStatus, Tracker, open_tracker

logger = logging.getLogger(__name__)

KIND = "fine_tune"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the store has of this fine-tune; found by its key, so that a killed one is continued."""

    plan: Plan
    tracker: Tracker
    run_id: str

    @classmethod
    def start(cls, plan: Plan, context: Context, prepared: Prepared, job: Job) -> Recorded:
        """Open the run, or the one that an earlier start of the same command left."""
        tracker = open_tracker(plan.tracking, Path(plan.paths.outputs))
        found = tracker.find_runs({"run_key": job.run.key, "kind": KIND})
        if found:
            run_id = found[0].run_id
            if found[0].status not in ("RUNNING", "FINISHED"):
                tracker.resume(run_id)
        else:
            facts, lineage = facts_of(prepared, job.run.key), lineage_of(prepared)
            tags = {
                **facts,
                "kind": KIND,
                "fold_key": job.key,
                "window": job.name,
                "seed": job.seed,
                **{f"parent_{name}": lineage[name] for name in ("name", "version", "run_key")},
                "parent_fold_key": lineage["fold_key"],
                "parent_bundle": str(prepared.parent.bundle.folder),
                **context.tags,
            }
            params = {"task": options_described(plan.task), "parent": lineage}
            name = f"{plan.symbol} fine-tune {job.name}"
            run_id = tracker.start_run(name, tags, params)
        if run_id:
            write_json(job.run.mlflow, {"parent": run_id, "children": {}})
        return cls(plan, tracker, run_id)

    def register(self, prepared: Prepared, job: Job, decision: Decision) -> dict[str, Any]:
        """The challenger as a version, whatever the gate found; what the document says of it.

        Until `close` it is pending, so that after a kill `latest` still means the model that this
        fine-tune began with, and the same command goes on.
        """
        why_not = obstacle(self.plan)
        content: dict[str, Any] = {
            "name": None,
            "version": None,
            "alias": "champion",
            "alias_moved": False,
            "not_registered": why_not,
        }
        if why_not is not None:
            logger.info("not registered: %s", why_not)
            return content
        bundle = job.folder.bundle
        names = read_json(bundle / "schema.json")["observation_names"]
        model = self.tracker.log_model(self.run_id, bundle, names)
        tags = version_tags(
            self.plan, _own_record(prepared), _facts(prepared, job), bundle, KIND,
            parent=_shown_parent(prepared), outcome=PENDING,
        )  # fmt: skip
        name, version = self.tracker.register_bundle(self.run_id, model, bundle, tags)
        return {**content, "name": name, "version": version, "alias_moved": decision.promoted}

    def finish(self, job: Job, result: dict[str, Any], content: dict[str, Any]) -> None:
        """Metrics before and after, drift, files; then the run is closed."""
        tracker, run_id = self.tracker, self.run_id
        written = job.folder.result.stat().st_mtime_ns // 1_000_000
        tracker.log_metrics(run_id, _metrics(result, content), written_ms=written)
        for name in sorted({curve for _, curve, _ in result["curve"]}):
            points = [(step, value) for step, curve, value in result["curve"] if curve == name]
            tracker.log_curve(run_id, f"train/{name}", points, written_ms=written)
        tracker.set_tags(run_id, {"outcome": content["outcome"], "gate": content["gate"]["reason"]})
        files = (job.run.fine_tune, job.run.plan, job.run.command, job.folder.ledger)
        plot = job.run.path / "drift.png"
        for path in (*files, job.folder.parent_ledger, job.folder.refill_ledger, plot):
            if path.is_file():
                tracker.log_artifact(run_id, path)
        tracker.finish(run_id)

    def promote(self, registry: dict[str, Any], decision: Decision) -> bool:
        """Move the alias, after everything it rests on; whether it moved now."""
        if not registry["alias_moved"]:
            return False
        reason = f"fine-tune: {decision.reason.value}"
        moved = self.tracker.set_alias(registry["name"], registry["version"], reason)
        return moved is not None

    def close(self, content: dict[str, Any]) -> None:
        """Mark the version with what became of it, last of all."""
        registry = content["registry"]
        if registry["version"] is not None:
            marks = {"outcome": content["outcome"], "gate": content["gate"]["reason"]}
            self.tracker.mark_version(registry["name"], registry["version"], marks)

    @contextmanager
    def closed_whatever_happens(self) -> Iterator[None]:
        """No run is left RUNNING by a process that ends itself."""
        try:
            yield
        except BaseException as error:
            status: RunStatus = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
            try:
                self.tracker.finish(self.run_id, status)
            except Exception as second:  # such as the full disk that ended the job
                logger.warning("the MLflow run stays open: %s", second)
            raise


def _own_record(prepared: Prepared) -> SavedPlan:
    """The model's own plan as written down: its kinds, its costs."""
    text = prepared.parent.bundle.plan_yaml
    values = yaml.safe_load(text)
    return SavedPlan(values.pop("kinds"), values, text)


def _facts(prepared: Prepared, job: Job) -> dict[str, Any]:
    days = prepared.dataset.market.symbol.session_index()
    bars = {"data_first": str(days[0].date()), "data_last": str(days[-1].date())}
    return {**facts_of(prepared, job.run.key), **bars}


def _shown_parent(prepared: Prepared) -> str:
    chosen = prepared.parent.chosen
    return f"{chosen.name}:{chosen.version}" if chosen.name else str(chosen.bundle)


def _metrics(result: dict[str, Any], content: dict[str, Any]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for span, policies in result["metrics"].items():
        for policy, numbers in policies.items():
            named = "before" if policy == "parent" else "after"
            for name, value in numbers.items():
                found[f"{span}/{named}/{name}"] = None if value is None else float(value)
    for one in content["gate"]["comparisons"]:
        for name in ("mean_bps", "low_bps", "high_bps"):
            found[f"gate/{one['opponent']}/{name}"] = one[name]
    for one in result["drift"]:
        found |= {f"drift/psi/{one['name']}": one["psi"], f"drift/ks/{one['name']}": one["ks"]}
    for name in ("decisions_before", "decisions_after", "refilled"):
        found[f"train/{name}"] = float(result["training"][name])
    return found
