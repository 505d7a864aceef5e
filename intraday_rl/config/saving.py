"""`plan.yaml`: a plan as plain values, and back to an equal plan."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from intraday_rl.config.complaints import ConfigProblem, complaint
from intraday_rl.config.parts import PARTS, kind_of, part_at
from intraday_rl.errors import ConfigError
from intraday_rl.plan import Plan
from intraday_rl.saved_plan import SavedPlan


def saved(plan: Plan) -> SavedPlan:
    """What `plan.yaml` holds and what identities are computed from; reloads to an equal plan."""
    kinds = {group: kind_of(group, part_at(plan, group)) for group in PARTS}
    values: dict[str, Any] = _plain(plan)
    return SavedPlan(kinds, values, yaml.safe_dump({"kinds": kinds, **values}, sort_keys=False))


def saved_config(text: str, overrides: Sequence[str] = ()) -> DictConfig:
    """The configuration of a `plan.yaml`, with plain `key=value` overrides on top."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigProblem(f"plan.yaml is not YAML: {complaint(error)}") from error
    if not isinstance(values, dict) or not isinstance(values.get("kinds"), dict):
        raise ConfigProblem("plan.yaml is not a plan: it has no 'kinds'")
    config = OmegaConf.structured(Plan)
    for group, kind in values.pop("kinds").items():
        if kind not in PARTS.get(group, ()):
            known = ", ".join(PARTS.get(group, PARTS))
            raise ConfigError(f"kinds.{group}", kind, f"unknown to this version, which has {known}")
        OmegaConf.update(config, group.replace("/", "."), OmegaConf.structured(PARTS[group][kind]))
    try:
        merged = OmegaConf.merge(config, _literal(values), OmegaConf.from_dotlist(list(overrides)))
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigProblem(f"plan.yaml: {complaint(error)}") from error
    assert isinstance(merged, DictConfig)  # a mapping merged into a mapping
    return merged


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.name if isinstance(value, Enum) else value


def _literal(value: Any) -> Any:
    """The same value with every `${` escaped: a saved plan has been resolved and stays so."""
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_literal(item) for item in value]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value
