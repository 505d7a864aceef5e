"""From the command line: a multirun ends with its verdict, and `task=verdict` gives it again."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from intraday_rl.config import compose_plan
from intraday_rl.entry import main
from intraday_rl.entry import sweep as entry_sweep
from intraday_rl.records import read_json, write_json
from intraday_rl.research import fold_result, walk_forward
from intraday_rl.research.sweep import record
from intraday_rl.tracking.tracker import NullTracker
from tests.research.sweep.conftest import MadeSweep
from tests.research.sweep.test_trials import BANDS, two_folds

SMALL = (
    "tracking=none",
    "parallel.workers=1",
    "windows=auto",
    "windows.train_size=2 months",
    "windows.test_size=1 month",
    "windows.validation_sessions=20",
    "data.start=2018-01-02",
    "data.end=2018-05-31",
)
Command = Callable[..., int]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Carry out a command line in this process; its exit status."""
    monkeypatch.setattr(walk_forward, "write_report", lambda *_: None)
    monkeypatch.setattr(walk_forward, "write_fold_plots", lambda *_: None)
    places = (f"paths.outputs={tmp_path / 'outputs'}", f"paths.state={tmp_path / 'state'}")

    def carry_out(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["run.py", *arguments, *places])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0)

    return carry_out


def verdicts(tmp_path: Path) -> list[tuple[Path, dict[str, Any]]]:
    paths = sorted((tmp_path / "outputs" / "sweeps").glob("*/verdict.json"))
    return [(path.parent, read_json(path)) for path in paths]


@pytest.mark.slow("sweep")
def test_a_multirun_ends_with_its_verdict_and_the_task_gives_it_again(command, tmp_path, capsys):
    sweep = ("-m", "agent=random", "env.action.no_trade_band=0.05,0.3", *SMALL)
    assert command(*sweep) == 0
    ((folder, verdict),) = verdicts(tmp_path)
    (world,) = verdict["worlds"]
    assert world["trials"]["raw"] == 2
    assert {row["name"] for row in world["ranking"]} == {
        "env.action.no_trade_band=0.05", "env.action.no_trade_band=0.3",
    }  # fmt: skip
    shown = capsys.readouterr().out
    assert "ranked by validation" in shown
    assert " ".join(verdict["headline"].split()[:3]) in shown

    assert command("task=verdict", f"task.sweep={folder.name}", "tracking=none") == 0
    assert verdicts(tmp_path) == [(folder, verdict)]
    for source in (f"task.runs=[{','.join(verdict['runs'])}]", "task.sweep='agent=random'"):
        assert command("task=verdict", source, "tracking=none") == 0
    family = next(found for place, found in verdicts(tmp_path) if place != folder)
    assert family["worlds"] == verdict["worlds"]


@pytest.mark.slow("sweep")
def test_a_sweep_with_a_failed_job_counts_it_and_keeps_its_status(command, tmp_path, monkeypatch):
    carry_out = fold_result.fit

    def fail_at_a_wide_band(plan: Any, *rest: Any) -> Any:
        if plan.env.action.no_trade_band == 0.3:
            raise RuntimeError("no convergence")
        return carry_out(plan, *rest)

    monkeypatch.setattr(fold_result, "fit", fail_at_a_wide_band)
    assert command("-m", "agent=hold", "env.action.no_trade_band=0.05,0.3", *SMALL) == 1
    ((folder, verdict),) = verdicts(tmp_path)
    trials = verdict["worlds"][0]["trials"]
    assert (trials["raw"], trials["with_series"], trials["failed"]) == (2, 1, 1)
    assert [job["status"] for job in verdict["not_finished"]] == ["failed"]
    assert "no_trade_band=0.3" in (folder / "report.html").read_text("utf-8")


def test_a_verdict_that_fails_is_one_line_and_hides_no_status(monkeypatch, tmp_path, capsys):
    plan = compose_plan(["agent=hold"])

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(entry_sweep, "run_plan", fail)
    assert entry_sweep._verdict(tmp_path, [plan]) == 1
    assert "no verdict over the sweep: disk full" in capsys.readouterr().err


