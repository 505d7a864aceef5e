"""Searches that really train: killed and typed again, and two jobs at a time."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from intraday_rl.entry.search.study import JOURNAL
from intraday_rl.records import read_json

TRIALS = 6
LINE = (
    "-m", "search=optuna_tpe", f"hydra.sweeper.n_trials={TRIALS}", "debug=tiny", "tracking=none",
    "agent.net_arch=[8]", "agent.batch_size=32,64", "parallel.workers=1",
)  # fmt: skip


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "intraday_rl", *LINE, *more],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def records(study: Path) -> dict[str, dict[str, object]]:
    return {path.stem: read_json(path) for path in (study / "jobs").glob("*.json")}


def study_of(folder: Path) -> Path:
    (journal,) = (folder / "outputs" / "searches").glob(f"*/{JOURNAL}")
    return journal.parent


def rows(study: Path) -> list[dict[str, str]]:
    with (study / "trials.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow("search")
def test_a_search_killed_in_the_middle_is_completed_and_not_repeated(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    undisturbed = start(whole)
    _, err = undisturbed.communicate()
    assert undisturbed.returncode == 0, err

    killed = start(cut)
    give_up = time.monotonic() + 300.0
    while len(list(cut.glob("outputs/searches/*/jobs/*.yaml"))) < 4:  # the fourth has begun
        assert killed.poll() is None, killed.communicate()[1]
        assert time.monotonic() < give_up
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    before = records(study_of(cut))
    times = {number: (study_of(cut) / "jobs" / f"{number}.json").stat().st_mtime_ns
             for number in before}  # fmt: skip
    assert 0 < len(before) < TRIALS

    again = start(cut)
    out, err = again.communicate()
    assert again.returncode == 0, err
    study = study_of(cut)
    after = records(study)
    assert sorted(after) == [str(number) for number in range(TRIALS)]
    assert {number: (study / "jobs" / f"{number}.json").stat().st_mtime_ns
            for number in before} == times  # fmt: skip
    assert rows(study) == rows(study_of(whole))
    assert [row["status"] for row in rows(study)] == ["finished"] * TRIALS
    assert len({record["run_key"] for record in after.values()}) == TRIALS
    assert read_json(study / "verdict.json")["jobs"]["finished"] == TRIALS
    assert f"{TRIALS} finished, 0 pruned, 0 failed" in out

    once_more = start(cut)
    out, err = once_more.communicate()
    assert once_more.returncode == 0, err
    assert rows(study) == rows(study_of(whole))


@pytest.mark.slow("search")
def test_two_trials_at_a_time_are_launched_by_joblib(tmp_path):
    search = start(tmp_path, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    out, err = search.communicate()
    assert search.returncode == 0, err
    study = study_of(tmp_path)
    assert sorted(records(study)) == [str(number) for number in range(TRIALS)]
    assert [row["status"] for row in rows(study)] == ["finished"] * TRIALS
    assert read_json(study / "verdict.json")["jobs"]["finished"] == TRIALS
    assert (study / "report.html").is_file()
    assert f"{TRIALS} finished, 0 pruned, 0 failed" in out
