"""One job: carry out the task of a plan, or say in one line why not."""

from __future__ import annotations

import importlib
import logging
import os
import shlex
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from intraday_rl.agents.sac import SacJax
from intraday_rl.config import compose_plan, reload, saved
from intraday_rl.errors import ConfigError, IntradayRLError
from intraday_rl.interruption import listening
from intraday_rl.outcome import Context, Outcome, StopEarly
from intraday_rl.plan import Plan
from intraday_rl.preview import print_preview
from intraday_rl.tasks import (
    Audit,
    Clean,
    CostSurface,
    Download,
    FinalFit,
    FineTune,
    FineTuneStudy,
    ImportBars,
    Inspect,
    Paper,
    Promote,
    Serve,
    Status,
    Verdict,
    WalkForward,
)

# A task's part -> the function that carries it out, imported only when it is asked for.
TASKS: dict[type, str] = {
    WalkForward: "intraday_rl.research.walk_forward:run",
    FinalFit: "intraday_rl.research.final_fit:run",
    FineTune: "intraday_rl.research.fine_tune.task:run",
    FineTuneStudy: "intraday_rl.research.fine_tune.study:run",
    Promote: "intraday_rl.research.promote:run",
    CostSurface: "intraday_rl.research.cost_surface:run",
    Audit: "intraday_rl.research.audit.task:run",
    Verdict: "intraday_rl.research.sweep.task:run",
    Status: "intraday_rl.research.housekeeping.status:run",
    Clean: "intraday_rl.research.housekeeping.clean:run",
    Download: "intraday_rl.collecting.download:run",
    ImportBars: "intraday_rl.collecting.import_bars:run",
    Inspect: "intraday_rl.collecting.inspection.task:run",
    Paper: "intraday_rl.live.task:run",
    Serve: "intraday_rl.entry.serving:run",
}

# Tasks whose dry run is not about windows.
DRY_RUNS: dict[type, str] = {
    FineTune: "intraday_rl.research.fine_tune.dry_run:show",
    FineTuneStudy: "intraday_rl.research.fine_tune.dry_run:show_study",
    Promote: "intraday_rl.research.promote:show",
    Download: "intraday_rl.collecting.download:show",
    ImportBars: "intraday_rl.collecting.import_bars:show",
    Inspect: "intraday_rl.collecting.inspection.task:show",
    Paper: "intraday_rl.live.task:show",
    Serve: "intraday_rl.entry.serving:show",
}


def run_plan(
    plan: Plan,
    overrides: Sequence[str],
    *,
    stop_early: StopEarly | None = None,
    tags: Mapping[str, str] | None = None,
) -> Outcome:
    """Carry out one job; `overrides` are kept as its command, the rest as in `Context`."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("intraday_rl").setLevel(logging.INFO)
    module, function = TASKS[type(plan.task)].split(":")
    task = getattr(importlib.import_module(module), function)
    with listening(), writing(plan.paths.outputs):
        outcome: Outcome = task(plan, context_of(plan, overrides, stop_early, tags))
    return outcome


def context_of(
    plan: Plan,
    overrides: Sequence[str],
    stop_early: StopEarly | None = None,
    tags: Mapping[str, str] | None = None,
) -> Context:
    """What a task is given beside its plan."""
    return Context(
        saved(plan),
        command(overrides),
        reload,
        stop_early,
        tags or {},
        defaults=lambda: saved(compose_plan([])),
    )


def dry_run(jobs: Sequence[tuple[str, Sequence[str], Plan]]) -> int:
    """Show what each (name, overrides, plan) would do; the worst exit status."""
    own = [job for job in jobs if type(job[2].task) in DRY_RUNS]
    rest = [(name, plan) for name, overrides, plan in jobs if (name, overrides, plan) not in own]
    status = print_preview(rest) if rest else 0
    for _, overrides, plan in own:
        module, function = DRY_RUNS[type(plan.task)].split(":")
        show = getattr(importlib.import_module(module), function)
        status = max(status, show(plan, context_of(plan, overrides)))
    return status


def check_installed(plan: Plan) -> None:
    """Refuse a training whose libraries are missing before anything is read or written."""
    if isinstance(plan.agent, SacJax) and isinstance(plan.task, WalkForward | FinalFit):
        plan.agent.check_installed()


def command(overrides: Sequence[str]) -> list[str]:
    """The command line of a job, quoted for a shell."""
    return ["intraday-rl", *(shlex.quote(override) for override in overrides)]


def refuse(error: Exception, prefix: str = "") -> int:
    """One line on stderr and the exit status; a traceback when asked for, or for a bug of ours."""
    expected = isinstance(error, IntradayRLError)
    if not expected or os.environ.get("HYDRA_FULL_ERROR") == "1":
        traceback.print_exception(error)
    sys.stderr.write(f"{prefix}{error}\n")
    return error.exit_code if isinstance(error, IntradayRLError) else 1


@contextmanager
def writing(outputs: str) -> Iterator[None]:
    """Turn a refusal of the file system on the way to `outputs` into a message about the key."""
    try:
        yield
    except OSError as error:
        folder = Path(outputs).absolute()
        place = Path(str(error.filename)).absolute() if error.filename else folder
        if not (place.is_relative_to(folder) or folder.is_relative_to(place)):
            raise
        raise ConfigError(
            "paths.outputs",
            outputs,
            f"cannot be written to ({error.strerror}: {place}); make room or make it writable, "
            "then type the same command again: finished folds are kept",
        ) from error
