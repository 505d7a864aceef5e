"""From a typed payload to the words of a command line: quoted, so that a value stays a value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from intraday_rl.errors import ConfigError

# What the grammar takes for a word without quotes, and not for a number, a switch or nothing.
BARE = re.compile(r"(?!(?i:true|false|null|nan|inf)$)[A-Za-z_][A-Za-z0-9_]*")
NOT_OPTIONS = ("dry_run", "cron", "preset", "name", "auto_restart")


def words_of(payload: BaseModel, *, below: str = "", flat: str = "") -> list[str]:
    """Choices first, then values, of what was sent and of nothing else.

    `below`: where in the configuration the payload lies; `flat`: where its own plain values lie,
    if elsewhere, as the options of a task do, with the parts inside it that are of no group.
    """
    said = list(_words(payload, below, flat))
    return [word for choice, word in said if choice] + [word for choice, word in said if not choice]


def literal(value: Any) -> str:
    """A value as the override grammar reads it back."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{','.join(map(literal, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{literal(one)}" for key, one in value.items()) + "}"
    if not isinstance(value, str) or "${" in value or "\\" in value or not value.isprintable():
        raise ConfigError("value", repr(value), "cannot be written on a command line")
    if BARE.fullmatch(value):
        return value
    escaped = value.replace("'", r"\'")
    return f"'{escaped}'"


def _words(payload: BaseModel, below: str, flat: str) -> Iterator[tuple[bool, str]]:
    for name in type(payload).model_fields:
        if name not in payload.model_fields_set or name in NOT_OPTIONS:
            continue
        value = getattr(payload, name)
        if name == "kind":
            yield True, f"{below.replace('.', '/')}={value}"
        elif isinstance(value, BaseModel):
            of_task = flat and not below and "kind" not in type(value).model_fields
            around = flat if of_task else below
            yield from _words(value, f"{around}.{name}" if around else name, "")
        elif value is not None or _may_be_null(payload, name):
            path = flat if flat and not below and name not in ("symbol", "benchmark") else below
            yield False, f"{path}.{name}={literal(value)}" if path else f"{name}={literal(value)}"


def _may_be_null(payload: BaseModel, name: str) -> bool:
    """Null is a value of an option, and for a group or a section the same as saying nothing."""
    default = type(payload).model_fields[name].annotation
    return not any(
        isinstance(one, type) and issubclass(one, BaseModel) for one in _members(default)
    )


def _members(annotation: Any) -> Iterator[Any]:
    yield annotation
    for one in getattr(annotation, "__args__", ()):
        yield from _members(one)
