"""`search=...`: trials proposed by Optuna, carried out as jobs of a multirun.

space     axes written in Hydra's grammar, as Optuna's distributions and as overrides
study     which search is the same search, and its journal on disk
trials    ask, launch, tell, until n_trials have ended
pruning   a trial looks at the others and is given up
summary   what was found, on the terminal and in trials.csv
"""

from __future__ import annotations

from importlib.util import find_spec

from hydra.conf import HydraConf
from omegaconf import DictConfig

from intraday_rl.config import ConfigProblem

TARGET = "hydra_plugins.intraday_rl_sweeper.SearchSweeper"


def is_search(hydra: DictConfig | HydraConf) -> bool:
    """Whether the chosen sweeper is ours."""
    return bool(hydra.sweeper._target_ == TARGET)


def require_optuna() -> None:
    """Refuse a search where the library behind it is not installed."""
    if find_spec("optuna") is None:
        raise ConfigProblem("a search needs Optuna: pip install 'intraday-rl[optuna]'")
