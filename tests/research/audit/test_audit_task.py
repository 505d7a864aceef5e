"""A finished run is audited: silent when nothing looks ahead, exit 1 with a name when it does."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from intraday_rl.config import compose_plan, reload, saved
from intraday_rl.errors import ConfigError, DataError
from intraday_rl.loading import load_market
from intraday_rl.market import features
from intraday_rl.outcome import Context
from intraday_rl.records import RunFolder, read_json, write_json
from intraday_rl.research.audit import task
from intraday_rl.research.audit.findings import Findings
from intraday_rl.research.audit.knowledge import STAGES
from intraday_rl.research.audit.playback import open_market
from intraday_rl.research.audit.sample import sample_times

from .conftest import audited


def carried_out(folder, *overrides):
    plan = compose_plan(
        ["task=audit", f"task.run={folder.path}", "task.samples=2", "tracking=none", *overrides]
    )
    return task.run(plan, Context(saved(plan), [], reload))


@pytest.mark.slow("audit")
def test_a_clean_run_passes_and_says_what_was_compared(clean, capsys):
    outcome = carried_out(clean)
    assert outcome.code == 0
    content = read_json(clean.path / "audit" / "audit.json")
    assert content["verdict"] == "passed"
    assert content["findings"] == []
    assert all(content["stages"][stage]["asked"] > 0 for stage in STAGES)
    asked = {name for name, books in content["probes"].items() if books["asked"] > 0}
    assert asked == {
        "price of the fill",
        "price of the exit",
        "close of the bar",
        "bar of the benchmark",
    }
    shown = capsys.readouterr().out
    assert "passed" in shown
    assert "look-ahead audit" in shown


@pytest.mark.slow("audit")
def test_another_seed_and_more_samples_look_at_other_times(clean):
    def times(*overrides):
        carried_out(clean, *overrides)
        return read_json(clean.path / "audit" / "audit.json")["times"]

    few, others, more = times(), times("task.seed=1"), times("task.samples=3")
    assert few == times()
    assert few != others
    assert len(few) == len(others) < len(more)


def test_half_days_and_clock_changes_are_among_the_times(clean):
    times = audited(clean, samples=1).times
    special = {(one["time"], one["why"]) for one in times if one["why"] != "random"}
    assert special == {
        ("2021-11-08 09:45 New York", "clocks changed"),
        ("2021-11-26 12:30 New York", "half day"),
        ("2021-11-26 12:45 New York", "half day"),
    }
    assert {one["split"] for one in times} == {"validation_first", "validation_second", "test"}


def test_a_seed_repeats_its_times_and_another_asks_elsewhere(clean):
    plan = reload(clean.plan.read_text("utf-8"))
    dataset = open_market(plan, load_market(plan))
    sessions = np.arange(20, 60)
    first, again, other = (
        sample_times(dataset, sessions, 5, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert first == again != other
    assert sum(time.why == "random" for time in first) == 5


@pytest.mark.slow("audit")
@pytest.mark.parametrize(
    "overrides",
    [
        ["env.fill=next_close", "env/action=long_flat", "env/financing=accrual"],
        ["env.fill=close", "reward=downside", "agent=random", "seeds=[3,4]"],
        ["env.cutoff.latest_time='14:00'", "reward=log_return", "features=minimal", "agent=flat"],
    ],
    ids=lambda overrides: " ".join(overrides),
)
def test_every_configuration_is_clean(month, overrides):
    audit = audited(month(*overrides), samples=1)
    assert audit.findings.in_order() == []


@pytest.mark.slow("audit")
def test_a_learned_agent_is_clean_fold_by_fold(learned):
    _, folder = learned
    audit = audited(folder, samples=1)
    assert audit.findings.in_order() == []
    assert audit.findings.checks["choice rule"].asked == 2
    assert audit.players == ["seed 0", "reader of every number"]


@pytest.mark.slow("audit")
def test_holes_of_symbol_and_benchmark_are_asked_about(month, holed):
    audit = audited(month(*holed))
    assert audit.findings.in_order() == []
    assert {one["why"] for one in audit.times} >= {
        "before a missing bar",
        "without a benchmark bar",
    }


@pytest.mark.slow("audit")
def test_a_failed_audit_ends_with_one_and_names_stage_time_and_values(month, monkeypatch, capsys):
    honest = features.indicators.session_vwap

    def peeking(series, volume, rows):
        last = rows.start[rows.session] + 2
        return honest(series, volume, rows) * (series.close[last] / series.open[last])

    monkeypatch.setattr(features.indicators, "session_vwap", peeking)
    folder = month()
    assert carried_out(folder).code == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "features, session_anchor_vwap: its value of 2021-" in shown
    assert "New York, at the close" in shown
    first = json.loads((folder.path / "audit" / "audit.json").read_text())["findings"][0]
    assert first["before"] != first["after"]
    assert first["count"] > 0


def test_the_verdict_is_tagged_on_parent_and_children(clean, monkeypatch):
    class Kept:
        def __init__(self):
            self.tags, self.artifacts = {}, []

        def set_tags(self, run_id, tags):
            self.tags[run_id] = tags

        def log_artifacts(self, run_id, path, folder):
            self.artifacts.append((run_id, path.name, folder))

    kept = Kept()
    monkeypatch.setattr(task, "open_tracker", lambda *_: kept)
    monkeypatch.setattr(task, "audit", lambda *_: task.Audited(Findings(), [], [], []))
    ids = clean.path / "mlflow.json"
    write_json(ids, {"parent": "p", "children": {"w/seed=0": "c"}})
    try:
        carried_out(clean)
    finally:
        ids.unlink()
    assert kept.tags == {"p": {"audit": "passed"}, "c": {"audit": "passed"}}
    assert kept.artifacts == [("p", "audit", "audit")]


def test_an_unfinished_run_is_refused(clean, tmp_path):
    folder = RunFolder(tmp_path / clean.key)
    shutil.copytree(clean.path, folder.path)
    next(folder.path.glob("folds/*/seed=0/result.json")).unlink()
    with pytest.raises(DataError, match="is not finished"):
        audited(folder)


def test_an_unknown_run_is_refused(tmp_path):
    plan = compose_plan(
        ["task=audit", "task.run=abc", f"paths.outputs={tmp_path}", "tracking=none"]
    )
    with pytest.raises(ConfigError, match=r"task\.run"):
        task.run(plan, Context(saved(plan), [], reload))


def test_a_run_of_other_code_is_not_called_clean(clean, monkeypatch):
    honest = features.indicators.ema
    monkeypatch.setattr(features.indicators, "ema", lambda values, bars: honest(values, bars + 1))
    findings = audited(clean, samples=1).findings.in_order()
    assert {one.proof for one in findings} == {"check"}
    assert "scaler span" in {one.name for one in findings}
