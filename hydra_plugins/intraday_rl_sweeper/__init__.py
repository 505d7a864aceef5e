"""Hydra's door to the search: what `hydra.sweeper` takes, and a sweeper that hands over.

Hydra imports this file on every start, so it imports nothing of weight; and before the module is
known by its name, so annotations cannot be postponed.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Sampler(Enum):
    """How the next trial is proposed."""

    tpe = "tpe"
    random = "random"


class Pruner(Enum):
    """When a trial is given up before it ends."""

    none = "none"
    median = "median"


@dataclass(kw_only=True)
class SearchOptions:
    """`hydra.sweeper` of a search; docs/configuration.md says what each option means.

    `trial` is set by the search itself: the number of the trial that a job carries out.
    """

    _target_: str = "hydra_plugins.intraday_rl_sweeper.SearchSweeper"
    sampler: Sampler = Sampler.tpe
    seed: int = 0
    n_trials: int = 20
    batch: int | None = None
    max_failure_rate: float = 0.2
    pruner: Pruner = Pruner.none
    params: dict[str, Any] = field(default_factory=dict)
    trial: int | None = None


class SearchSweeper(Sweeper):
    """Asks for trials, launches them, tells what came of them."""

    def __init__(self, **options: object) -> None:
        self.options = options

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        from hydra.core.plugins import Plugins

        from intraday_rl.entry.search.trials import run_trials

        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self.hydra_context, task_function=self.task_function, config=self.config
        )
        run_trials(self.config.hydra, launcher.launch, arguments)


ConfigStore.instance().store(group="hydra/sweeper", name="search", node=SearchOptions)