def test_several_sweeps_of_a_family_are_judged_together(command, make_sweep, tmp_path):
    for number, name in enumerate(("one", "two")):
        sweep = make_sweep(name)
        sweep.finished("agent=hold", BANDS[0], returns=two_folds(0))
        sweep.finished("agent=hold", BANDS[number + 1], returns=two_folds(number + 1))
    assert command("task=verdict", "task.sweep=[one,two]", "tracking=none") == 0
    ((folder, verdict),) = verdicts(tmp_path)
    assert folder.name.startswith("family-")
    assert verdict["sweeps"] == ["one", "two"]
    assert verdict["worlds"][0]["trials"]["raw"] == 3


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("task.sweep=nothing", "is not known"),
        ("task.sweep='reward=unheard'", "no run"),
        ("task.runs=[nothing]", "is not known"),
        ("task.sweep=[]", "name a sweep"),
        ("task.sweep=1.5", "must be a folder"),
    ],
)
def test_a_source_that_does_not_exist_is_refused_by_name(command, source, message, capsys):
    assert command("task=verdict", source, "tracking=none") == 2
    assert message in capsys.readouterr().err


def test_a_sweep_whose_jobs_all_broke_is_said_to_have_no_result(command, make_sweep, capsys):
    make_sweep("broken").broken("agent=hold")
    assert command("task=verdict", "task.sweep=broken", "tracking=none") == 1
    assert "none of its 1 jobs left a run" in capsys.readouterr().err


def test_the_report_needs_no_network_and_escapes_what_it_is_given(command, made: MadeSweep):
    for number in range(3):
        made.finished("agent=hold", BANDS[number], returns=two_folds(number, 0.1), synthetic=True)
    made.broken("agent=hold", BANDS[4])
    outcome = made.folder / "jobs" / "3.json"
    write_json(outcome, {**read_json(outcome), "overrides": ["x=<script>alert(1)</script>"]})
    assert command("task=verdict", "task.sweep=made", "tracking=none") == 0
    html = (made.folder / "report.html").read_text("utf-8")
    own = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"(src|href)=\"(https?:)?//", own)
    assert "&lt;script&gt;alert" in own
    assert "<script>alert" not in own
    plots = re.findall(r'data-plot="plot-([\w-]+)">(.*?)</script>', html)
    assert [key for key, _ in plots] == ["world-1-growth", "world-1-scores", "world-1-logits"]
    logits = json.loads(plots[2][1])["data"]
    assert sum(sum(bar["y"]) for bar in logits) == pytest.approx(100, abs=0.1)
    verdict = read_json(made.folder / "verdict.json")
    pbo = verdict["worlds"][0]["overfitting"]["probability"]
    assert sum(logits[0]["y"]) == pytest.approx(100 * pbo, abs=0.1)
    assert html.index(verdict["headline"]) < html.index("Before you believe")


def test_mlflow_gets_a_run_of_the_sweep_linked_with_its_parents(command, made, monkeypatch):
    parents = []
    for number in range(2):
        key = made.finished("agent=hold", BANDS[number], returns=two_folds(number, 0.1))
        write_json(made.outputs / "runs" / key / "mlflow.json", {"parent": f"parent{number}"})
        parents.append(f"parent{number}")
    tracker = Remembering()
    monkeypatch.setattr(record, "open_tracker", lambda *_: tracker)
    assert command("task=verdict", "task.sweep=made", "tracking=none") == 0
    assert tracker.started["kind"] == "sweep"
    assert tracker.started["parents"] == parents
    assert [tracker.tags[parent] for parent in parents] == [{"sweep": "made"}] * 2
    assert tracker.metrics["trials/raw"] == 2
    assert {"pbo", "degradation_slope", "best/deflated_sharpe/raw"} <= set(tracker.metrics)
    assert tracker.files == ["verdict.json", "report.html"]
    assert command("task=verdict", "task.sweep=made", "tracking=none") == 0
    assert tracker.tags["the sweep"] == {"kind": "superseded sweep"}


class Remembering(NullTracker):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.started: dict[str, object] = {}
        self.tags: dict[str, object] = {}
        self.metrics: dict[str, object] = {}
        self.files: list[str] = []

    def start_run(self, name, tags, params, parent_id=None) -> str:
        self.started = dict(tags)
        self.files.clear()
        return "the sweep"

    def set_tags(self, run_id, tags) -> None:
        self.tags[run_id] = dict(tags)

    def log_metrics(self, run_id, metrics, step=0) -> None:
        self.metrics |= metrics

    def log_artifact(self, run_id, path, folder=None) -> None:
        self.files.append(path.name)
