"""A multirun: every combination is checked before the first job; jobs return, they do not raise.

Hydra hands a job's failure to nobody before the last job is done, and loses the status of jobs
in other processes. So each job leaves `jobs/<number>.json` in the sweep's folder, and the worst
of them (a missing one counts as failed) is the status of the sweep.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from intraday_rl.config import CONFIG_NAME, ConfigProblem, build, hydra_session, saved
from intraday_rl.config.complaints import complaint
from intraday_rl.config.composing import compose_in_session
from intraday_rl.entry.job import refuse, run_plan, writing
from intraday_rl.entry.ray_cluster import (
    connected,
    cores_of_a_job,
    explained,
    is_ray,
    work_where_the_sweep_was_started,
)
from intraday_rl.errors import ConfigError
from intraday_rl.plan import Plan, usable_cores
from intraday_rl.preview import print_preview
from intraday_rl.records import read_json, write_json, write_text
from intraday_rl.research.outcome import Outcome
from intraday_rl.tasks import Verdict, WalkForward

FAILED = 1


def run_sweep(overrides: list[str]) -> int:
    """Check all jobs, run them by the chosen sweeper and launcher, return the worst status."""
    jobs, exhaustive, launcher = _jobs(overrides)
    plans = [plan for _, plan in jobs]
    if any(plan.dry_run for plan in plans):
        return print_preview([(" ".join(words), plan) for words, plan in jobs])
    outputs = plans[0].paths.outputs
    with connected(launcher), writing(outputs):
        folder = new_sweep_folder(Path(outputs).absolute())
        if exhaustive:  # also a job that never begins leaves what it would have tried
            for number, plan in enumerate(plans):
                _write_plan(folder, number, plan)
        quoted = str(folder).replace("'", r"\'")
        try:
            _multirun([*overrides, f"hydra.sweep.dir='{quoted}'"])
        except Exception as error:  # a launcher's own: the jobs that are done still count
            refuse(explained(error), "the sweep broke off: ")
    status = sweep_status(folder, len(jobs) if exhaustive else None)
    return max(status, _verdict(folder, plans))


def sweep_job(config: DictConfig) -> float:
    """One job of a multirun, in whatever process the launcher chose."""
    hydra = HydraConfig.get()
    words: list[str] = list(hydra.overrides.task)
    work_where_the_sweep_was_started(hydra)
    try:
        plan = _with_its_share_of_cores(build(config), hydra.launcher)
        _write_plan(Path(hydra.sweep.dir), hydra.job.num, plan)
        outcome = run_plan(plan, words)
    except Exception as error:  # the other jobs shall run
        prefix = f"job {hydra.job.num} ({' '.join(words)}): "
        outcome = Outcome(math.nan, refuse(error, prefix))
    content = {
        "overrides": words,
        "code": outcome.code,
        "score": None if math.isnan(outcome.score) else outcome.score,
        "run_key": outcome.run_key,
    }
    write_json(Path(hydra.sweep.dir) / "jobs" / f"{hydra.job.num}.json", content)
    return outcome.score


def new_sweep_folder(outputs: Path) -> Path:
    """`sweeps/<time>-<pid>`, which no other multirun has."""
    while True:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        folder = outputs / "sweeps" / f"{stamp}-{os.getpid()}"
        try:
            folder.mkdir(parents=True)
            (folder / "jobs").mkdir()
            return folder
        except FileExistsError:  # containers share process ids
            if not folder.is_dir():
                raise
            time.sleep(1.0)


def sweep_status(folder: Path, expected: int | None) -> int:
    """The worst status of the jobs; one that left no record has failed."""
    codes = [int(read_json(path)["code"]) for path in sorted((folder / "jobs").glob("*.json"))]
    missing = max(expected or 1, len(codes)) - len(codes)
    if missing:
        sys.stderr.write(f"{missing} jobs of the sweep ended without a record in {folder}/jobs\n")
        codes.append(FAILED)
    return max(codes)


def _verdict(folder: Path, plans: Sequence[Plan]) -> int:
    """Judge what was tried, once control is back from whatever launcher and sweeper there were.

    Not by a callback of Hydra's, which the basic sweeper skips when a job has failed.
    """
    if not any(isinstance(plan.task, WalkForward) for plan in plans):
        return 0
    try:
        return run_plan(replace(plans[0], task=Verdict(sweep=[str(folder)])), ["-m"]).code
    except Exception as error:  # the jobs are done, and their status counts
        return refuse(error, "no verdict over the sweep: ")


def _write_plan(folder: Path, number: int, plan: Plan) -> None:
    write_text(folder / "jobs" / f"{number}.yaml", saved(plan).text)


def _jobs(overrides: Sequence[str]) -> tuple[list[tuple[list[str], Plan]], bool, DictConfig]:
    """Every job with its plan, whether these are all, and the launcher's settings.

    A sweeper that chooses as it goes (Optuna) is checked on what all its jobs have in common.
    """
    if any(text.startswith("plan=") for text in overrides):
        raise ConfigProblem("plan=<file> is one job: leave out --multirun")
    try:
        with hydra_session():
            parser = OverridesParser.create(GlobalHydra.instance().config_loader())
            parsed = parser.parse_overrides(list(overrides))
            for_hydra = [one for one in parsed if one.key_or_group.startswith("hydra")]
            for_jobs = [one for one in parsed if one not in for_hydra]
            fixed = [_text(one) for one in [*for_hydra, *for_jobs] if not one.is_sweep_override()]
            hydra = compose_in_session(fixed, with_hydra=True).hydra
            _launcher_jobs(hydra.launcher)
            exhaustive = hydra.sweeper._target_.endswith(".BasicSweeper")
            if exhaustive:
                params = [f"{key}={value}" for key, value in (hydra.sweeper.params or {}).items()]
                swept = [*parser.parse_overrides(params), *for_jobs]
                combinations = BasicSweeper.split_arguments(swept, max_batch_size=None)[0]
            else:
                combinations = [[_text(one) for one in for_jobs if not one.is_sweep_override()]]
            if not combinations:
                raise ConfigProblem(f"{' '.join(overrides)}: the sweep has no jobs")
            search_path = [_text(one) for one in for_hydra if "searchpath" in one.key_or_group]
            return (
                [
                    (words, build(compose_in_session([*search_path, *words])))
                    for words in combinations
                ],
                exhaustive,
                hydra.launcher,
            )
    except HydraException as error:
        raise complaint(error, overrides) from error


def _text(override: Override) -> str:
    return str(override.input_line)


def _multirun(overrides: list[str]) -> None:
    with hydra_session():
        loader = GlobalHydra.instance().hydra
        assert isinstance(loader, Hydra)
        loader.multirun(CONFIG_NAME, sweep_job, overrides)


def _launcher_jobs(launcher: DictConfig) -> int:
    """How many jobs the launcher runs at a time on this machine."""
    jobs = OmegaConf.select(launcher, "n_jobs", default=1)
    if jobs == 0:
        raise ConfigError("hydra.launcher.n_jobs", jobs, "must be 1 or more, or -1 for all cores")
    return int(jobs) if jobs > 0 else max(1, usable_cores() + 1 + int(jobs))


def _with_its_share_of_cores(plan: Plan, launcher: DictConfig) -> Plan:
    """Jobs that run at the same time divide the cores, unless the user says how many."""
    if plan.parallel.workers is not None:
        return plan
    if is_ray(launcher):
        workers = cores_of_a_job(launcher)
    else:
        workers = max(1, usable_cores() // _launcher_jobs(launcher))
    return replace(plan, parallel=replace(plan.parallel, workers=workers))
