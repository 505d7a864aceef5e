"""The run in MLflow: one parent per job, one child per fold and seed, every tag on both."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intraday_rl.loading import Resolved
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder, read_json, write_json
from intraday_rl.research.fold_job import FoldJob
from intraday_rl.research.fold_summary import FoldSummary, cost_settings
from intraday_rl.saved_plan import SavedPlan
from intraday_rl.tracking.tracker import Tracker, open_tracker
from intraday_rl.trading.ledger import COSTS

RUN_IDS = "mlflow.json"
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
    """What has been opened in the tracking store for this job."""

    tracker: Tracker
    log_models: bool
    tags: dict[str, str]
    parent: str
    ids: Path
    children: dict[str, str] = field(default_factory=dict)  # "<window>/seed=<n>" -> run id
    closed: list[str] = field(default_factory=list)  # children whose numbers are already there

    @classmethod
    def start(
        cls,
        plan: Plan,
        record: SavedPlan,
        folder: RunFolder,
        facts: dict[str, Any],
        jobs: list[FoldJob],
        resolved: Resolved,
    ) -> Recording:
        """Open, or continue, the parent and a child for every fold and seed."""
        tracker = open_tracker(plan.tracking, Path(plan.paths.outputs))
        tags = {"kind": "parent", **run_tags(plan, record, facts)}
        known = {} if plan.force else _known_ids(folder)
        children: dict[str, str] = known.get("children", {})
        parent: str = known.get("parent", "")
        if parent:
            tracker.resume(parent)
        else:
            name = (
                f"{plan.symbol} {record.kinds['agent']} {record.kinds['reward']} {folder.key[:8]}"
            )
            parent = tracker.start_run(name, tags, run_params(record))
            _log_data(tracker, parent, resolved, facts)
        log_models = getattr(plan.tracking, "log_models", False)
        recording = cls(
            tracker, log_models, tags, parent, folder.path / RUN_IDS, {}, known.get("closed", [])
        )
        for job in jobs:
            place = f"{job.window.name}/seed={job.seed}"
            child = children.get(place, "")
            if not child:
                child = tracker.start_run(
                    f"{job.window.name} seed {job.seed}",
                    {**tags, "kind": "fold", "window": job.window.name, "seed": job.seed,
                     "fold_key": job.key},
                    {**run_params(record), "window": job.window.name, "seed": job.seed},
                    parent_id=parent,
                )  # fmt: skip
            recording.children[place] = child
        recording._remember()
        return recording

    def fold(self, folder: RunFolder, summary: FoldSummary, results: list[dict[str, Any]]) -> None:
        """Everything of a fold: a child per seed, the fold's own numbers on the parent."""
        for result in results:
            self.seed(folder, summary.window.name, result, summary.verdict.value)
        self.tracker.log_metrics(self.parent, _fold_metrics(summary))

    def seed(self, folder: RunFolder, window: str, result: dict[str, Any], verdict: str) -> None:
        """One child: curves, metrics, files, model; then it is closed."""
        place = f"{window}/seed={result['seed']}"
        if place in self.closed:
            return  # a curve logged twice would show twice
        child = self.children[place]
        fold_folder = folder.fold(window)
        seed_folder = fold_folder.seed(result["seed"])
        if result["status"] != "finished":
            self.tracker.set_tags(child, {"verdict": "failed", "error": result["error"]})
            if seed_folder.error.is_file():
                self.tracker.log_artifact(child, seed_folder.error)
            self.tracker.finish(child, "FAILED")
            return
        self._numbers(child, result, verdict)
        for path in (fold_folder.window, seed_folder.ledger, seed_folder.evaluation_log):
            if path.is_file():
                self.tracker.log_artifact(child, path)
        for plot in sorted(fold_folder.path.glob("*.png")):
            self.tracker.log_artifact(child, plot, "plots")
        if self.log_models:
            schema = json.loads((seed_folder.bundle / "schema.json").read_text("utf-8"))
            self.tracker.log_model(child, seed_folder.bundle, schema["observation_names"])
        self.tracker.finish(child)
        self.closed.append(place)
        self._remember()

    def finish(self, folder: RunFolder, verdict: dict[str, Any], failed: bool) -> None:
        """Close the parent with the stitched result, the report and the plan."""
        tracker, parent = self.tracker, self.parent
        if "as_traded" in verdict:
            metrics = {f"test/{k}": verdict["as_traded"].get(k) for k in TEST_METRICS}
            metrics["test/hold_sharpe"] = verdict["hold"]["sharpe"]
            metrics["test/against_hold_daily_low"] = verdict["against_hold_daily"]["low"]
            tracker.log_metrics(parent, metrics)
        tracker.log_metrics(parent, {"validation/first_score": verdict["first_validation_score"]})
        tracker.set_tags(parent, {"verdict": verdict["verdict"]})
        files = (folder.plan, folder.command, folder.data, folder.verdict, folder.report)
        for path in (*files, folder.stitched_ledger):
            if path.is_file():
                tracker.log_artifact(parent, path)
        for plot in sorted(folder.path.glob("folds/*/*.png")):
            tracker.log_artifact(parent, plot, f"plots/{plot.parent.name}")
        tracker.finish(parent, "FAILED" if failed else "FINISHED")

    def _remember(self) -> None:
        if self.parent:
            content = {"parent": self.parent, "children": self.children, "closed": self.closed}
            write_json(self.ids, content)

    def ui_command(self) -> str:
        """How to look at the runs."""
        return self.tracker.ui_command()

    def _numbers(self, child: str, result: dict[str, Any], verdict: str) -> None:
        tracker = self.tracker
        for name in ("actor_loss", "critic_loss", "ent_coef"):
            points = [(step, value) for step, curve, value in result["curve"] if curve == name]
            tracker.log_curve(child, f"train/{name}", points)
        looks = [(look["step"], look["sharpe"]) for look in result["checkpoints"]]
        tracker.log_curve(child, "validation/first_half_sharpe", looks)
        metrics: dict[str, float | None] = {"validation/score": result["validation_score"]}
        if result["abstention"]:
            metrics["validation/t_value"] = result["abstention"]["t_value"]
        if "test" in result:
            metrics |= test_metrics(result["test"])
        tracker.log_metrics(child, metrics)
        tags = {"verdict": verdict, "abstained": result["abstained"]}
        tracker.set_tags(child, tags)


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


def _known_ids(folder: RunFolder) -> dict[str, Any]:
    path = folder.path / RUN_IDS
    return read_json(path) if path.is_file() else {}
