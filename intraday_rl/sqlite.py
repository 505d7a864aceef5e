"""SQLite files that several processes share: short transactions, one writer at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

BUSY_SECONDS = 10.0


def make(file: Path, *statements: str) -> None:
    """The file with its tables, if it is not there; readers do not wait for writers (WAL)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with reading(file) as rows:
        rows.execute("PRAGMA journal_mode=WAL")
        for statement in statements:
            rows.execute(statement)


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose statements commit by themselves."""
    connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
    with closing(connection):
        connection.row_factory = sqlite3.Row
        yield connection


@contextmanager
def writing(file: Path) -> Iterator[sqlite3.Connection]:
    """One transaction: everything inside happens, or nothing."""
    with reading(file) as rows:
        rows.execute("BEGIN IMMEDIATE")
        try:
            yield rows
        except BaseException:
            rows.execute("ROLLBACK")
            raise
        rows.execute("COMMIT")
