"""The table of parts: every class that a configuration can choose, and nothing else."""

from __future__ import annotations

from functools import cache

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from intraday_rl.agents.baselines import Flat, Hold, Random
from intraday_rl.agents.sac import Sac, SacJax
from intraday_rl.market.sources import FileData, StoreData
from intraday_rl.market.synthetic import SyntheticData
from intraday_rl.market.windows import AutoWindows, CanonicalWindows, ExplicitWindows
from intraday_rl.plan import Plan
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
from intraday_rl.tracking.parts import MlflowTracking, NoTracking
from intraday_rl.trading.actions import LongFlatAction, TargetAction
from intraday_rl.trading.rewards import (
    DifferentialSharpe,
    DownsideDeviation,
    LogReturn,
    NetReturn,
)

# Where a group offers parts of different classes: group path -> kind -> class.
PARTS: dict[str, dict[str, type]] = {
    "task": {
        "walk_forward": WalkForward,
        "final_fit": FinalFit,
        "fine_tune": FineTune,
        "fine_tune_study": FineTuneStudy,
        "promote": Promote,
        "cost_surface": CostSurface,
        "audit": Audit,
        "verdict": Verdict,
        "status": Status,
        "clean": Clean,
        "download": Download,
        "import": ImportBars,
        "inspect": Inspect,
        "paper": Paper,
        "serve": Serve,
    },
    "data": {"synthetic": SyntheticData, "file": FileData, "store": StoreData},
    "env/action": {"target": TargetAction, "long_flat": LongFlatAction},
    "reward": {
        "dsr": DifferentialSharpe,
        "downside": DownsideDeviation,
        "net_return": NetReturn,
        "log_return": LogReturn,
    },
    "agent": {"sac": Sac, "sac_jax": SacJax, "flat": Flat, "hold": Hold, "random": Random},
    "windows": {"canonical": CanonicalWindows, "auto": AutoWindows, "explicit": ExplicitWindows},
    "tracking": {"mlflow": MlflowTracking, "none": NoTracking},
}


@cache
def register() -> None:
    """Put every schema where the YAML files look for it."""
    store = ConfigStore.instance()
    store.store(name="plan_schema", node=plan_schema())
    for group, kinds in PARTS.items():
        for kind, part in kinds.items():
            store.store(group=f"schema/{group}", name=kind, node=part)


def plan_schema() -> DictConfig:
    """The plan's schema with an open place for each group's part.

    A place that holds a part by default would refuse the other kinds.
    """
    schema: DictConfig = OmegaConf.structured(Plan)
    for group in PARTS:
        OmegaConf.update(schema, group.replace("/", "."), "???", merge=False)
    return schema


def part_at(plan: object, group: str) -> object:
    """What stands at a group's place in a plan."""
    for name in group.split("/"):
        plan = getattr(plan, name)
    return plan


def kind_of(group: str, part: object) -> str:
    """The kind of a built part, such as `dsr` for the reward."""
    return next(kind for kind, part_class in PARTS[group].items() if type(part) is part_class)
