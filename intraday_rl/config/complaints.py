"""What a user got wrong, in one line, out of the errors of Hydra, OmegaConf and YAML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from intraday_rl.errors import ConfigError, IntradayRLError

# ValueError: a group set to null; RecursionError: interpolations that refer to each other.
COMPOSITION_ERRORS = (
    HydraException,
    OmegaConfBaseException,
    YAMLError,
    ValueError,
    RecursionError,
)


class ConfigProblem(IntradayRLError):
    """The configuration cannot be composed or built."""

    exit_code = 2


def complaint(error: Exception, overrides: Sequence[str] = ()) -> IntradayRLError:
    """Key, value and remedy of an error that was met while composing `overrides`."""
    text = str(error)
    if isinstance(error, OverrideParseException):
        reason = text.splitlines()[0].removeprefix("Error parsing override ")
        return ConfigProblem(
            f"{error.override}: is not key=value; quote what has special characters ({reason})"
        )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return ConfigError(group, name, f"choose one of {', '.join(error.options)}")
    if found := re.match(r"Could not override '(.*?)'\.\nTo append .* use \+(.*)", text):
        key, value = found[1], found[2].partition("=")[2]
        return unknown_key(key, value, getattr(error.__cause__, "object_type", None))
    if found := re.match(r"Error merging override (.*)", text):
        return ConfigProblem(f"{found[1]}: {one_line(error.__cause__ or error)}")
    if isinstance(error, RecursionError):
        return ConfigProblem(f"{' '.join(overrides)}: values that refer to each other in a circle")
    if isinstance(error, ValueError):
        return ConfigProblem(f"{' '.join(overrides)}: {one_line(error)}")
    return ConfigProblem(one_line(error))


def unknown_key(key: str, value: object, part: object) -> ConfigError:
    """The error for a key that its part does not have; `part` is the part's class."""
    known = [entry.name for entry in fields(part)] if is_dataclass(part) else []
    parent, _, last = key.rpartition(".")
    close = get_close_matches(last, known, n=1)
    where = parent or "a plan"
    if close:
        remedy = f"did you mean {f'{parent}.' if parent else ''}{close[0]}?"
    else:
        remedy = f"{where} has {', '.join(sorted(known))}" if known else f"{where} takes no options"
    return ConfigError(key, value, f"no such key; {remedy}")


def one_line(error: BaseException) -> str:
    """The whole chain of an error in one readable line."""
    cause: BaseException | None = error
    parts: list[str] = []
    while cause is not None:
        text = " ".join(_said(str(cause).splitlines()))
        key = getattr(cause, "full_key", None)
        text = f"{key}: {text}" if key and key not in text else text
        if text and not any(text in known for known in parts):
            parts.append(text)
        cause = cause.__cause__
    return "; ".join(parts) or type(error).__name__


def _said(lines: Iterable[str]) -> list[str]:
    """Lines for a user: nothing about object types, nothing about where configs are looked for."""
    kept: list[str] = []
    for line in map(str.strip, lines):
        if line.startswith("Config search path"):
            break
        if line and not line.startswith(("object_type=", "reference_type=", "full_key:")):
            kept.append(line)
    return kept
