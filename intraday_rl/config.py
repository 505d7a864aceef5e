"""From YAML and command line to a `Plan`: the table of parts, composing, saving, reloading.

A part is a dataclass; its class is its schema. OmegaConf checks types while composing and builds
the objects afterwards, so nothing in a configuration ever names code: there is no `_target_`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from intraday_rl.agents.baselines import Flat, Hold, Random
from intraday_rl.agents.sac import Sac
from intraday_rl.errors import ConfigError, IntradayRLError
from intraday_rl.market.sources import FileData
from intraday_rl.market.synthetic import SyntheticData
from intraday_rl.market.windows import AutoWindows, CanonicalWindows, ExplicitWindows
from intraday_rl.plan import Plan
from intraday_rl.saved_plan import SavedPlan
from intraday_rl.tasks import FinalFit, WalkForward
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
    "task": {"walk_forward": WalkForward, "final_fit": FinalFit},
    "data": {"synthetic": SyntheticData, "file": FileData},
    "env/action": {"target": TargetAction, "long_flat": LongFlatAction},
    "reward": {
        "dsr": DifferentialSharpe,
        "downside": DownsideDeviation,
        "net_return": NetReturn,
        "log_return": LogReturn,
    },
    "agent": {"sac": Sac, "flat": Flat, "hold": Hold, "random": Random},
    "windows": {"canonical": CanonicalWindows, "auto": AutoWindows, "explicit": ExplicitWindows},
    "tracking": {"mlflow": MlflowTracking, "none": NoTracking},
}
CONFIG_NAME = "config"


@cache
def conf_folder() -> Path:
    """`conf`: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / f"{CONFIG_NAME}.yaml").is_file():
            return folder
    raise ConfigError("conf", str(package.parent / "conf"), "the folder is missing; reinstall")


@cache
def register() -> None:
    """Put every schema where the YAML files look for it."""
    store = ConfigStore.instance()
    store.store(name="plan_schema", node=Plan)
    for group, kinds in PARTS.items():
        for kind, part in kinds.items():
            store.store(group=f"schema/{group}", name=kind, node=part)


def compose_config(overrides: Sequence[str]) -> DictConfig:
    """The configuration that the command line `overrides` ask for."""
    register()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            return compose(CONFIG_NAME, list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigProblem(one_line(error)) from error


class ConfigProblem(IntradayRLError):
    """The configuration does not compose."""

    exit_code = 2


def compose_plan(overrides: Sequence[str]) -> Plan:
    """Compose and build in one go."""
    return build(compose_config(overrides))


def build(config: DictConfig) -> Plan:
    """The typed plan of a composed configuration; every part checks its own values."""
    _refuse_unknown_keys(config)
    try:
        for path in _part_paths(config):
            _build_part(config, path)
        plan = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise ConfigProblem(one_line(error)) from error
    if not isinstance(plan, Plan):
        raise ConfigProblem("the configuration is not a plan; compose it from conf/config.yaml")
    return plan


def one_line(error: Exception) -> str:
    """The whole chain of a composition error in one readable line."""
    cause: BaseException | None = error
    parts: list[str] = []
    while cause is not None:
        text = " ".join(
            line.strip()
            for line in str(cause).splitlines()
            if line.strip()
            and not line.strip().startswith(("object_type=", "reference_type=", "full_key:"))
        )
        key = getattr(cause, "full_key", None)
        text = f"{key}: {text}" if key and key not in text else text
        if text and not any(text in known for known in parts):
            parts.append(text)
        cause = cause.__cause__
    return "; ".join(parts)


def saved(plan: Plan) -> SavedPlan:
    """What `plan.yaml` holds and what identities are computed from; reloads to an equal plan."""
    kinds = {group: kind_of(group, _at(plan, group)) for group in PARTS}
    values = OmegaConf.to_container(OmegaConf.structured(plan), enum_to_str=True)
    if not isinstance(values, dict):
        raise TypeError("a structured plan is a mapping")
    plain = {str(key): value for key, value in values.items()}
    return SavedPlan(kinds, plain, yaml.safe_dump({"kinds": kinds, **plain}, sort_keys=False))


def kind_of(group: str, part: object) -> str:
    """The kind of a built part, such as `dsr` for the reward."""
    return next(kind for kind, part_class in PARTS[group].items() if type(part) is part_class)


def reload(text: str) -> Plan:
    """The plan of a `plan.yaml`; a key or kind that this version does not know is refused."""
    try:
        values = yaml.safe_load(text)
        kinds = values.pop("kinds")
        config = OmegaConf.structured(Plan)
        for group, kind in kinds.items():
            OmegaConf.update(
                config, group.replace("/", "."), OmegaConf.structured(PARTS[group][kind])
            )
        merged = OmegaConf.merge(config, values)
    except (yaml.YAMLError, OmegaConfBaseException, KeyError, AttributeError, TypeError) as error:
        raise ConfigProblem(f"plan.yaml is not readable by this version: {error}") from error
    if not isinstance(merged, DictConfig):
        raise ConfigProblem("plan.yaml is not a mapping of keys to values")
    return build(merged)


def _at(plan: object, group: str) -> object:
    for name in group.split("/"):
        plan = getattr(plan, name)
    return plan


def _part_paths(config: DictConfig) -> list[str]:
    """Every dataclass node below the root, leaves of the tree first."""
    paths: list[str] = []

    def walk(node: DictConfig, path: str) -> None:
        for key in map(str, node):
            name = f"{path}.{key}" if path else key
            if OmegaConf.is_missing(node, key):
                raise ConfigError(name, "???", "has no default; give it on the command line")
            child = node[key]
            if isinstance(child, DictConfig):
                walk(child, name)
                if is_dataclass(OmegaConf.get_type(child)):
                    paths.append(name)

    walk(config, "")
    return paths


def _refuse_unknown_keys(config: DictConfig) -> None:
    """`+key=value` slips past the schema while composing; a key no part reads is a typo."""
    for path in ["", *_part_paths(config)]:
        node = OmegaConf.select(config, path) if path else config
        part = OmegaConf.get_type(node)
        if part is None or not is_dataclass(part):
            raise ConfigProblem(f"{path or 'the configuration'} is not a known part")
        known = {entry.name for entry in fields(part)}
        for key in map(str, node):
            if key not in known:
                where = f"{path}.{key}" if path else key
                raise ConfigProblem(
                    f"{where}: no such key; {path or 'a plan'} has {', '.join(sorted(known))}"
                )


def _build_part(config: DictConfig, path: str) -> None:
    try:
        OmegaConf.to_object(OmegaConf.select(config, path))
    except ConfigError as error:
        if error.key.startswith(path):
            raise
        raise error.under(path) from None
