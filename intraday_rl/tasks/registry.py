"""Options of the task that moves an alias of the registry."""

from __future__ import annotations

import re
from dataclasses import dataclass

from intraday_rl.errors import ConfigError

# MLflow takes v3 for a version; a number is one to us.
ALIAS = re.compile(r"(?![vV]?\d+$)[A-Za-z0-9_-]{1,100}")


@dataclass(slots=True, kw_only=True)
class Promote:
    """Move an alias to a registered model's version; also back.

    | field | what |
    |---|---|
    | `model` | number of the version, or whatever else names a registered bundle |
    | `alias` | the alias that is moved |
    | `reason` | kept beside the change |
    """

    model: str = "???"
    alias: str = "champion"
    reason: str = "by hand"

    def __post_init__(self) -> None:
        if self.alias.lower() == "latest" or not ALIAS.fullmatch(self.alias):
            remedy = (
                "must be a name of letters, digits, - and _, such as champion; numbers are "
                "versions, and latest is always the newest version, never an alias"
            )
            raise ConfigError("alias", self.alias, remedy)
