"""What is asked for beside the model must agree with the model: the first that differs is refused.

A value counts as asked for if a word of the command names its key or group, or if it differs from
the defaults, as after a preset or an experiment. What nobody asked for is the bundle's.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from intraday_rl.errors import ConfigError
from intraday_rl.saved_plan import SavedPlan

COST_BOOK = ("env.slippage", "env.impact", "env.commission", "env.fees", "env.financing")
FILL_RULE = ("env.fill", "env.cutoff", "env.action", "env.initial_equity")
SETTINGS = ("agent", "reward", "features")


def check_asked(
    sections: Sequence[str],
    asked: SavedPlan,
    defaults: SavedPlan,
    bundle_yaml: str,
    command: Sequence[str],
) -> None:
    """Refuse the first value under `sections` that was asked for and is not the bundle's."""
    content = yaml.safe_load(bundle_yaml)
    own_kinds: Mapping[str, str] = content["kinds"]
    words = _typed(command)
    for section in sections:
        group = section.replace(".", "/")
        kind, own = asked.kinds.get(group), own_kinds.get(group)
        named = section in words or kind != defaults.kinds.get(group)
        if named and kind != own:
            raise _refusal(section, kind, own)
        if kind != own:  # nobody asked: other kinds have other keys
            continue
        theirs = dict(_leaves(_at(defaults.values, section), section))
        bundles = dict(_leaves(_at(content, section), section))
        for key, value in _leaves(_at(asked.values, section), section):
            typed = any(key == word or key.startswith(f"{word}.") for word in words)
            if (typed or theirs.get(key, value) != value) and bundles.get(key) != value:
                raise _refusal(key, value, bundles.get(key))


def _refusal(key: str, value: object, own: object) -> ConfigError:
    remedy = f"the model has {own}, and fine-tuning keeps it; leave {key} out or train anew"
    return ConfigError(key, value, remedy)


def _typed(command: Sequence[str]) -> set[str]:
    """Keys and groups named by the words of a quoted command, dotted."""
    words = shlex.split(" ".join(command))
    return {word.partition("=")[0].lstrip("+~").replace("/", ".") for word in words if "=" in word}


def _at(values: Mapping[str, Any], section: str) -> Any:
    found: Any = values
    for name in section.split("."):
        found = found[name]
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        yield path, value
        return
    for key, item in value.items():
        yield from _leaves(item, f"{path}.{key}")
