"""The words of the command line: which of Hydra's are taken, which are refused and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException

from intraday_rl.config import ConfigProblem
from intraday_rl.config.complaints import complaint
from intraday_rl.errors import ConfigError

# Hydra's flag -> what to do instead; a flag that is accepted and ignored would be worse.
REFUSED_FLAGS = {
    "config_path": "add a folder of your own by hydra.searchpath=[file:///...]",
    "config_dir": "write hydra.searchpath=[file:///...]",
    "config_name": "write experiment=<name>, or settings of your own in conf/local/default.yaml",
    "experimental_rerun": "write plan=outputs/runs/<key>/plan.yaml",
}
SHOWING_FLAGS = ("hydra_help", "cfg", "info", "shell_completion")
ALWAYS = ("hydra.searchpath",)
# Hydra's grammar knows no second = in a value that is not quoted; `<run>/<window>/seed=0` has one.
_SECOND_EQUALS = re.compile(r"([+~]*[\w./@]+)=([^\s'\"\\,\[\]{}()]*=[^\s'\"\\,\[\]{}()]*)")
IN_A_MULTIRUN = ("hydra/launcher", "hydra.launcher", "hydra/sweeper", "hydra.sweeper")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`overrides` for the configuration; `shows`: Hydra prints something instead of running."""

    overrides: list[str]
    multirun: bool
    help: bool
    shows: bool


def command_line(arguments: Sequence[str]) -> CommandLine:
    """What the user typed, checked as far as it can be without composing."""
    parser = get_args_parser()
    for action in parser._actions:
        if action.dest == "version":
            vars(action)["version"] = f"intraday-rl {version('intraday-rl')}"
    given = parser.parse_args(list(arguments))
    given.overrides = [
        f"{found[1]}='{found[2]}'" if (found := _SECOND_EQUALS.fullmatch(text)) else text
        for text in given.overrides
    ]
    for flag, remedy in REFUSED_FLAGS.items():
        if value := getattr(given, flag):
            raise ConfigError(f"--{flag.replace('_', '-')}", value, f"not used here; {remedy}")
    shows = any(getattr(given, flag) for flag in SHOWING_FLAGS)
    if given.multirun and (shows or given.help):
        raise ConfigProblem("--multirun runs jobs; leave it out to show something")
    if (given.resolve or given.package) and not given.cfg:
        raise ConfigProblem("--resolve and --package go with --cfg")
    if not (shows or given.help):
        _check_hydra_overrides(given.overrides, multirun=given.multirun)
    return CommandLine(given.overrides, given.multirun, given.help, shows)


def _check_hydra_overrides(overrides: Sequence[str], *, multirun: bool) -> None:
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except OverrideParseException as error:
        raise complaint(error) from error
    for text, override in zip(overrides, parsed, strict=True):
        key = override.key_or_group
        if key == "search" and not multirun and override.value() is not None:
            raise ConfigError(key, override.value(), "a search runs many jobs; add -m")
        if key.partition(".")[0].partition("/")[0] != "hydra" or _is_under(key, ALWAYS):
            continue
        value = text.partition("=")[2]
        if not _is_under(key, IN_A_MULTIRUN):
            raise ConfigError(
                key, value, "not settable; paths.outputs says where runs and sweeps are written"
            )
        if not multirun:
            raise ConfigError(key, value, "only a sweep has a launcher and a sweeper; add -m")


def _is_under(key: str, allowed: Sequence[str]) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in allowed)
