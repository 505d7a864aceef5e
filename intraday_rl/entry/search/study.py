"""A study on disk: which search is the same search, its journal, and who may write it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import optuna
from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import distribution_to_json
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from intraday_rl.config import ConfigProblem, saved
from intraday_rl.entry.search.space import Space, space_of
from intraday_rl.errors import ConfigError, check_range
from intraday_rl.identity import code_hash, decisive, identity_of
from intraday_rl.plan import LARGEST_SEED, Plan
from intraday_rl.tasks import FinalFit, WalkForward

if TYPE_CHECKING:  # Hydra runs that file again on its own, which makes the class another one
    from hydra_plugins.intraday_rl_sweeper import SearchOptions

JOURNAL = "journal.log"
STARTUP_TRIALS = 10  # drawn at random before TPE has something to go by

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True, slots=True)
class Search:
    """A search that has been checked. `batch`: trials at a time; `key`: its identity."""

    space: Space
    options: SearchOptions
    batch: int
    key: str = ""

    def keyed(self, plan: Plan) -> Search:
        """The search with its identity; `plan` is the first corner of its space.

        Like a run's key without presentation; n_trials, batch and launcher only say how far and
        how fast. Other bars under the same name would mix two searches, so where they lie counts.
        """
        record, options = saved(plan), self.options
        if not isinstance(plan.task, WalkForward | FinalFit):
            remedy = "a search needs a validation score: walk_forward or final_fit"
            raise ConfigError("task", record.kinds["task"], remedy)
        settings = {
            **decisive(record.kinds, record.values),
            **{key: record.values[key] for key in ("data", "windows", "seeds")},
            "axes": {key: distribution_to_json(axis) for key, axis in self.space.axes.items()},
            "code": code_hash(),  # scores of other code are not comparable
            "sampler": [options.sampler.value, options.seed, options.pruner.value],
        }
        return replace(self, key=identity_of(settings))

    @contextmanager
    def held(self, outputs: Path, *, anew: bool) -> Iterator[Path]:
        """The study's folder for this process alone; `anew` sets aside what was there."""
        folder = outputs / "searches" / self.key
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder.with_suffix(".lock"), timeout=0):
                if anew and folder.exists():
                    folder.rename(folder.with_name(f"{self.key}-before-{time.time_ns()}"))
                folder.mkdir(exist_ok=True)
                _mend(folder / JOURNAL)
                yield folder
        except Timeout as error:
            raise ConfigProblem(
                f"{folder}: this search is running in another process; wait for it to end"
            ) from error


def search_of(hydra: DictConfig, arguments: Sequence[str], at_once: int) -> Search:
    """The search that `hydra.sweeper` and the command line ask for, its values checked."""
    options = cast("SearchOptions", OmegaConf.to_object(hydra.sweeper))
    try:
        check_range("n_trials", options.n_trials, 1)
        check_range("seed", options.seed, 0, LARGEST_SEED)
        check_range("max_failure_rate", options.max_failure_rate, 0.0, 1.0)
        check_range("batch", at_once, 1)
        if options.trial is not None:
            raise ConfigError("trial", options.trial, "is set by the search itself")
    except ConfigError as error:
        raise error.under("hydra.sweeper") from None
    return Search(space_of(arguments, options.params), options, at_once)


def open_study(folder: Path, pruner: str = "none") -> optuna.Study:
    """The study in `folder`, made when absent."""
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL))),
        study_name=folder.name,
        direction="maximize",
        load_if_exists=True,
        sampler=RandomSampler(0),
        pruner=pruner_of(pruner),
    )


def _mend(journal: Path) -> None:
    """Cut off a last line that was never finished (a full disk, a power cut)."""
    if not journal.is_file():
        return
    content = journal.read_bytes()
    if not content.endswith(b"\n"):
        with journal.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)


def sampler_of(name: str, seed: int, trial: int) -> BaseSampler:
    """The sampler of one trial: what it proposes depends on its number, not on restarts."""
    mixed = (seed * 1_000_003 + trial) % (LARGEST_SEED + 1)
    if name == "random":
        return RandomSampler(seed=mixed)
    return TPESampler(seed=mixed, n_startup_trials=STARTUP_TRIALS)


def pruner_of(name: str) -> BasePruner:
    """The pruner of a study."""
    return MedianPruner() if name == "median" else NopPruner()


def began(trial: optuna.trial.FrozenTrial, axes: Mapping[str, object]) -> bool:
    """False for a trial that was cut off before all its values were drawn."""
    return set(trial.params) == set(axes)
