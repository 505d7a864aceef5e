"""What a user got wrong, in one line, out of the errors of Hydra, OmegaConf and YAML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from intraday_rl.errors import ConfigError, IntradayRLError, one_line_of

# ValueError: a group set to null; RecursionError: interpolations that refer to each other;
# TypeError, LookupError, AttributeError: a key below what is a list or a single value;
# AssertionError: Hydra's own, of an override without a group such as +@x=y.
COMPOSITION_ERRORS = (
    HydraException,
    OmegaConfBaseException,
    OverflowError,  # a whole number of hundreds of digits where a float is wanted
    YAMLError,
    ValueError,
    RecursionError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
)
_NULL = re.compile(r"^(child )?field '.*' is not Optional$")
LONGEST_MESSAGE = 1_000
# Options of a group that come with an extra of this package.
EXTRAS = {("hydra/launcher", "ray"): "needs Ray: pip install 'intraday-rl[ray]'"}
CLOSE_ENOUGH = 0.8  # of difflib's ratio, for "did you mean"


class ConfigProblem(IntradayRLError):
    """The configuration cannot be composed or built."""

    exit_code = 2

    def __init__(self, text: str) -> None:
        super().__init__(one_line_of(text, LONGEST_MESSAGE))


def complaint(error: Exception, overrides: Sequence[str] = ()) -> IntradayRLError:
    """Key, value and remedy of an error that was met while composing `overrides`."""
    text = str(error)
    if isinstance(error, OverrideParseException):
        reason = next(ln for ln in text.splitlines() if not ln.startswith("Error parsing"))
        return ConfigProblem(
            f"{error.override}: is not key=value; quote what has special characters ({reason})"
        )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, name = error.missing_cfg_file.rpartition("/")
        choices = f"choose one of {', '.join(error.options)}"
        return ConfigError(group, name, EXTRAS.get((group, name), choices))
    if found := re.match(
        r"Could not override '(.*?)'\.\nTo append to your config use \+(.*)", text
    ):
        value = found[2].partition("=")[2]
        return unknown_key(found[1], value, getattr(error.__cause__, "object_type", None))
    if found := re.match(r"Error merging override (.*)", text):
        key = found[1].partition("=")[0]
        reason = one_line(error.__cause__ or error).removeprefix(f"{key}: ")
        return ConfigProblem(f"{found[1]}: {re.sub(_NULL, 'must not be null', reason)}")
    if found := re.match(
        r"In '(.*)': ConfigKeyError .*\nKey '.*' not in '(.*)'\n\s*full_key: (.*)", text
    ):
        return ConfigProblem(
            f"conf/{found[1]}.yaml: sets {found[3]}, which {found[2]} does not have"
        )
    if found := re.match(r"Error resolving interpolation '\$\{debug\}_\$\{(.*)\}'", text):
        typed = [one for one in overrides if re.match(rf"[~+]*(debug|{found[1]})\b", one)]
        return ConfigProblem(f"{' '.join(typed)}: name one of the options of {found[1]}")
    if isinstance(error, AssertionError):
        return ConfigProblem(f"{' '.join(overrides)}: one of these names no key and no group")
    if isinstance(error, HydraException | OmegaConfBaseException | YAMLError):
        return ConfigProblem(one_line(error))
    if isinstance(error, OverflowError):
        key = re.search(r"full_key: (\S+)", text)
        return ConfigProblem(f"{key[1] if key else 'a number'}: {one_line(error)}")
    suspects = [one for one in overrides if one.endswith("=null")] or overrides
    return ConfigProblem(f"{' '.join(suspects) or 'the configuration'}: {one_line(error)}")


def unknown_key(key: str, value: object, part: object) -> ConfigError:
    """The error for a key that its part does not have; `part` is the part's class."""
    known = [entry.name for entry in fields(part)] if is_dataclass(part) else []
    parent, _, last = key.rpartition(".")
    close = get_close_matches(last, known, n=1, cutoff=CLOSE_ENOUGH)
    where = parent or "a plan"
    if close:
        remedy = f"did you mean {f'{parent}.' if parent else ''}{close[0]}?"
    else:
        remedy = f"{where} has {', '.join(sorted(known))}" if known else f"{where} takes no options"
    if isinstance(part, type) and issubclass(part, dict):
        remedy = "what a map does not have yet is added with a plus: +data.columns.close=Close"
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
