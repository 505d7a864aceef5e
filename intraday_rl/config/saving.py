"""`plan.yaml`: a plan as plain values, and back to an equal plan."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from intraday_rl.config.complaints import ConfigProblem, complaint, one_line, unknown_key
from intraday_rl.config.parts import PARTS, kind_of, part_at, plan_schema
from intraday_rl.errors import ConfigError
from intraday_rl.plan import Plan
from intraday_rl.saved_plan import SavedPlan

# What OmegaConf lets through of a value that does not fit; a number of many digits is no float.
UNFIT = (OmegaConfBaseException, TypeError, LookupError, AttributeError, OverflowError)


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
    config = plan_schema()
    for group, kind in values.pop("kinds").items():
        if kind not in PARTS.get(group, ()):
            known = ", ".join(PARTS.get(group, PARTS))
            raise ConfigError(f"kinds.{group}", kind, f"unknown to this version, which has {known}")
        OmegaConf.update(config, group.replace("/", "."), OmegaConf.structured(PARTS[group][kind]))
    try:
        config.merge_with(_literal(values))
    except (OmegaConfBaseException, OverflowError) as error:
        raise ConfigProblem(f"plan.yaml: {complaint(error)}") from error
    _override(config, overrides)
    return config


def _override(config: DictConfig, overrides: Sequence[str]) -> None:
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise complaint(error) from error
    for text, override in zip(overrides, parsed, strict=True):
        key = override.key_or_group
        if override.type is not OverrideType.CHANGE or override.is_sweep_override():
            raise ConfigProblem(f"{text}: a saved plan takes key=value only")
        if key.replace(".", "/") in PARTS or "/" in key:
            raise ConfigProblem(f"{text}: a saved plan keeps its parts; start from a command line")
        try:
            OmegaConf.update(config, key, override.value())
        except (ConfigAttributeError, ConfigKeyError) as error:
            raise unknown_key(key, override.value(), error.object_type) from error
        except UNFIT as error:
            raise ConfigProblem(f"{text}: {one_line(error)}") from error


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
