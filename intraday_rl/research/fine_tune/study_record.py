"""What a study says on the terminal and leaves in MLflow."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from intraday_rl.outcome import Context
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder, write_json
from intraday_rl.research.fine_tune.shown import console_of
from intraday_rl.tracking.tracker import open_tracker

KIND = "fine_tune_study"
SAID = {
    "helped": "fine-tuning helped: the whole interval lies above zero",
    "hurt": "fine-tuning hurt: the whole interval lies below zero",
    "not_proven": "fine-tuning made no difference that could be told from luck",
    "never_adapted": "no challenger passed the gate: both accounts are the same",
}
TAGS = (
    "run_key", "symbol", "benchmark", "data_source", "synthetic", "reconstructed", "bar_minutes",
    "agent", "reward", "fill", "data_fingerprint", "code_hash", "git", "finding",
)  # fmt: skip


def print_study(run: RunFolder, content: dict[str, Any]) -> None:
    """The finding, its interval, and how the gate decided."""
    console, one, test = console_of(), content["difference"], content["test"]

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False, highlight=False)

    for name, numbers in content["metrics"].items():
        ratio = "none" if numbers["sharpe"] is None else f"{numbers['sharpe']:.2f}"
        say(
            f"{name}: {numbers['mean_daily_bps']:+.2f} bps a day after costs, Sharpe {ratio}, "
            f"{numbers['round_trips']} round trips, {numbers['costs_usd']:.0f} USD of costs"
        )
    bounds = "no interval"
    if one["low_bps"] is not None:
        percent = f"{one['confidence']:.0%}"
        bounds = f"{percent} interval {one['low_bps']:+.2f} to {one['high_bps']:+.2f}"
    span = f"{test['first_session']} to {test['last_session']}, {test['sessions']} sessions"
    say(f"adapted - frozen: {one['mean_bps']:+.2f} bps a day, {bounds}; {span}")
    reasons = Counter(each["reason"] for each in content["rounds"])
    say("gate: " + ", ".join(f"{name} {count}" for name, count in reasons.most_common()))
    say(SAID[content["finding"]])
    say(str(run.study))


def record_study(plan: Plan, context: Context, run: RunFolder, content: dict[str, Any]) -> None:
    """One MLflow run; the same study again adds to it."""
    tracker = open_tracker(plan.tracking, Path(plan.paths.outputs))
    found = tracker.find_runs({"run_key": run.key, "kind": KIND})
    tags = {**{name: content[name] for name in TAGS}, "kind": KIND, **context.tags}
    run_id = found[0].run_id if found else tracker.start_run(
        f"{plan.symbol} fine-tune study {run.key[:8]}",
        tags,
        {"task": content["options"], "parent": content["parent"]},
    )  # fmt: skip
    if run_id:
        write_json(run.mlflow, {"parent": run_id, "children": {}})
    metrics = {f"difference/{name}": content["difference"][f"{name}_bps"]
               for name in ("mean", "low", "high")}  # fmt: skip
    for account, numbers in content["metrics"].items():
        for name, value in numbers.items():
            metrics[f"{account}/{name}"] = None if value is None else float(value)
    written = run.study.stat().st_mtime_ns // 1_000_000
    tracker.log_metrics(run_id, metrics, written_ms=written)
    tracker.set_tags(run_id, tags)
    picture = run.study.with_suffix(".png")
    for path in (run.study, picture, run.plan, run.command, *sorted(run.path.glob("*.parquet"))):
        tracker.log_artifact(run_id, path)
    tracker.finish(run_id)
