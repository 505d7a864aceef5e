"""Every job of a multirun, composed before the first one starts: a typo costs seconds.

A search (`search=...`) does not know its jobs beforehand; the corners of its space are checked in
their place. Any other sweeper that chooses as it goes is checked on what its jobs have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from intraday_rl.config import ConfigProblem, build, hydra_session
from intraday_rl.config.complaints import complaint
from intraday_rl.config.composing import compose_in_session
from intraday_rl.entry.ray_cluster import cores_of_a_job, is_ray
from intraday_rl.entry.search import is_search, require_optuna
from intraday_rl.errors import ConfigError
from intraday_rl.plan import Plan, usable_cores

if TYPE_CHECKING:
    from intraday_rl.entry.search.study import Search


@dataclass(frozen=True, slots=True)
class Jobs:
    """What is checked before the first job; `exhaustive`: these are all.

    `launcher`: its settings; `search`: the study that chooses further ones, if one does.
    """

    each: list[tuple[list[str], Plan]]
    exhaustive: bool
    launcher: DictConfig
    search: Search | None = None

    @property
    def plans(self) -> list[Plan]:
        return [plan for _, plan in self.each]


def jobs_of(overrides: Sequence[str]) -> Jobs:
    """Compose and check the jobs of a command line."""
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
                return Jobs(corners, False, hydra.launcher, search.keyed(corners[0][1]))
            exhaustive = hydra.sweeper._target_.endswith(".BasicSweeper")
            if exhaustive:
                params = [f"{key}={value}" for key, value in (hydra.sweeper.params or {}).items()]
                swept = [*parser.parse_overrides(params), *for_jobs]
                combinations = BasicSweeper.split_arguments(swept, max_batch_size=None)[0]
            else:
                combinations = [[_text(one) for one in for_jobs if not one.is_sweep_override()]]
            if not combinations:
                raise ConfigProblem(f"{' '.join(overrides)}: the sweep has no jobs")
            return Jobs(checked(combinations), exhaustive, hydra.launcher)
    except HydraException as error:
        raise complaint(error, overrides) from error


def _text(override: Override) -> str:
    return str(override.input_line)


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


def with_its_share_of_cores(plan: Plan, launcher: DictConfig) -> Plan:
    """Jobs that run at the same time divide the cores, unless the user says how many."""
    if plan.parallel.workers is not None:
        return plan
    if is_ray(launcher):
        workers = cores_of_a_job(launcher)
    else:
        workers = max(1, usable_cores() // _launcher_jobs(launcher))
    return replace(plan, parallel=replace(plan.parallel, workers=workers))
