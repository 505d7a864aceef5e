"""Defaults as they stand on one server: what it was started with is the default of its jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from intraday_rl.saved_plan import SavedPlan

Groups = Mapping[str, dict[str, Any]]


def stand_on(
    groups: Groups, fields: Sequence[dict[str, Any]], record: SavedPlan, own_words: Sequence[str]
) -> None:
    """Put the server's own choices and values in place of those of the files.

    A choice that no request could name, such as a file of bars, becomes an option without fields.
    """
    said = dict(word.lstrip("+").split("=", 1) for word in own_words if "=" in word)
    for name, group in groups.items():
        part = _inside(record.values, name.split("/"))
        option = _option(name, group, record.kinds.get(name), part, said.get(name))
        standing = group["options"].setdefault(option, _unnameable(option))
        group["default"] = option
        _set(standing["fields"], record.values)
    _set(fields, record.values)


def _option(
    name: str, group: dict[str, Any], kind: str | None, part: Mapping[str, Any], said: str | None
) -> str:
    """What was said; else the option with exactly these values; else the first of that kind."""
    if said is not None:
        return said
    of_kind = {
        option: content
        for option, content in group["options"].items()
        if kind is None or content["kind"] == kind
    }
    equal = [
        option
        for option, content in of_kind.items()
        if all(part.get(field["name"]) == field["default"] for field in content["fields"])
    ]
    usual: str = group["default"]
    if usual in equal or (not equal and usual in of_kind):
        return usual
    return next(iter([*equal, *of_kind]), kind or usual)


def _set(fields: Sequence[dict[str, Any]], values: Mapping[str, Any]) -> None:
    for field in fields:
        *path, name = field["key"].split(".")
        part = _inside(values, path)
        if name in part and not field["required"] and path[:1] != ["task"]:
            field["default"] = part[name]


def _inside(values: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    found: Any = values
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _unnameable(option: str) -> dict[str, Any]:
    return {"kind": option, "help": "As this server was started.", "fields": []}
