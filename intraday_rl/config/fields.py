"""The options of one part as plain data, read from the part itself.

Names, types and defaults come from its fields, help and units from the tables in its docstring,
ranges from what it checks while it is built.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf import OmegaConf

from intraday_rl.errors import ConfigError, Range, recorded_ranges

_ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)
_NAME = re.compile(r"\w+")
_SIDES = {"_buy": "of buys", "_sell": "of sells"}
_TYPES: dict[object, str] = {int: "integer", float: "number", bool: "boolean", str: "string"}
_TRIAL = 1  # a value for what is null by default, so that its check is reached


@dataclass(frozen=True, slots=True)
class Field:
    """One option.

    | field | what |
    |---|---|
    | `key` | dotted, as on the command line |
    | `type` | integer, number, boolean, string, choice, list of one of these, or list of maps |
    | `choices` | of a choice |
    | `required` | has no default |
    | `range` | null where there is none, or another rule |
    """

    name: str
    key: str
    type: str
    nullable: bool
    default: Any
    required: bool
    choices: tuple[str, ...]
    unit: str
    help: str
    range: Range | None


def describe_part(part: type, path: str, built: object | None = None) -> tuple[Field, ...]:
    """The fields of a part that lies at `path`; defaults are those of `built`, if it is given.

    Parts inside it are left out, and what has no type that a form could check.
    """
    hints = get_type_hints(part)
    rows = _documented(part)
    ranges = _ranges(part)
    found = []
    for entry in fields(part):
        kind = _type(hints[entry.name])
        if kind is None:
            continue
        name, (type_name, nullable, choices) = entry.name, kind
        required = _has_no_default(entry.default, entry.default_factory)
        default = None if required else _default(entry, built)
        unit, text = _words(rows, name)
        key = f"{path}.{name}" if path else name
        found.append(
            Field(
                name, key, type_name, nullable, default, required, choices, unit, text,
                ranges.get(name),
            )
        )  # fmt: skip
    return tuple(found)


def help_of(part: type) -> str:
    """The first sentence of its docstring."""
    text = (part.__doc__ or "").strip().partition("\n\n")[0]
    return " ".join(text.split())


def _type(hint: Any) -> tuple[str, bool, tuple[str, ...]] | None:
    """(name, nullable, choices) of an annotation; None for what a form cannot check."""
    if get_origin(hint) in (Union, types.UnionType):
        others = [one for one in get_args(hint) if one is not type(None)]
        inner = _type(others[0]) if len(others) == 1 else None
        return None if inner is None else (inner[0], True, inner[2])
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "choice", False, tuple(member.name for member in hint)
    if get_origin(hint) is list:
        (item,) = get_args(hint)
        if get_origin(item) is dict:
            return "list of maps", False, ()
        return (f"list of {_TYPES[item]}s", False, ()) if item in _TYPES else None
    return (_TYPES[hint], False, ()) if hint in _TYPES else None


def _has_no_default(default: Any, factory: Any) -> bool:
    return (default is MISSING and factory is MISSING) or default == "???"


def _default(entry: Any, built: object | None) -> Any:
    if built is None:
        value = entry.default if entry.default is not MISSING else entry.default_factory()
    else:
        value = getattr(built, entry.name)
    return plain(value)


def plain(value: Any) -> Any:
    """A value as JSON takes it."""
    if OmegaConf.is_config(value):
        return OmegaConf.to_container(value, enum_to_str=True)
    return value.name if isinstance(value, Enum) else value


def _ranges(part: type) -> dict[str, Range]:
    """What the part asks about while it is built, also of what is null by default."""
    hints = get_type_hints(part)
    optional = [
        entry.name
        for entry in fields(part)
        if (kind := _type(hints[entry.name])) and kind[1] and kind[0] in ("integer", "number")
    ]
    found = _asked(part, {})
    for name in optional:
        if name not in found:
            # A second try without the others: some are given one at a time.
            alone = dict.fromkeys(optional) | {name: _TRIAL}
            for values in ({name: _TRIAL}, alone):
                found |= {key: one for key, one in _asked(part, values).items() if key == name}
    return found


def _asked(part: type, values: dict[str, Any]) -> dict[str, Range]:
    with recorded_ranges() as found:
        try:
            part(**values)
        except (ConfigError, TypeError):  # refused, or nothing without a value that has no default
            return dict(found)
    return dict(found)


def _documented(part: type) -> dict[str, tuple[str, str]]:
    """(unit, help) by field, from the tables in the docstrings of the part and its bases."""
    found: dict[str, tuple[str, str]] = {}
    for one in reversed(part.__mro__):
        if is_dataclass(one):
            found |= _table(one.__doc__ or "")
    return found


def _table(text: str) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    header: list[str] = []
    for row in _ROW.findall("\n".join(line.strip() for line in text.splitlines())):
        cells = [cell.strip() for cell in row.split("|")]
        if cells[0] == "field":
            header = cells
        elif header and not set(cells[0]) <= {"-"}:
            names = _NAME.findall(cells[0])
            unit = cells[1] if header[1] == "unit" else ""
            text = cells[-1] if header[1] != "unit" or len(cells) > 2 else ""
            units = unit.split(", ") if unit.count(",") == len(names) - 1 else [unit] * len(names)
            found |= {name: (each, text) for name, each in zip(names, units, strict=True)}
    return found


def _words(rows: Mapping[str, tuple[str, str]], name: str) -> tuple[str, str]:
    """Unit and help; one side's field is explained by the common one's."""
    for ending, side in _SIDES.items():
        common = name.removesuffix(ending)
        if name not in rows and common != name and common in rows:
            return rows[common][0], f"{side}; null = {common}"
    unit, text = rows.get(name, ("", ""))
    return ("" if unit == "-" else unit), text.replace("`", "")
