"""A multirun: every combination is checked before the first job; jobs return, they do not raise.

Hydra hands a job's failure to nobody before the last job is done, and loses the status of jobs
in other processes. So each job leaves `jobs/<number>.json` in the sweep's folder, and the worst
of them (a missing one counts as failed) is the status of the sweep.

A search (`search=...`) does not know its jobs beforehand. The corners of its space are checked in
their place, its folder is the study's own, which the same command continues, and failures up to
`hydra.sweeper.max_failure_rate` are part of it.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra.conf import HydraConf
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from intraday_rl.config import CONFIG_NAME, ConfigProblem, build, hydra_session, saved
from intraday_rl.config.complaints import complaint
from intraday_rl.config.composing import compose_in_session
from intraday_rl.entry.job import check_installed, refuse, run_plan, writing
from intraday_rl.entry.search import is_search, require_optuna
from intraday_rl.errors import ConfigError
from intraday_rl.plan import Plan, usable_cores
from intraday_rl.preview import print_preview
from intraday_rl.records import read_json, write_json, write_text
from intraday_rl.research.outcome import Outcome
from intraday_rl.tasks import Verdict, WalkForward

if TYPE_CHECKING:
    from intraday_rl.entry.search.study import Search

FAILED = 1


@dataclass(frozen=True, slots=True)
class Jobs:
    """What is checked before the first job; `exhaustive`: these are all.

    `search`: the study that chooses further ones; None where another sweeper does, or none.
    """

    each: list[tuple[list[str], Plan]]
    exhaustive: bool
    search: Search | None = None

    @property
    def plans(self) -> list[Plan]:
        return [plan for _, plan in self.each]


def run_sweep(overrides: list[str]) -> int:
    """Check all jobs, run them by the chosen sweeper and launcher, return the worst status."""
    jobs = _jobs(overrides)
    for plan in jobs.plans:
        check_installed(plan)
    if any(plan.dry_run for plan in jobs.plans):
        return print_preview([(" ".join(words), plan) for words, plan in jobs.each])
    with writing(jobs.plans[0].paths.outputs):
        outputs = Path(jobs.plans[0].paths.outputs).absolute()
        if jobs.search is not None:
            return _search(overrides, jobs.search, outputs, jobs.plans)
        folder = new_sweep_folder(outputs)
        if jobs.exhaustive:  # also a job that never begins leaves what it would have tried
            for number, plan in enumerate(jobs.plans):
                _write_plan(folder, number, plan)
        _multirun(overrides, folder)
    status = sweep_status(folder, len(jobs.each) if jobs.exhaustive else None)
    return max(status, _verdict(folder, jobs.plans))


def _search(overrides: list[str], search: Search, outputs: Path, plans: Sequence[Plan]) -> int:
    """Begin or continue a study; every trial it ever had is judged at the end."""
    from intraday_rl.entry.search.summary import print_summary

    with search.held(outputs, anew=plans[0].force) as folder:
        batch = f"hydra.sweeper.batch={search.batch}"
        status = _multirun([*overrides, batch], folder)
        status = max(status, _verdict(folder, plans))
        print_summary(folder, search.space)
    return status


def sweep_job(config: DictConfig) -> float:
    """One job of a multirun, in whatever process the launcher chose."""
    hydra = HydraConfig.get()
    number = hydra.sweeper.trial if is_search(hydra) else hydra.job.num
    # A job is one configuration: its command must not begin another search.
    words = [word for word in hydra.overrides.task if not word.startswith("search=")]
    folder = Path(hydra.sweep.dir)
    try:
        plan = _with_its_share_of_cores(build(config), hydra.launcher)
        if plan.fail_fast and _failed_before(folder):
            return math.nan  # without a record: it has not been carried out
        _write_plan(folder, number, plan)
        outcome = _trial(plan, words, hydra) if is_search(hydra) else run_plan(plan, words)
    except Exception as error:  # the other jobs shall run
        prefix = f"job {number} ({' '.join(words)}): "
        outcome = Outcome(math.nan, refuse(error, prefix))
    content = {
        "overrides": words,
        "code": outcome.code,
        "score": None if math.isnan(outcome.score) else outcome.score,
        "run_key": outcome.run_key,
    }
    write_json(folder / "jobs" / f"{number}.json", content)
    return outcome.score if outcome.code == 0 else math.nan


def _trial(plan: Plan, words: list[str], hydra: HydraConf) -> Outcome:
    """A job of a search: it looks at the other trials, and is seen as one of them."""
    from intraday_rl.entry.search.pruning import stop_early_of

    study, number = Path(hydra.sweep.dir).name, str(hydra.sweeper.trial)
    tags = {"search_study": study, "search_trial": number}
    return run_plan(plan, words, stop_early=stop_early_of(hydra, plan), tags=tags)


def _failed_before(folder: Path) -> bool:
    return any(read_json(path)["code"] for path in (folder / "jobs").glob("*.json"))


def new_sweep_folder(outputs: Path) -> Path:
    """`sweeps/<time>-<pid>`, which no other multirun has."""
    while True:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        folder = outputs / "sweeps" / f"{stamp}-{os.getpid()}"
        try:
            folder.mkdir(parents=True)
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


def _jobs(overrides: Sequence[str]) -> Jobs:
    """Every job with its plan; of a search the corners of its space.

    Any other sweeper that chooses as it goes is checked on what its jobs have in common.
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
            search_path = [_text(one) for one in for_hydra if "searchpath" in one.key_or_group]

            def checked(combinations: list[list[str]]) -> list[tuple[list[str], Plan]]:
                return [
                    (words, build(compose_in_session([*search_path, *words])))
                    for words in combinations
                ]

            if is_search(hydra):
                require_optuna()
                from intraday_rl.entry.search.study import search_of

                search = search_of(hydra, [_text(one) for one in for_jobs], _at_once(hydra))
                corners = checked(search.space.corners())
                return Jobs(corners, False, search.keyed(corners[0][1]))
            exhaustive = hydra.sweeper._target_.endswith(".BasicSweeper")
            if exhaustive:
                params = [f"{key}={value}" for key, value in (hydra.sweeper.params or {}).items()]
                swept = [*parser.parse_overrides(params), *for_jobs]
                combinations = BasicSweeper.split_arguments(swept, max_batch_size=None)[0]
            else:
                combinations = [[_text(one) for one in for_jobs if not one.is_sweep_override()]]
            if not combinations:
                raise ConfigProblem(f"{' '.join(overrides)}: the sweep has no jobs")
            return Jobs(checked(combinations), exhaustive)
    except HydraException as error:
        raise complaint(error, overrides) from error


