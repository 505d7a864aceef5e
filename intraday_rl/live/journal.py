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
        self._lines = self.file.open("ab")
        if self._lines.tell() != len(whole):
            self._lines.truncate(len(whole))
            os.fsync(self._lines.fileno())
        self._next = whole.count(b"\n")
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
        """Add one line; it is on the disk when this returns."""
        entry = {"number": self._next, "event": event, "time": time, **values}
        self._lines.write(json.dumps(entry, allow_nan=False).encode() + b"\n")
        self._lines.flush()
        os.fsync(self._lines.fileno())
        self._next += 1
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

    def _whole_lines(self) -> Iterator[bytes]:
        if self.file.is_file():
            for line in self.file.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    yield line
