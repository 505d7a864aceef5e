"""What a word that stands for several says: a file of `preset`, `experiment` or `debug`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from intraday_rl.config.composing import conf_folder

GROUPS = ("preset", "experiment", "debug")  # the later one wins, as in conf/config.yaml
PARTS_OF_DEBUG = ("agent", "data")


def bundles(words: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Each of the words that names such a file, in the order in which they win.

    | key | what |
    |---|---|
    | `choices` | group -> option |
    | `values` | key -> value |
    | `parts` | group -> option -> values: what `debug` says of one agent or one source of data |

    A file that starts from another one, or that lies elsewhere, is left out.
    """
    found = {}
    for group in GROUPS:
        for word in (one for one in words if one.startswith(f"{group}=")):
            content = _content(group, word.partition("=")[2])
            if content is not None:
                found[word] = content
    return found


def _content(group: str, option: str) -> dict[str, Any] | None:
    file = conf_folder() / group / f"{option}.yaml"
    if not file.is_file():
        return None
    content = OmegaConf.load(file)
    assert isinstance(content, DictConfig)
    defaults = content.get("defaults") or ()
    if any(not isinstance(one, DictConfig) and one != "_self_" for one in defaults):
        return None
    pairs = [one for one in defaults if isinstance(one, DictConfig)]
    parts = {part: _of_parts(part, option) for part in PARTS_OF_DEBUG if group == "debug"}
    return {
        "choices": {
            str(name).removeprefix("override ").lstrip("/"): str(chosen)
            for pair in pairs
            for name, chosen in pair.items()
        },
        "values": _values(file),
        "parts": parts,
    }


def _of_parts(part: str, option: str) -> dict[str, dict[str, Any]]:
    files = (conf_folder() / "debug" / part).glob(f"{option}_*.yaml")
    return {
        file.stem.removeprefix(f"{option}_"): {
            f"{part}.{key}": value for key, value in _values(file).items()
        }
        for file in files
    }


def _values(file: Path) -> dict[str, Any]:
    content = OmegaConf.to_container(OmegaConf.load(file))
    assert isinstance(content, dict)
    content.pop("defaults", None)
    return dict(_flat(content, ""))


def _flat(content: Mapping[Any, Any], below: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in content.items():
        here = f"{below}.{key}" if below else str(key)
        found += _flat(value, here) if isinstance(value, Mapping) else [(here, value)]
    return found