def _text(override: Override) -> str:
    return str(override.input_line)


def _multirun(overrides: list[str], folder: Path) -> int:
    """Let Hydra run the jobs; 0, or the status of what broke the sweep off."""
    quoted = str(folder).replace("'", r"\'")
    try:
        with hydra_session():
            loader = GlobalHydra.instance().hydra
            assert isinstance(loader, Hydra)
            loader.multirun(CONFIG_NAME, sweep_job, [*overrides, f"hydra.sweep.dir='{quoted}'"])
    except Exception as error:  # a launcher's own: the jobs that are done still count
        return refuse(error, "the sweep broke off: ")
    return 0


def _at_once(hydra: DictConfig) -> int:
    """How many trials a search asks for at a time."""
    if hydra.sweeper.batch is not None:
        return int(hydra.sweeper.batch)
    if "n_jobs" in hydra.launcher or hydra.launcher._target_.endswith(".BasicLauncher"):
        return _launcher_jobs(hydra.launcher)
    launcher = hydra.runtime.choices["hydra/launcher"]
    raise ConfigError("hydra.sweeper.batch", None, f"say how many jobs {launcher} runs at once")


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
    workers = max(1, usable_cores() // _launcher_jobs(launcher))
    return replace(plan, parallel=replace(plan.parallel, workers=workers))
