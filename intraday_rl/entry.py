"""The one entry: compose, build, dispatch the task. Users meet one line and an exit status."""

from __future__ import annotations

import importlib
import logging
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from intraday_rl.config import CONFIG_NAME, build, compose_config, conf_folder, register, saved
from intraday_rl.errors import IntradayRLError
from intraday_rl.plan import Plan
from intraday_rl.preview import print_preview
from intraday_rl.tasks import FinalFit, WalkForward

# A task's part -> the function that carries it out, imported only when it is asked for.
TASKS: dict[type, str] = {
    WalkForward: "intraday_rl.research.walk_forward:run",
    FinalFit: "intraday_rl.research.final_fit:run",
}
LARGEST_CHECKED_SWEEP = 256  # combinations composed beforehand; the rest Hydra checks itself


def main() -> None:
    """Run the command line and leave with 0 done, 1 a fold failed, 2 configuration, 3 data."""
    arguments = sys.argv[1:]
    try:
        given = get_args_parser().parse_args(arguments)
        overrides: list[str] = list(given.overrides)
        if given.help or given.hydra_help or given.cfg or given.info or given.shell_completion:
            _hydra_main(arguments)
            return
        _check(overrides, multirun=given.multirun)
        if not given.multirun:
            raise SystemExit(run_overrides(overrides, [sys.argv[0], *arguments]))
        raise SystemExit(_sweep(arguments, overrides))
    except IntradayRLError as error:
        raise SystemExit(_refuse(error)) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def run_overrides(overrides: Sequence[str], command: Sequence[str]) -> int:
    """Compose, build and carry out one job; returns its exit status."""
    return run_plan(build(compose_config(overrides)), command)[1]


def run_plan(plan: Plan, command: Sequence[str]) -> tuple[float, int]:
    """Carry out one job: (score for a sweeper, exit status)."""
    if plan.dry_run:
        print_preview(plan)
        return float("nan"), 0
    _log_to_stderr()
    module, function = TASKS[type(plan.task)].split(":")
    task = getattr(importlib.import_module(module), function)
    outcome = task(plan, saved(plan), _printable(command))
    return outcome.score, outcome.code


def sweep_job(config: DictConfig) -> float:
    """One job of a multirun. It returns and never raises, so that the others still run."""
    try:
        overrides = list(config_overrides())
        score, code = run_plan(build(config), ["intraday-rl", *overrides])
    except IntradayRLError as error:
        score, code = float("nan"), _refuse(error)
    _note_status(code)
    return score


def config_overrides() -> Sequence[str]:
    """Overrides of the job that is running."""
    from hydra.core.hydra_config import HydraConfig

    found: Sequence[str] = HydraConfig.get().overrides.task
    return found


def _sweep(arguments: list[str], overrides: list[str]) -> int:
    folder = _sweep_folder(overrides)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[_STATUS_FOLDER] = str(folder)
    if not any(override.startswith("hydra.sweep.dir=") for override in overrides):
        arguments = [*arguments, f"hydra.sweep.dir={folder}"]
    _hydra_main(arguments)
    codes = [int(path.name.split("=")[1]) for path in folder.glob("status/*=*")]
    return max(codes, default=1)


_STATUS_FOLDER = "INTRADAY_RL_SWEEP_FOLDER"


def _note_status(code: int) -> None:
    """Leave the job's status in the sweep's folder, which every launcher's workers can reach."""
    from hydra.core.hydra_config import HydraConfig

    job = HydraConfig.get().job.num
    folder = Path(HydraConfig.get().sweep.dir) / "status"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{job}={code}").touch()


def _sweep_folder(overrides: Sequence[str]) -> Path:
    for override in overrides:
        if override.startswith("hydra.sweep.dir="):
            return Path(override.partition("=")[2])
    first = _combinations(overrides)[0]
    plan = build(compose_config(first))
    if plan.dry_run:
        return Path(tempfile.mkdtemp(prefix="intraday_rl-"))
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return Path(plan.paths.outputs).absolute() / "sweeps" / f"{stamp}-{os.getpid()}"


def _check(overrides: list[str], *, multirun: bool) -> None:
    """Compose every job before the first one starts: a typo costs seconds, not a night."""
    combinations = _combinations(overrides) if multirun else [overrides]
    for combination in combinations[:LARGEST_CHECKED_SWEEP]:
        build(compose_config(combination))


def _combinations(overrides: Sequence[str]) -> list[list[str]]:
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    kept = [one for one in parsed if not one.get_key_element().startswith("hydra")]
    batches = BasicSweeper.split_arguments(kept, max_batch_size=None)
    return [list(combination) for batch in batches for combination in batch]


def _hydra_main(arguments: list[str]) -> Any:
    register()
    sys.argv = [sys.argv[0], *arguments]
    decorated = hydra.main(
        version_base="1.3", config_path=str(conf_folder()), config_name=CONFIG_NAME
    )(sweep_job)
    return decorated()


def _printable(command: Sequence[str]) -> list[str]:
    return ["intraday-rl", *(shlex.quote(word) for word in command[1:])]


def _refuse(error: IntradayRLError) -> int:
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        logging.getLogger(__name__).error("", exc_info=error)
    sys.stderr.write(f"{error}\n")
    return error.exit_code


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("intraday_rl").setLevel(logging.INFO)
