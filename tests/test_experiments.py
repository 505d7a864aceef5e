"""Every committed recipe runs, in seconds, under `debug=tiny`, so that none rots."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from intraday_rl.config import compose_plan
from intraday_rl.entry import main
from intraday_rl.records import read_json

CONF = Path(__file__).parent.parent / "conf"
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_committed_experiment_runs(name, monkeypatch, tmp_path):
    plan = compose_plan([f"experiment={name}", "debug=tiny"])
    if path := getattr(plan.data, "path", None):
        pytest.skip(f"its bars are not part of the project: {path}")
    line = [f"experiment={name}", "debug=tiny", "tracking=none", f"paths.outputs={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["intraday-rl", *line])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "report.html").is_file()
    assert read_json(run / "verdict.json")["folds_failed"] == 0


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_a_diff_against_the_defaults(name):
    content = yaml.safe_load((CONF / f"experiment/{name}.yaml").read_text())
    plan, default = compose_plan([f"experiment={name}"]), compose_plan([])
    for group, values in content.items():
        if group == "defaults" or not isinstance(values, dict):
            continue
        ours, theirs = getattr(plan, group), getattr(default, group)
        for key in values:
            repeated = type(ours) is type(theirs) and getattr(ours, key) == getattr(theirs, key)
            assert not repeated, f"conf/experiment/{name}.yaml repeats {group}.{key}"
