"""The main job: train, choose and test every fold and seed, and say what came of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from intraday_rl.dataset import Dataset, open_dataset
from intraday_rl.events import tell
from intraday_rl.identity import code_hash, decisive, fold_key, run_key
from intraday_rl.loading import Resolved, resolve
from intraday_rl.market.windows import Window
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder, WorkFolder, git_revision, write_json, write_text
from intraday_rl.research.all_folds import StoppedEarly, results_of
from intraday_rl.research.console import print_result
from intraday_rl.research.fold_job import FoldJob
from intraday_rl.research.fold_summary import FoldSummary, summarise_fold
from intraday_rl.research.looks import lockbox_of, looks_at, planned_look, world_and_trial
from intraday_rl.research.plots import write_fold_plots
from intraday_rl.research.recording import Recording, one_at_a_time
from intraday_rl.research.report import write_report
from intraday_rl.research.stitched import run_verdict, write_stitched_ledger
from intraday_rl.saved_plan import SavedPlan
from intraday_rl.trading.ledger import read_ledger, write_ledger

logger = logging.getLogger(__name__)


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=walk_forward`; everything is written below `paths.outputs/runs/<key>`."""
    record = context.record
    resolved = resolve(plan)
    for note in resolved.notes:
        logger.warning("data: %s", note)
    dataset = open_dataset(plan, resolved.market)
    jobs = plan_jobs(plan, record, resolved)
    folder = RunFolder.of(plan.paths.outputs, run_key([job.key for job in jobs]))
    jobs = [inside(job, folder) for job in jobs]
    facts = run_facts(plan, record, resolved, folder.key)
    write_start(folder, record, context.command, resolved, facts, jobs)

    recording = Recording.start(plan, context, folder, facts, jobs, resolved)
    try:
        with recording.closed_whatever_happens():
            results = results_of(plan, jobs, dataset, context.stop_early)
            with one_at_a_time(folder):
                folds = _summaries(plan, resolved, dataset, folder, results, facts)
                write_stitched_ledger(folder, dataset, folds, plan.seeds)
                verdict = run_verdict(folds, facts)
                verdict["test_window_looks"] = looks_at(plan, resolved)
                write_json(folder.verdict, verdict)
                write_report(folder, record, folds, verdict)
                recording.finish(results, folds, verdict)
    except StoppedEarly:
        return Outcome(math.nan, 0, folder.key, stopped_early=True)
    print_result(folder, folds, verdict, recording.ui_command())
    score = verdict["first_validation_score"]
    return Outcome(
        score=math.nan if score is None else score,
        code=1 if verdict["folds_failed"] else 0,
        run_key=folder.key,
    )


def plan_jobs(plan: Plan, record: SavedPlan, resolved: Resolved) -> list[FoldJob]:
    """One job per fold and seed, keyed; `folder` is still relative to the run."""
    market = resolved.market
    configuration = decisive(record.kinds, record.values)
    revision, jobs = git_revision(), []
    for window in resolved.windows:
        last = (window.test or window.train).last_session
        fingerprints = [market.symbol.fingerprint(last), market.benchmark.fingerprint(last)]
        for seed in plan.seeds:
            key = fold_key(configuration, window, seed, fingerprints)
            jobs.append(
                FoldJob(
                    key=key,
                    kinds=record.kinds,
                    plan_yaml=record.text,
                    window=window,
                    seed=seed,
                    folder=Path("folds") / window.name / f"seed={seed}",
                    fingerprint=fingerprints[0],
                    benchmark_fingerprint=fingerprints[1],
                    code=code_hash(),
                    git=revision,
                    work=WorkFolder.of(plan.paths.outputs, key),
                    redo=plan.force,
                    look=planned_look(plan, record, resolved, window, seed, key),
                )
            )
    if any(job.look for job in jobs):
        lockbox_of(plan).prepare()
    return jobs


def run_facts(plan: Plan, record: SavedPlan, resolved: Resolved, key: str) -> dict[str, Any]:
    """Facts every artifact of the run repeats, so that each explains itself."""
    market = resolved.market
    windows = resolved.windows
    world, trial = world_and_trial(record, resolved)
    return {
        "run_key": key,
        "world": world,
        "trial": trial,
        "symbol": plan.symbol,
        "benchmark": plan.symbol if market.benchmark_is_own else market.benchmark.symbol,
        "data_source": market.source,
        "synthetic": market.synthetic,
        "reconstructed": market.reconstructed,
        "bar_minutes": market.symbol.bar_minutes,
        "reward": record.kinds["reward"],
        "agent": record.kinds["agent"],
        "windows": record.kinds["windows"],
        "fill": plan.env.fill.value,
        "fill_is_same_bar": plan.env.fill.value == "close",
        "fill_is_effectively_same_bar": plan.env.fill.value == "next_open"
        and any(resolved.built_from_closes(window) for window in windows),
        "windows_built_from_closes": {w.name: resolved.built_from_closes(w) for w in windows},
        "shorting_assumed_possible": not getattr(plan.env.action, "long_only", True),
        "seeds_planned": plan.seeds,
        "data_fingerprint": market.symbol.fingerprint(),
        "benchmark_fingerprint": market.benchmark.fingerprint(),
        "code_hash": code_hash(),
        "git": git_revision(),
        "data_notes": list(resolved.notes),
    }


def inside(job: FoldJob, folder: RunFolder) -> FoldJob:
    """The job with its folder placed in the run."""
    return replace(job, folder=folder.path / job.folder)


def write_start(
    folder: RunFolder,
    record: SavedPlan,
    command: Sequence[str],
    resolved: Resolved,
    facts: dict[str, Any],
    jobs: Sequence[FoldJob],
) -> None:
    """What the run is, written before its first fold."""
    tell("run", run_key=folder.key)
    folder.path.mkdir(parents=True, exist_ok=True)
    write_text(folder.plan, record.text)
    write_text(folder.command, " ".join(command) + "\n")
    keys = {f"{job.window.name}/seed={job.seed}": job.key for job in jobs}
    days = resolved.market.symbol.session_index()
    bars = {"data_first": str(days[0].date()), "data_last": str(days[-1].date())}
    content = {**facts, **bars, "fold_keys": keys, "windows_resolved": resolved.describe()}
    write_json(folder.data, content)


def _summaries(
    plan: Plan,
    resolved: Resolved,
    dataset: Dataset,
    folder: RunFolder,
    results: dict[str, list[dict[str, Any]]],
    facts: dict[str, Any],
) -> list[FoldSummary]:
    folds = []
    for window in resolved.windows:
        fold_folder = folder.fold(window.name)
        fold_folder.path.mkdir(parents=True, exist_ok=True)
        done = [r for r in results[window.name] if r["status"] == "finished"]
        ledger = _merge_seeds(folder, window, [r["seed"] for r in done])
        summary = summarise_fold(
            plan, resolved, dataset, window, results[window.name], ledger, facts
        )
        write_json(fold_folder.window, summary.content)
        write_fold_plots(fold_folder.path, summary, done)
        folds.append(summary)
    return folds


def _merge_seeds(folder: RunFolder, window: Window, seeds: list[int]) -> pd.DataFrame | None:
    """The fold's ledger and exit log of all seeds, from the seeds' own files."""
    fold_folder = folder.fold(window.name)
    if not seeds:
        return None
    write_ledger([read_ledger(fold_folder.seed(seed).ledger) for seed in seeds], fold_folder.ledger)
    lines = [fold_folder.seed(seed).evaluation_log.read_text("utf-8") for seed in seeds]
    write_text(fold_folder.evaluation_log, "".join(lines))
    return read_ledger(fold_folder.ledger)
