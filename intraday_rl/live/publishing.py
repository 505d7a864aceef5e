"""A session's result where people look: below `paths.outputs`, and in MLflow."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from intraday_rl.live.calibration import Calibration
from intraday_rl.live.report import render
from intraday_rl.live.setting import CONTENT, LEDGER, Setting
from intraday_rl.records import write_json, write_text
from intraday_rl.tasks import BrokerKind
from intraday_rl.tracking.tracker import open_tracker
from intraday_rl.trading.ledger import read_ledger

KIND = "session"


def publish(setting: Setting, content: Mapping[str, Any], journal: Path) -> None:
    """Files, then the run; a second time changes nothing."""
    outputs = setting.outputs
    outputs.mkdir(parents=True, exist_ok=True)
    ledger = setting.folder / LEDGER
    if setting.folder != outputs:
        for file in (ledger, journal):
            if file.is_file():
                shutil.copyfile(file, outputs / file.name)
        write_json(outputs / CONTENT, content)
    frame = read_ledger(ledger) if ledger.is_file() else None
    write_text(outputs / "report.html", render(content, frame))
    if setting.task.agent is None:
        return
    if setting.task.broker is not BrokerKind.paper:
        _propose_slippage(setting)
    _record(setting, content)


def _propose_slippage(setting: Setting) -> None:
    """From all sessions of the agent whose fills were a broker's own."""
    files = sorted(setting.folder.parent.glob(f"*/{LEDGER}"))
    calibration = Calibration.of([read_ledger(file) for file in files])
    proposal = calibration.yaml(str(setting.task.agent))
    if proposal is not None:
        write_text(setting.outputs / "calibrated.yaml", proposal)


def _record(setting: Setting, content: Mapping[str, Any]) -> None:
    plan, agent = setting.plan, setting.task.agent
    tracker = open_tracker(plan.tracking, Path(plan.paths.outputs))
    key = f"{agent}/{content['day']}"
    if tracker.find_runs({"kind": KIND, "session_key": key, "outcome": "closed"}):
        return
    left = tracker.find_runs({"kind": KIND, "session_key": key})
    tags = {
        "kind": KIND,
        "session_key": key,
        "agent_name": agent,
        "session": content["day"],
        **{name: content[name] for name in ("symbol", "feed", "broker", "in_sample")},
        **{name: content[name] for name in ("abstained", "synthetic", "reconstructed")},
        "model_name": content["model"]["name"],
        "model_version": content["model"]["version"],
        "exit_reason": content["exit"]["reason"],
    }
    params = {"model": content["model"], "broker": content["broker"], "feed": content["feed"]}
    name = f"session {agent} {content['day']}"
    run_id = left[0].run_id if left else tracker.start_run(name, tags, params)
    tracker.log_metrics(run_id, _metrics(content))
    for file in sorted(setting.outputs.iterdir()):
        tracker.log_artifact(run_id, file)
    tracker.set_tags(run_id, {"outcome": "closed"})
    tracker.finish(run_id)


def _metrics(content: Mapping[str, Any]) -> dict[str, float | None]:
    costs, slippage = content["costs_usd"], content["slippage"]
    return {
        "session/net_return_bps": content["net_return_bps"],
        "session/equity_after": content["equity_after"],
        "session/turnover_usd": content["turnover_usd"],
        "session/decisions": float(content["decisions"]),
        "session/skipped": float(sum(content["skipped"].values())),
        "session/orders": float(content["orders"]["sent"]),
        "session/exit_seconds_after_due": content["exit"]["seconds_after_due"],
        "session/slippage_realised_bps": slippage["realised_bps"],
        "session/slippage_model_bps": slippage["model_bps"],
        **{f"session/cost_{name}_usd": value for name, value in costs.items()},
    }
