"""Train on everything up to a date: no test, judged by the walk-forward of its configuration."""

from __future__ import annotations

import logging

from rich.console import Console

from intraday_rl.dataset import open_dataset
from intraday_rl.identity import run_key
from intraday_rl.loading import resolve
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder, write_json
from intraday_rl.research.all_folds import StoppedEarly, results_of
from intraday_rl.research.fold_summary import validation_score
from intraday_rl.research.recording import Recording, one_at_a_time
from intraday_rl.research.walk_forward import (
    inside,
    plan_jobs,
    run_facts,
    write_start,
)

logger = logging.getLogger(__name__)


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=final_fit`; the bundles lie in the run's only fold."""
    try:
        return _run(plan, context)
    except StoppedEarly:
        return Outcome(float("nan"), 0, stopped_early=True)


def _run(plan: Plan, context: Context) -> Outcome:
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
    window = resolved.windows[0]
    with recording.closed_whatever_happens():
        results = results_of(plan, jobs, dataset, context.stop_early)[window.name]
        score = validation_score(results)
        content = {
            "schema_version": 1,
            **facts,
            "verdict": "failed" if score is None else "not_tested",
            "first_validation_score": score,
            "folds_failed": int(score is None),
            "window": resolved.describe()[0],
            "seeds": {
                str(r["seed"]): {k: v for k, v in r.items() if k != "curve"} for r in results
            },
        }
        with one_at_a_time(folder):
            write_json(folder.verdict, content)
            recording.finish({window.name: results}, [], content)
    _say(folder, window.name, results, score)
    return Outcome(float("nan") if score is None else score, int(score is None), folder.key)


def _say(
    folder: RunFolder, window: str, results: list[dict[str, object]], score: float | None
) -> None:
    console = Console()
    for result in results:
        bundle = folder.fold(window).seed(int(str(result["seed"]))).bundle
        console.print(f"seed {result['seed']}: {result['status']}, bundle {bundle}", soft_wrap=True)
    found = "none, a seed failed" if score is None else f"{score:.2f}"
    console.print(f"validation Sharpe, mean over seeds: {found}; no test: nothing judges this fit")
