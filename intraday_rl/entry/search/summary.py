"""What a search found: `trials.csv` in the study's folder, and a few lines on the terminal."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import optuna
from optuna.trial import TrialState

from intraday_rl.entry.job import command
from intraday_rl.entry.search.pruning import PRUNED_AT
from intraday_rl.entry.search.space import Space
from intraday_rl.entry.search.study import began, open_study
from intraday_rl.records import write_text

TRIALS = "trials.csv"
WORDS = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


def write_trials(study: optuna.Study, folder: Path) -> None:
    """One row per trial: number, status, score, parameters, where it was pruned."""
    trials = study.get_trials()
    names = sorted({name for trial in trials for name in trial.params})
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["trial", "status", "validation_score", *names, PRUNED_AT])
    for trial in trials:
        score = trial.value if trial.state is TrialState.COMPLETE else None
        params = [trial.params.get(name) for name in names]
        pruned = trial.user_attrs.get(PRUNED_AT) if trial.state is TrialState.PRUNED else None
        writer.writerow([trial.number, WORDS[trial.state], score, *params, pruned])
    write_text(folder / TRIALS, table.getvalue())


def print_summary(folder: Path, space: Space) -> None:
    """Counts, the best trial and the command that runs it alone."""
    study = open_study(folder)
    trials = [trial for trial in study.get_trials() if began(trial, space.axes)]
    states = [trial.state for trial in trials]
    counts = ", ".join(f"{states.count(state)} {word}" for state, word in WORDS.items())
    lines = [f"search {folder.name}: {counts}; {folder / TRIALS}"]
    if TrialState.COMPLETE in states:
        best = study.best_trial
        words = [word for word in space.words(best.params) if not word.startswith("search=")]
        params = " ".join(space.words(best.params)[len(space.fixed) :])
        lines.append(f"best trial {best.number}: validation score {best.value:.4f}, {params}")
        lines.append(f"run it alone: {' '.join(command(words))}")
    sys.stdout.write("\n".join(lines) + "\n")
