"""What a session did, in the order it was done; on the disk before anything follows from it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from intraday_rl.errors import DataError

LONGEST_LINE = 65_536


class Journal:
    """Lines of JSON that are only ever added, each synced; one writer at a time.

    | field of every line | meaning |
    |---|---|
    | `number` | counts from 0 without a gap |
    | `event` | bar, decision, order, fill, skipped, exit, opened, closed, ... |
    | `time` | of the session's clock, UTC |

    A process that is killed in the middle of a line leaves half of it: it is cut off, and what it
    said never happened.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = FileLock(file.with_suffix(".lock"))

    def __enter__(self) -> Journal:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise DataError(f"{self.file}: another process runs this session") from None
        whole = b"".join(self._whole_lines())
        self._lines = self.file.open("ab", buffering=0)
        if self._lines.tell() != len(whole):
            self._lines.truncate(len(whole))
            os.fsync(self._lines.fileno())
        self._size, self._next = len(whole), whole.count(b"\n")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lines.close()
        self._lock.release()

    def write(self, event: str, time: str, **values: Any) -> dict[str, Any]:
        """Add one line; it is on the disk when this returns.

        Whatever raises meanwhile, a full disk or a signal, leaves the journal as it was before.
        """
        size, number = self._size, self._next
        entry = {"number": number, "event": event, "time": time, **values}
        line = json.dumps(entry, allow_nan=False).encode() + b"\n"
        try:
            written = 0
            while written < len(line):
                written += self._lines.write(line[written:]) or 0
            os.fsync(self._lines.fileno())
            self._size, self._next = size + len(line), number + 1
        except BaseException:
            self._lines.truncate(size)
            self._size, self._next = size, number
            raise
        return entry

    def read(self) -> list[dict[str, Any]]:
        """Every whole line; a gap or a line that is none refuses the journal."""
        entries = []
        for number, line in enumerate(self._whole_lines()):
            try:
                entry = json.loads(line)
                sound = entry["number"] == number
            except (ValueError, KeyError, TypeError):
                sound = False
            if not sound:
                raise DataError(f"{self.file}: line {number + 1} is not what was written there")
            entries.append(entry)
        return entries

    def last_event(self) -> str | None:
        """Of the newest whole line, found without reading the others; None if there is none."""
        try:
            with self.file.open("rb") as content:
                content.seek(max(0, content.seek(0, os.SEEK_END) - LONGEST_LINE))
                lines = content.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return None
        try:
            return str(json.loads(lines[-1])["event"]) if lines else None
        except (ValueError, KeyError, TypeError):
            raise DataError(f"{self.file}: its last line is not what was written there") from None

    def _whole_lines(self) -> Iterator[bytes]:
        if self.file.is_file():
            for line in self.file.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    yield line
