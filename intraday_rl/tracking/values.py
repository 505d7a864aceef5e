"""Plain text and plain JSON for values of a config, of tags and of reports."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path

_REFUSED_IN_KEYS = re.compile(r"[^\w\-. :/]")
_CUT_MARK = " ... (cut)"


def flatten(tree: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Nested mappings as dotted keys with text values; lists stay one value, written as JSON."""
    flat: dict[str, str] = {}
    for key, value in tree.items():
        # MLflow refuses other characters; the resolved config in the artifacts has the real key
        path = prefix + _REFUSED_IN_KEYS.sub("_", str(key))
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{path}."))
        else:
            flat[path] = as_text(value)
    return flat


def as_text(value: object) -> str:
    """One value as YAML would spell it: `true`, `null`, the name of an enum, JSON for lists."""
    if isinstance(value, str):
        return value
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if value is None or isinstance(value, bool | int | float | Mapping | list | tuple):
        return json.dumps(plain(value))
    return str(value)


def plain(value: object) -> object:
    """JSON-safe copy: numbers that are not finite become null, enums names, paths text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return plain(value.tolist())
    if isinstance(value, Sequence | set | frozenset):
        return [plain(item) for item in value]
    return str(value)


def cut(text: str, limit: int) -> str:
    """`text`, shortened to `limit` characters with a visible mark where it was cut."""
    return text if len(text) <= limit else text[: limit - len(_CUT_MARK)] + _CUT_MARK
