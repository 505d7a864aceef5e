"""A CSV file that grows line by line, or is replaced, while it is read."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from intraday_rl.live.feeds.findings import Findings
from intraday_rl.live.feeds.fine_bar import COLUMNS
from intraday_rl.market.bars import PRICES
from intraday_rl.market.reading import LONGEST_LINE_BYTES

_BLOCK_BYTES, _MEMORY_BYTES = 2**24, 256
_REQUIRED = ("timestamp", *PRICES)


class GrowingCsv:
    """Gives each whole line once; a line without its end is waited for.

    A file that was replaced, cut or rewritten is read from its beginning: that is seen by its
    inode, its size, and the last bytes that were read of it.
    """

    def __init__(self, file: Path, findings: Findings) -> None:
        self.file, self._findings = file, findings
        self._seen: tuple[int, int, int] | None = None
        self._start_over()

    def exists(self) -> bool:
        return self.file.is_file()

    def new_tables(self, now: pd.Timestamp) -> Iterator[tuple[str, pd.DataFrame]]:
        """Name of the file, and its new rows as text: `timestamp, open, ...` as far as it has."""
        if not self.exists():  # else an opened pipe would wait for its writer
            return
        try:
            with self.file.open("rb") as opened:
                status = os.fstat(opened.fileno())
                seen = (status.st_ino, status.st_size, status.st_mtime_ns)
                if seen == self._seen:
                    return
                if self._is_another(opened, status.st_ino):
                    self._start_over()
                opened.seek(self._offset)
                while lines := self._whole_lines(opened):
                    yield self.file.name, self._table(lines)
                self._seen = seen
        except OSError as error:
            reason = type(error).__name__
            self._findings.say(f"{self.file.name} cannot be read ({reason}); it is tried again")

    def _start_over(self) -> None:
        self._offset, self._memory = 0, b""
        self._names: list[str] | None = None
        self._columns: dict[str, int] = {}

    def _is_another(self, opened: BinaryIO, inode: int) -> bool:
        if self._seen is not None and inode != self._seen[0]:
            return True
        opened.seek(self._offset - len(self._memory))
        return opened.read(len(self._memory)) != self._memory

    def _whole_lines(self, opened: BinaryIO) -> list[bytes]:
        """The lines of the next block that have an end; none if there is none yet."""
        block = opened.read(_BLOCK_BYTES)
        whole = block[: block.rfind(b"\n") + 1]
        opened.seek(self._offset + len(whole))
        if not whole and len(block) > LONGEST_LINE_BYTES:
            longest = f"{LONGEST_LINE_BYTES} bytes"
            self._findings.say(f"{self.file.name}: a line is longer than {longest}; no bars in it")
        self._offset += len(whole)
        self._memory = (self._memory + whole)[-_MEMORY_BYTES:]
        return whole.splitlines()

    def _table(self, lines: list[bytes]) -> pd.DataFrame:
        texts = (line.decode("utf-8-sig", errors="replace") for line in lines)
        rows = []
        for text in texts:
            fields = _fields(text)
            if not fields:
                continue
            if self._names is None:
                self._names = fields
                self._columns = self._known_columns(fields)
            elif not self._columns:
                break  # said when the header was read
            elif len(fields) != len(self._names):
                wanted = f"{len(fields)} fields where the header has {len(self._names)}"
                shown = f"{self.file.name}: a row is left out: {text[:40]!r}: {wanted}"
                self._findings.say(shown)
            else:
                rows.append([fields[at] for at in self._columns.values()])
        return pd.DataFrame(rows, columns=list(self._columns or _REQUIRED), dtype=object)

    def _known_columns(self, names: list[str]) -> dict[str, int]:
        """Position of each of our columns; none if one is absent or there twice."""
        for name in (*_REQUIRED, "volume"):
            count = names.count(name)
            if count > 1 or (count == 0 and name in _REQUIRED):
                there = "no column" if count == 0 else "two columns"
                self._findings.say(
                    f"{self.file.name}: {there} {name!r} in its header; its rows cannot be read"
                )
                return {}
        return {name: names.index(name) for name in ("timestamp", *COLUMNS) if name in names}


def _fields(text: str) -> list[str]:
    """The fields of one line; none of a blank one."""
    try:
        return next(csv.reader([text]), [])
    except csv.Error:  # a field longer than the module takes
        return [text]
