"""Building: from a composed configuration to a plan whose parts have checked their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from intraday_rl.config.complaints import ConfigProblem, complaint, unknown_key
from intraday_rl.config.composing import compose_config
from intraday_rl.config.parts import PARTS, part_at
from intraday_rl.config.saving import saved_config
from intraday_rl.errors import ConfigError
from intraday_rl.plan import Plan

SAVED_PLAN = "plan="


def compose_plan(overrides: Sequence[str]) -> Plan:
    """The plan that `overrides` ask for; `plan=<a run's plan.yaml>` starts from that run."""
    files = [text.removeprefix(SAVED_PLAN) for text in overrides if text.startswith(SAVED_PLAN)]
    if not files:
        return build(compose_config(overrides))
    try:
        text = Path(files[-1]).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError("plan", files[-1], f"cannot be read ({error})") from error
    return build(saved_config(text, [o for o in overrides if not o.startswith(SAVED_PLAN)]))


def reload(text: str) -> Plan:
    """The plan of a `plan.yaml`; a key or kind that this version does not know is refused."""
    return build(saved_config(text))


def build(config: DictConfig) -> Plan:
    """The typed plan of a composed configuration; every part checks its own values."""
    try:
        for path, node in _parts(config, ""):
            _refuse_unknown_keys(node, path)
            if path:
                _build_part(node, path)
        plan = OmegaConf.to_object(config)
    except (OmegaConfBaseException, RecursionError) as error:
        raise complaint(error) from error
    if not isinstance(plan, Plan):
        raise ConfigProblem("the configuration is not a plan; compose it from conf/config.yaml")
    for group, kinds in PARTS.items():
        if type(part_at(plan, group)) not in kinds.values():
            key, value = group.replace("/", "."), part_at(plan, group)
            raise ConfigError(key, value, f"must be one of {', '.join(kinds)}: {group}=<one>")
    return plan


def _parts(node: DictConfig, path: str) -> Iterator[tuple[str, DictConfig]]:
    """Every part of the tree with its path, leaves first, the root (path "") last."""
    for key in map(str, node):
        name = f"{path}.{key}" if path else key
        if OmegaConf.is_missing(node, key):
            raise ConfigError(name, "???", f"has no default; give {name}=<value>")
        child = node[key]
        if isinstance(child, DictConfig) and is_dataclass(OmegaConf.get_type(child)):
            yield from _parts(child, name)
    yield path, node


def _refuse_unknown_keys(node: DictConfig, path: str) -> None:
    """`+key=value` slips past the schema while composing; a key no part reads is a typo."""
    part = OmegaConf.get_type(node)
    if part is None or not is_dataclass(part):
        raise ConfigProblem(f"{path or 'the configuration'} is not a known part")
    known = {entry.name for entry in fields(part)}
    for key in map(str, node):
        if key not in known:
            raise unknown_key(f"{path}.{key}" if path else key, node[key], part)


def _build_part(node: DictConfig, path: str) -> None:
    try:
        OmegaConf.to_object(node)
    except ConfigError as error:
        if error.key.startswith(f"{path}."):
            raise
        raise error.under(path) from None
