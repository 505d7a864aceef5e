"""`task=serve`: hands the server what only the entry knows, and starts it.

The server composes, but knows no Hydra; it shows how runs stand, but judges none.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from intraday_rl.config import compose_plan
from intraday_rl.config.bundles import bundles
from intraday_rl.config.describing import described, presets
from intraday_rl.errors import ConfigError
from intraday_rl.interruption import Interrupted
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.records import state_folder
from intraday_rl.research.housekeeping.survey import content, survey
from intraday_rl.tasks import Rehearsal, Serve
from intraday_rl.tracking.parts import MlflowTracking
from intraday_rl.tracking.registry_file import from_file, read_registry, store_shown

LIBRARIES = ("cronsim", "fastapi", "psutil", "uvicorn")
NOT_FOR_JOBS = ("task", "dry_run", "format", "force")


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=serve`; ends with a signal."""
    _check_installed()
    from intraday_rl.jobs.store import JobStore
    from intraday_rl.live.clock import clock_of
    from intraday_rl.live.scheduler import Scheduler
    from intraday_rl.roster.store import Roster
    from intraday_rl.web.choices import Choices
    from intraday_rl.web.desk import Desk
    from intraday_rl.web.serving import serve
    from intraday_rl.web.token import token_of
    from intraday_rl.web.wire import Wire

    token = token_of(plan.task.token_file, os.environ)
    _bring_registry_up(plan)
    own = own_words(context.command)
    choices = Choices(described(), presets())
    choices.stand_on(context.record, own)
    desk = Desk(
        plan=plan,
        own_words=own,
        bundles=bundles(own),
        compose=compose_plan,
        survey=lambda: _surveyed(Path(plan.paths.outputs)),
        choices=choices,
        wire=Wire(choices),
        jobs=JobStore(state_folder(plan.paths.state) / "jobs"),
        roster=Roster(state_folder(plan.paths.state) / "live"),
    )
    shared = _anchored(plan.task.clock)
    scheduler = Scheduler(desk.roster, clock_of(shared), _clock_words(shared))
    try:
        serve(desk, token, [scheduler] if plan.task.agents else [])
    except Interrupted as interrupted:
        sys.stderr.write(f"{interrupted}: the server has ended; jobs that run go on\n")
    return Outcome(math.nan, 0)


def show(plan: Plan, context: Context) -> int:
    """`dry_run=true`: where it would listen and what it would do; opens and writes nothing."""
    _check_installed()
    from intraday_rl.web.token import VARIABLE

    task: Serve = plan.task
    origin = task.token_file or f"the variable {VARIABLE}"
    reached = "this machine alone" if task.is_loopback else "other machines too"
    address = f"http://{task.shown_host}:{task.port}"
    sys.stdout.write(
        f"would serve {address} to {reached}, with the token of {origin}\n"
        f"jobs at a time: {task.job_workers}; runs: {plan.paths.outputs}; "
        f"queue: {state_folder(plan.paths.state) / 'jobs'}\n"
        "dry run: nothing was started, nothing was written\n"
    )
    return 0


def own_words(command: Sequence[str]) -> list[str]:
    """What the server was started with, as far as it concerns its jobs."""
    words = [shlex.split(word)[0] for word in command[1:]]
    return [word for word in words if _key(word).partition(".")[0] not in NOT_FOR_JOBS]


def _anchored(clock: Rehearsal) -> Rehearsal:
    """A rehearsal begins now, for this process and for every session that it begins."""
    if clock.start is None or clock.anchor is not None:
        return clock
    return replace(clock, anchor=datetime.now(UTC).isoformat())


def _clock_words(clock: Rehearsal) -> list[str]:
    if clock.start is None:
        return []
    return [
        f"task.clock.start='{clock.start}'",
        f"task.clock.anchor='{clock.anchor}'",
        f"task.clock.speed={clock.speed!r}",
    ]


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _surveyed(outputs: Path) -> dict[str, Any]:
    return content(survey(outputs), {})


def _bring_registry_up(plan: Plan) -> None:
    """`registry.json` is made from MLflow where it is absent, in a process that may import it."""
    outputs, tracking = Path(plan.paths.outputs), plan.tracking
    if not isinstance(tracking, MlflowTracking):
        return
    known = from_file(outputs)
    if known is None or known.store != store_shown(tracking):
        process = multiprocessing.get_context("spawn").Process(
            target=read_registry, args=(tracking, outputs)
        )
        process.start()
        process.join()


def _check_installed() -> None:
    missing = [library for library in LIBRARIES if find_spec(library) is None]
    if missing:
        remedy = f"needs {' and '.join(missing)}: pip install 'intraday-rl[web]'"
        raise ConfigError("task", "serve", remedy)
