"""The run in MLflow: one parent per job, one child per fold and seed, every tag on both."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from intraday_rl.loading import Resolved
from intraday_rl.outcome import Context
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder, read_json, write_json
from intraday_rl.research.all_folds import StoppedEarly
from intraday_rl.research.fold_job import FoldJob
from intraday_rl.research.fold_summary import FoldSummary, cost_settings
from intraday_rl.research.registration import register_results
from intraday_rl.saved_plan import SavedPlan
from intraday_rl.tracking.tracker import FoundRun, RunStatus, Tracker, open_tracker
from intraday_rl.trading.ledger import COSTS

logger = logging.getLogger(__name__)

TAGGED_FACTS = (
    "run_key",
    "symbol",
    "benchmark",
    "data_source",
    "synthetic",
    "reconstructed",
    "bar_minutes",
    "reward",
    "agent",
    "windows",
    "fill",
    "fill_is_same_bar",
    "fill_is_effectively_same_bar",
    "git",
    "data_fingerprint",
    "code_hash",
    "world",
    "trial",
)
TEST_METRICS = (
    "sharpe",
    "sharpe_low",
    "sharpe_high",
    "sortino",
    "calmar",
    "cagr",
    "total_return",
    "mean_daily_bps",
    "volatility_annual",
    "skewness",
    "kurtosis_raw",
    "max_drawdown",
    "worst_intraday_drawdown",
    "probabilistic_sharpe",
    "minimum_track_record_sessions",
    "sessions",
)


@dataclass(slots=True)
class Recording:
    """What this job has in the tracking store, whoever wrote it: this process or one before it.

    The store itself says what is there: a run is found by its keys in the tags and continued, so
    that a job which was killed at any moment has each of its runs once.
    """

    plan: Plan
    record: SavedPlan
    tracker: Tracker
    parent: str
    folder: RunFolder
    children: dict[str, str] = field(default_factory=dict)  # "<window>/seed=<n>" -> run id

    @classmethod
    def start(
        cls,
        plan: Plan,
        context: Context,
        folder: RunFolder,
        facts: dict[str, Any],
        jobs: list[FoldJob],
        resolved: Resolved,
    ) -> Recording:
        """Open, or continue, the parent and a child for every fold and seed."""
        record = context.record
        tracker = open_tracker(plan.tracking, Path(plan.paths.outputs))
        tags = {"kind": "parent", **run_tags(plan, record, facts), **context.tags}
        with one_at_a_time(folder):
            found = _continued(tracker, folder.key, anew=plan.force)
            if found is not None:
                parent = found.run_id
                tracker.add_params(found, run_params(record))
            else:
                kinds = record.kinds
                name = f"{plan.symbol} {kinds['agent']} {kinds['reward']} {folder.key[:8]}"
                parent = tracker.start_run(name, tags, run_params(record))
                _log_data(tracker, parent, resolved, facts)
            recording = cls(plan, record, tracker, parent, folder)
            with recording.closed_whatever_happens():
                recording._open_children(jobs, tags, record, context)
        return recording

    def _open_children(
        self, jobs: list[FoldJob], tags: dict[str, str], record: SavedPlan, context: Context
    ) -> None:
        tracker = self.tracker
        known = {run.tags.get("fold_key"): run for run in self._runs_of_children()}
        for job in jobs:
            own = {"window": job.window.name, "seed": job.seed}
            params = {**run_params(record), **own}
            if job.key in known:
                child = known[job.key].run_id
                tracker.add_params(known[job.key], params)
            else:
                child = tracker.start_run(
                    f"{job.window.name} seed {job.seed}",
                    {**tags, "kind": "fold", **own, "fold_key": job.key},
                    params,
                    parent_id=self.parent,
                )
            self.children[f"{job.window.name}/seed={job.seed}"] = child
        self._resume_unfinished()
        for run_id in (self.parent, *self.children.values()) if context.tags else ():
            tracker.set_tags(run_id, context.tags)
        if self.parent:
            write_json(self.folder.mlflow, {"parent": self.parent, "children": self.children})

    def _seed(self, window: str, result: dict[str, Any], verdict: str) -> None:
        """One child: curves, metrics, files, model; then it is closed. Once, however often."""
        child = self.children[f"{window}/seed={result['seed']}"]
        fold_folder = self.folder.fold(window)
        seed_folder = fold_folder.seed(result["seed"])
        if result["status"] != "finished":
            self.tracker.set_tags(child, {"verdict": "failed", "error": result["error"]})
            if seed_folder.error.is_file():
                self.tracker.log_artifact(child, seed_folder.error)
            self.tracker.finish(child, "FAILED")
            return
        self._numbers(child, result, verdict, written_ms=_written_ms(seed_folder.result))
        if seed_folder.reused_from.is_file():
            origin = read_json(seed_folder.reused_from)["run_key"]
            self.tracker.set_tags(child, {"reused_from": origin})
        for path in (fold_folder.window, seed_folder.ledger, seed_folder.evaluation_log):
            if path.is_file():
                self.tracker.log_artifact(child, path)
        for plot in sorted(fold_folder.path.glob("*.png")):
            self.tracker.log_artifact(child, plot, "plots")
        schema = read_json(seed_folder.bundle / "schema.json")
        self.tracker.log_model(child, seed_folder.bundle, schema["observation_names"])
        self.tracker.finish(child)

    def finish(
        self,
        results: Mapping[str, list[dict[str, Any]]],
        folds: Sequence[FoldSummary],
        verdict: dict[str, Any],
    ) -> None:
        """Write what is not there yet, children first; the folder's files must be complete."""
        finished = {run.run_id for run in self._runs_of_children() if run.status == "FINISHED"}
        of_window = {fold.window.name: fold.verdict.value for fold in folds}
        for window, of_seeds in results.items():
            for result in of_seeds:
                if self.children[f"{window}/seed={result['seed']}"] not in finished:
                    self._seed(window, result, of_window.get(window, verdict["verdict"]))
        register_results(self.plan, self.record, self.tracker, self.folder, self.children, results)
        self._finish_parent(folds, verdict)

    def _finish_parent(self, folds: Sequence[FoldSummary], verdict: dict[str, Any]) -> None:
        """Close the parent with the stitched result, the report and the plan."""
        tracker, parent, folder = self.tracker, self.parent, self.folder
        metrics: dict[str, float | None] = {
            "validation/first_score": verdict["first_validation_score"]
        }
        for fold in folds:
            metrics |= _fold_metrics(fold)
        if "as_traded" in verdict:
            metrics |= {f"test/{k}": verdict["as_traded"].get(k) for k in TEST_METRICS}
            metrics["test/hold_sharpe"] = verdict["hold"]["sharpe"]
            metrics["test/against_hold_daily_low"] = verdict["against_hold_daily"]["low"]
        results = folder.path.glob("folds/*/seed=*/result.json")
        latest = max((_written_ms(path) for path in results), default=None)
        tracker.log_metrics(parent, metrics, written_ms=latest)
        tracker.set_tags(parent, {"verdict": verdict["verdict"]})
        files = (folder.plan, folder.command, folder.data, folder.verdict, folder.report)
        for path in (*files, folder.stitched_ledger):
            if path.is_file():
                tracker.log_artifact(parent, path)
        for plot in sorted(folder.path.glob("folds/*/*.png")):
            tracker.log_artifact(parent, plot, f"plots/{plot.parent.name}")
        tracker.finish(parent, "FAILED" if verdict["folds_failed"] else "FINISHED")

    @contextmanager
    def closed_whatever_happens(self) -> Iterator[None]:
        """Around everything after `start`: no run is left RUNNING by a process that ends itself."""
        try:
            yield
        except BaseException as error:
            try:
                self._close(error)
            except Exception as second:  # such as the full disk that ended the job
                logger.warning("MLflow runs of %s stay open: %s", self.folder.key, second)
            raise

    def _close(self, error: BaseException) -> None:
        expected = isinstance(error, KeyboardInterrupt | StoppedEarly)
        status: RunStatus = "KILLED" if expected else "FAILED"
        parents = self.tracker.find_runs({"run_key": self.folder.key, "kind": "parent"})
        own = [run for run in parents if run.run_id == self.parent]
        for run in (*self._runs_of_children(), *own):
            if run.status != "RUNNING":
                continue
            if isinstance(error, StoppedEarly):
                self.tracker.set_tags(run.run_id, {"verdict": "stopped_early"})
            self.tracker.finish(run.run_id, status)

    def ui_command(self) -> str:
        """How to look at the runs."""
        return self.tracker.ui_command()

    def _runs_of_children(self) -> list[FoundRun]:
        return self.tracker.find_runs({"mlflow.parentRunId": self.parent}) if self.parent else []

    def _resume_unfinished(self) -> None:
        for run in self._runs_of_children():
            if run.status not in ("FINISHED", "RUNNING"):
                self.tracker.resume(run.run_id)

    def _numbers(self, child: str, result: dict[str, Any], verdict: str, written_ms: int) -> None:
        tracker = self.tracker
        for name in ("actor_loss", "critic_loss", "ent_coef"):
            points = [(step, value) for step, curve, value in result["curve"] if curve == name]
            tracker.log_curve(child, f"train/{name}", points, written_ms=written_ms)
        looks = [(look["step"], look["sharpe"]) for look in result["checkpoints"]]
        tracker.log_curve(child, "validation/first_half_sharpe", looks, written_ms=written_ms)
        metrics: dict[str, float | None] = {"validation/score": result["validation_score"]}
        if result["abstention"]:
            metrics["validation/t_value"] = result["abstention"]["t_value"]
        if "test" in result:
            metrics |= test_metrics(result["test"])
        tracker.log_metrics(child, metrics, written_ms=written_ms)
        tags = {"verdict": verdict, "abstained": result["abstained"]}
        tracker.set_tags(child, tags)


