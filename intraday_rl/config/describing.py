"""Every choice of a configuration as plain data, for forms and typed payloads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from math import isfinite
from typing import Any, get_type_hints

from omegaconf import DictConfig, OmegaConf

from intraday_rl.config.building import compose_plan
from intraday_rl.config.composing import conf_folder
from intraday_rl.config.fields import describe_part, help_of, plain
from intraday_rl.config.parts import PARTS
from intraday_rl.plan import Plan

_SCHEMA = re.compile(r"/schema/(.+)/(\w+)@_here_")
_GROUP = re.compile(r"\w+(/\w+)*")


def described() -> dict[str, Any]:
    """What can be chosen and set, as JSON takes it.

    | key | what |
    |---|---|
    | `groups` | name -> `default` and `options`: name -> `kind`, `help`, `fields` |
    | `sections` | what lies in no group: path in the plan ("" for its top) -> fields |
    | `tasks` | name -> `help`, `fields`, and `parts` inside it: name -> `help` and `fields` |
    """
    groups = {
        name: {"default": option, "options": _options(name)}
        for name, option in _defaults().items()
        if name not in ("task", "env")
    }
    parts = {name: part for name, part in _parts_of(Plan).items() if name not in groups}
    sections = {name: _fields(part, name) for name, part in parts.items()}
    return {
        "groups": groups,
        "sections": {"": _fields(Plan, ""), **sections},
        "tasks": {
            name: {**_described(part, "task"), "parts": _inner(part, "task")}
            for name, part in PARTS["task"].items()
        },
    }


def presets() -> dict[str, dict[str, Any]]:
    """Every file of `conf/preset`: `help`, the `choices` it makes, the `values` it sets."""
    found = {}
    for file in sorted((conf_folder() / "preset").glob("*.yaml")):
        said = [line[2:] for line in file.read_text("utf-8").splitlines() if line.startswith("# ")]
        content = OmegaConf.load(file)
        values = OmegaConf.to_container(content)
        assert isinstance(values, dict)
        values.pop("defaults", None)
        choices = {group.removeprefix("override /"): one for group, one in _chosen(content)}
        plan = compose_plan([f"preset={file.stem}"])
        found[file.stem] = {
            "help": " ".join(said[1:]),  # the first comment names the package
            "choices": choices,
            "values": _taken(values, plan),
        }
    return found


def _options(group: str) -> dict[str, Any]:
    """Every file of `conf/<group>` with what it sets."""
    found = {}
    for file in sorted((conf_folder() / group).glob("*.yaml")):
        content = OmegaConf.load(file)
        assert isinstance(content, DictConfig)
        kind, part = _part_of(group, content)
        values = {key: value for key, value in content.items() if key != "defaults"}
        built = OmegaConf.merge(OmegaConf.structured(part), values)
        fields = _fields(part, group.replace("/", "."), built)
        found[file.stem] = {"kind": kind, "help": help_of(part), "fields": fields}
    return found


def _parts_of(part: type) -> dict[str, type]:
    """The parts that lie inside one, by the name of their place."""
    return {
        name: inner
        for name, inner in get_type_hints(part).items()
        if isinstance(inner, type) and is_dataclass(inner)
    }


def _inner(part: type, path: str) -> dict[str, Any]:
    return {name: _described(one, f"{path}.{name}") for name, one in _parts_of(part).items()}


def _described(part: type, path: str) -> dict[str, Any]:
    return {"help": help_of(part), "fields": _fields(part, path)}


def _fields(part: type, path: str, built: object | None = None) -> list[dict[str, Any]]:
    """JSON has no infinity: an end that is none is null."""
    content = [asdict(one) for one in describe_part(part, path, built)]
    for one in content:
        for end in ("low", "high"):
            if one["range"] and not isfinite(one["range"][end]):
                one["range"][end] = None
    return content


def _part_of(group: str, content: DictConfig) -> tuple[str, type]:
    """The kind a file names in its defaults; else the group has one part, which the plan names."""
    for one in content.get("defaults") or ():
        if isinstance(one, str) and (found := _SCHEMA.fullmatch(one)):
            return found[2], PARTS[found[1]][found[2]]
    part: type = Plan
    for name in group.split("/"):
        part = get_type_hints(part)[name]
    return group.rpartition("/")[2], part


def _defaults() -> dict[str, str]:
    """What each group is where nobody says otherwise; settings of this machine are not seen."""
    root = dict(_chosen(OmegaConf.load(conf_folder() / "config.yaml")))
    env = _chosen(OmegaConf.load(conf_folder() / "env" / f"{root['env']}.yaml"))
    every = {**root, **{f"env/{group}": option for group, option in env}}
    return {group: option for group, option in every.items() if _GROUP.fullmatch(group)}


def _chosen(config: Any) -> list[tuple[str, str]]:
    """The entries `group: option` of a defaults list."""
    pairs = [one for one in config.get("defaults") or () if isinstance(one, DictConfig)]
    return [
        (str(group), str(option))
        for pair in pairs
        for group, option in pair.items_ex(resolve=False)
        if option is not None
    ]


def _taken(values: Mapping[Any, Any], built: object) -> dict[str, Any]:
    """The same keys with what a plan has there: the values as the parts understand them."""
    return {
        key: _taken(value, getattr(built, key))
        if isinstance(value, Mapping)
        else plain(getattr(built, key))
        for key, value in values.items()
    }
