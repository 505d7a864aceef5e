"""Keys of vendors and brokers: read from the environment when one is asked, shown nowhere."""

from __future__ import annotations

import os
import string
from collections.abc import Iterable

from intraday_rl.errors import ConfigError, one_line_of

_ALLOWED = frozenset(string.ascii_letters + string.digits + string.punctuation)


def keys_of(option: str, vendor: str, where: str, *names: str) -> tuple[str, ...]:
    """The values of environment variables; `ConfigError` names those that are missing or no key.

    `option`: the key of the configuration that chose this vendor.
    """
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        remedy = f"needs {' and '.join(missing)} in the environment; keys are given by {where}"
        raise ConfigError(option, vendor, remedy)
    values = tuple(os.environ[name] for name in names)
    for name, value in zip(names, values, strict=True):
        # Refused here: a client's own message would show the value.
        if not _ALLOWED.issuperset(value):
            remedy = f"{name} holds a space or a sign that no key has; copy it again from {where}"
            raise ConfigError(option, vendor, remedy)
    return values


def without_keys(text: object, keys: Iterable[str]) -> str:
    """A vendor's words on one line, with nothing of the keys in them."""
    words = str(text)
    for key in sorted(keys, key=len, reverse=True):  # one may begin with another
        words = words.replace(key, "***")
    return one_line_of(words)
