"""The test-set lockbox: how often has a test window been looked at?

| question | answer |
|---|---|
| what is a look? | a distinct fold key of a learned agent on real bars whose test is read |
| what adds none? | a resumed or repeated fold, a baseline, synthetic bars, a final fit |
| whose window? | the symbol's: symbol, first and last test session. Bar source, bar length and |
| | costs are noted, but divide nothing: whoever recorded those days, they have been seen |
| written when? | by the process that runs the fold: after validation has decided everything, |
| | before the first test bar is read |

Written earlier, when the job is handed out, a fold that dies in training would count; written
after the result arrives, a crash in between would leave a look without a trace. Before reading is
the one moment that can only err by a look that was paid for and not enjoyed. If the record cannot
be written the test is not read: the fold fails instead.

The file outlives `paths.outputs`. Transactions are short and take the write lock at their start,
so any number of jobs may record at once. SQLite's rollback journal is used, not its write-ahead
log, which needs memory shared between processes and so refuses network home folders.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from datetime import date
from pathlib import Path

from intraday_rl.errors import ConfigError

FILE = "lockbox.sqlite"
BUSY_SECONDS = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS looks (
    fold_key TEXT PRIMARY KEY,
    symbol TEXT NOT NULL,
    first_session TEXT NOT NULL,
    last_session TEXT NOT NULL,
    bar_source TEXT NOT NULL,
    bar_minutes INTEGER NOT NULL,
    data_fingerprint TEXT NOT NULL,
    world TEXT NOT NULL,
    trial TEXT NOT NULL,
    seed INTEGER NOT NULL,
    recorded_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
)
"""


@dataclass(frozen=True, slots=True)
class Look:
    """One learned agent about to meet one test window; dates are ISO, so that they sort."""

    fold_key: str
    symbol: str
    first_session: str
    last_session: str
    bar_source: str
    bar_minutes: int
    data_fingerprint: str
    world: str
    trial: str
    seed: int


@dataclass(frozen=True, slots=True)
class Looks:
    """How often a test window of a symbol has been looked at.

    `window`: this very window; `trials`: by how many configurations; `overlapping`: further looks
    at other windows that share a session with it.
    """

    window: int
    trials: int
    overlapping: int


class Lockbox:
    """The ledger of looks in a state folder; it is created with its first look."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE

    def prepare(self) -> None:
        """Create the file, so that a folder that refuses it is known before hours of training."""
        with self._writing():
            pass

    def record(self, look: Look) -> None:
        """Count a look once, however often its fold is repeated."""
        names = ", ".join(field.name for field in fields(Look))
        marks = ", ".join("?" for _ in fields(Look))
        with self._writing() as connection:
            connection.execute(
                f"INSERT OR IGNORE INTO looks ({names}) VALUES ({marks})", astuple(look)
            )

    def looks(self, symbol: str, first: date | str, last: date | str) -> Looks:
        """Looks at the test window of a symbol from its first to its last session."""
        if not self._path.is_file():
            return Looks(0, 0, 0)
        begin, end = str(first), str(last)
        try:
            with closing(self._connect()) as connection:
                window, trials = connection.execute(
                    "SELECT COUNT(*), COUNT(DISTINCT trial) FROM looks"
                    " WHERE symbol = ? AND first_session = ? AND last_session = ?",
                    (symbol, begin, end),
                ).fetchone()
                (touching,) = connection.execute(
                    "SELECT COUNT(*) FROM looks"
                    " WHERE symbol = ? AND first_session <= ? AND last_session >= ?",
                    (symbol, end, begin),
                ).fetchone()
        except sqlite3.Error as error:
            raise self._refusal(error) from error
        return Looks(window, trials, touching - window)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(_SCHEMA)
                yield connection
                connection.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            raise self._refusal(error) from error

    def _connect(self) -> sqlite3.Connection:
        # No implicit transactions: the write lock is taken at the start, where waiting helps.
        return sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)

    def _refusal(self, error: Exception) -> ConfigError:
        remedy = f"the record of looks at test windows fails ({error}); name a folder of your own"
        return ConfigError("paths.state", str(self._path.parent), remedy)