def one_at_a_time(folder: RunFolder) -> FileLock:
    """Hold it while writing what belongs to the job as a whole: shells may run the same job."""
    folder.path.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.lock)


def _continued(tracker: Tracker, key: str, *, anew: bool) -> FoundRun | None:
    """The parent of an earlier start of this job; what else was left open is closed."""
    found = tracker.find_runs({"run_key": key, "kind": "parent"})
    kept = None if anew or not found else found[0]
    for run in found:
        if run is not kept and run.status == "RUNNING":
            tracker.finish(run.run_id, "KILLED")
    if kept is not None and kept.status not in ("RUNNING", "FINISHED"):
        tracker.resume(kept.run_id)
    return kept


def _written_ms(result: Path) -> int:
    """When the result was written: the time of its numbers, however often they are recorded."""
    return result.stat().st_mtime_ns // 1_000_000


def run_params(record: SavedPlan) -> dict[str, Any]:
    """The plan's values with the kinds of its parts; parts without options have no values."""
    values = {key: value for key, value in record.values.items() if value != {}}
    return {"kind": record.kinds, **values}


def run_tags(plan: Plan, record: SavedPlan, facts: dict[str, Any]) -> dict[str, str]:
    """Tags of parent and children alike: the UI pages children away from their parent."""
    tags = {name: str(facts[name]) for name in TAGGED_FACTS}
    for component, parameters in cost_settings(plan).items():
        tags |= {f"{component}.{key}": str(value) for key, value in parameters.items()}
    cutoff = record.values["env"]["cutoff"]
    tags["cutoff"] = f"{cutoff['latest_time']} or {cutoff['minutes_before_close']} min before close"
    return tags


