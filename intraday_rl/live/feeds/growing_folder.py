"""A folder of parquet files that are added or replaced while it is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from intraday_rl.errors import DataError
from intraday_rl.live.feeds.findings import Findings
from intraday_rl.market.files import BarLabel, FileData, FileFormat, read_columns

Seen = tuple[int, int, int]


class GrowingFolder:
    """Gives the rows of each file that is new or not what it was, by inode, size and time.

    A file that cannot be read may be half written: it is tried again on every call, and is a
    finding once it has stayed the same for the grace.
    """

    def __init__(self, folder: Path, grace: pd.Timedelta, findings: Findings) -> None:
        self.folder, self._grace, self._findings = folder, grace, findings
        self._read: dict[Path, Seen] = {}
        self._failed: dict[Path, tuple[Seen, pd.Timestamp]] = {}

    def exists(self) -> bool:
        return self.folder.is_dir()

    def new_tables(self, now: pd.Timestamp) -> Iterator[tuple[str, pd.DataFrame]]:
        """Name of a file, and its rows: `timestamp, open, ...` as they are stored."""
        for file in sorted(self.folder.glob("[!.]*.parquet")):
            try:
                seen = _seen(file)
                if self._read.get(file) == seen:
                    continue
                table = read_columns(str(file), _DESCRIBED)
            except (OSError, DataError) as error:  # also: removed meanwhile
                self._try_again(file, error, now)
                continue
            self._read[file] = seen
            yield f"{self.folder.name}/{file.name}", table

    def _try_again(self, file: Path, error: Exception, now: pd.Timestamp) -> None:
        try:
            seen = _seen(file)
        except OSError:
            return  # it is gone
        before, since = self._failed.get(file, (None, now))
        if before != seen:
            since = now
        self._failed[file] = seen, since
        if now - since >= self._grace:
            reason = str(error).removeprefix(f"{file}: ")
            self._findings.say(f"{self.folder.name}/{file.name}: {reason}; it is tried again")


# Columns are read under their own names; what the stamps mean is decided elsewhere.
_DESCRIBED = FileData(path="-", format=FileFormat.parquet, bar_label=BarLabel.start)


def _seen(file: Path) -> Seen:
    status = file.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
