"""`search=...`: trials proposed by Optuna, carried out as jobs of a multirun.

space     axes written in Hydra's grammar, as Optuna's distributions and as overrides
study     which search is the same search, and its journal on disk
trials    ask, launch, tell, until n_trials have ended
pruning   a trial looks at the others and is given up
summary   what was found, on the terminal and in trials.csv
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from hydra.conf import HydraConf
from omegaconf import DictConfig

from intraday_rl.config import ConfigProblem
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder, read_json
from intraday_rl.tracking.tracker import open_tracker

TARGET = "hydra_plugins.intraday_rl_sweeper.SearchSweeper"


def is_search(hydra: DictConfig | HydraConf) -> bool:
    """Whether the chosen sweeper is ours."""
    return bool(hydra.sweeper._target_ == TARGET)


def require_optuna() -> None:
    """Refuse a search where the library behind it is not installed."""
    if find_spec("optuna") is None:
        raise ConfigProblem("a search needs Optuna: pip install 'intraday-rl[optuna]'")


def tag_trial(plan: Plan, run_key: str, study: str, trial: int) -> None:
    """Name study and trial on the MLflow runs of a job that has ended."""
    from intraday_rl.research.recording import RUN_IDS

    path = RunFolder.of(plan.paths.outputs, run_key).path / RUN_IDS
    if not path.is_file():
        return
    tracker, ids = open_tracker(plan.tracking, Path(plan.paths.outputs)), read_json(path)
    for run_id in (ids["parent"], *ids["children"].values()):
        tracker.set_tags(run_id, {"search_study": study, "search_trial": trial})