def test_metrics(test: dict[str, Any]) -> dict[str, float | None]:
    """One seed's test as flat metric names."""
    metrics: dict[str, float | None] = {f"test/{name}": test[name] for name in TEST_METRICS}
    trades, costs, exits = test["trades"], test["costs"], test["exits"]
    numbers = {k: v for k, v in trades.items() if isinstance(v, int | float) or v is None}
    metrics |= {f"test/trades/{name}": value for name, value in numbers.items()}
    metrics |= {f"cost/{name}_usd": costs[name] for name in (*COSTS, "total")}
    metrics["cost/bps_of_turnover"] = costs["bps_of_turnover"]
    metrics["exit/forced"] = exits["forced"]
    metrics["exit/with_position"] = exits["with_position"]
    metrics["exit/flat_at_every_close"] = float(exits["flat_at_every_close"])
    for time, count in exits["by_new_york_time"].items():
        metrics[f"exit/at_{time.replace(':', '')}"] = count
    metrics["test/random_null_p"] = test["random_null"]["p_value"]
    metrics["reward/mean"] = test["reward"]["mean"]
    metrics["reward/floored_share"] = test["reward"]["floored_share"]
    metrics["reward/clipped_share"] = test["reward"]["clipped_share"]
    return metrics


def _fold_metrics(summary: FoldSummary) -> dict[str, float | None]:
    name = summary.window.name
    content = summary.content
    metrics: dict[str, float | None] = {
        f"fold/{name}/validation_score": content["validation_score"],
        f"fold/{name}/hold_sharpe": content["baselines"]["hold"]["sharpe"],
    }
    if content["test"]:
        traded = content["test"]["as_traded"]
        for key in ("sharpe", "sharpe_low", "sharpe_high", "total_return"):
            metrics[f"fold/{name}/{key}"] = traded[key]
        metrics |= {f"cost/{key}_usd": content["costs"][key] for key in (*COSTS, "total")}
    return metrics


def _log_data(tracker: Tracker, run: str, resolved: Resolved, facts: dict[str, Any]) -> None:
    market = resolved.market
    frame = market.symbol.frame
    tracker.log_dataset(
        run,
        name=f"{facts['symbol']}_{facts['bar_minutes']}min",
        digest=facts["data_fingerprint"][:36],
        source={"source": market.source, "synthetic": market.synthetic},
        schema={str(name): str(dtype) for name, dtype in frame.dtypes.items()},
        profile={"bars": len(frame), "sessions": len(market.symbol.session_index())},
    )
