"""The token that every request must bear: where it comes from, and when it is refused."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from intraday_rl.errors import ConfigError

VARIABLE = "INTRADAY_RL_TOKEN"
SHORTEST = 24  # characters
_TOKEN = re.compile(r"[\x21-\x7e]+")
_MAKE_ONE = "python -c 'import secrets; print(secrets.token_urlsafe(32))' makes one"


class Token:
    """Knows the token by its digest alone, so that nothing can show it."""

    def __init__(self, text: str) -> None:
        self._digest = _digest(text.encode())

    def is_borne_by(self, header: bytes) -> bool:
        """Whether an Authorization header bears it; takes as long whatever is wrong."""
        scheme, _, given = header.partition(b" ")
        right = hmac.compare_digest(_digest(given.strip()), self._digest)
        return right and scheme.lower() == b"bearer"


def token_of(file: str | None, environment: Mapping[str, str]) -> Token:
    """The token of the file if one is named, else of the environment."""
    if file is not None:
        return Token(_checked("task.token_file", _read(Path(file).expanduser()), file))
    text = environment.get(VARIABLE)
    if text is None:
        remedy = f"set {VARIABLE}, or name a file of mode 600 with the token; {_MAKE_ONE}"
        raise ConfigError("task.token_file", None, remedy)
    return Token(_checked(VARIABLE, text.strip(), "(not shown)"))


def _read(file: Path) -> str:
    try:
        with file.open("rb") as content:
            found = os.fstat(content.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ConfigError("task.token_file", str(file), "is not a plain file")
            if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid():
                remedy = "must be yours alone: chmod 600 and chown to the user of the server"
                raise ConfigError("task.token_file", str(file), remedy)
            return content.read(4_096).decode("ascii", "replace").strip()
    except OSError as error:
        raise ConfigError("task.token_file", str(file), f"cannot be read ({error})") from error


def _checked(key: str, text: str, shown: str) -> str:
    if len(text) < SHORTEST or not _TOKEN.fullmatch(text):
        remedy = f"the token needs {SHORTEST} or more letters, digits or signs; {_MAKE_ONE}"
        raise ConfigError(key, shown, remedy)
    return text


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
