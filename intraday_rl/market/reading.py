"""A table in a CSV or parquet file, read whole; neither its size nor its bytes are trusted."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import zipfile
from pathlib import Path
from typing import IO, Any

import pandas as pd

from intraday_rl.errors import DataError

MOST_ROWS = 50_000_000  # a bar a second for eight years; more would not fit into memory either
MOST_BYTES = 16 * 2**30  # of the file once it is decompressed
LONGEST_LINE_BYTES = 2**20
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def read_parquet(file: Path) -> pd.DataFrame:
    """The table of a parquet file, unless it declares more than memory can hold."""
    import pyarrow.parquet

    declared = pyarrow.parquet.read_metadata(file)
    groups = (declared.row_group(number) for number in range(declared.num_row_groups))
    size = sum(group.total_byte_size for group in groups)
    if declared.num_rows > MOST_ROWS or size > MOST_BYTES:
        raise DataError(_too_large(f"declares {declared.num_rows} rows, {size} bytes"))
    return pd.read_parquet(file)


def read_csv(file: Path) -> pd.DataFrame:
    """The table of a CSV file, compressed or not; a repeated column name stays repeated."""
    with _opened(file) as text:
        names = _header(text)
    for separator, spoken in _OTHER_SEPARATORS.items():
        if len(names) == 1 and separator in names[0]:
            raise DataError(
                f"row 0: the header is separated by {spoken}; write the file with commas between "
                "the fields and a point in the numbers"
            )
    with _opened(file) as text:
        table = pd.read_csv(text, low_memory=False, nrows=MOST_ROWS + 1)
    if len(table) > MOST_ROWS:
        raise DataError(_too_large(f"has more than {MOST_ROWS} rows"))
    if len(set(names)) < len(names) == len(table.columns):  # pandas numbers them: close.1
        table.columns = pd.Index(names)
    return table


def _opened(file: Path) -> io.BufferedReader:
    """The decompressed bytes, checked as they are read."""
    return io.BufferedReader(_CheckedText(_decompressed(file)), buffer_size=2**18)


def _decompressed(file: Path) -> IO[bytes] | gzip.GzipFile:
    match file.suffix.lower():
        case ".gz":
            return gzip.open(file)
        case ".bz2":
            return bz2.open(file)
        case ".xz":
            return lzma.open(file)
        case ".zip":
            with zipfile.ZipFile(file) as archive:
                if len(archive.namelist()) != 1:
                    raise DataError(f"holds {len(archive.namelist())} files; zip one CSV file")
                return archive.open(archive.namelist()[0])
        case _:
            return file.open("rb")


class _CheckedText(io.RawIOBase):
    """Bytes of a text file; raises at the first that cannot be, before they fill the memory."""

    def __init__(self, source: IO[bytes] | gzip.GzipFile) -> None:
        self._source = source
        self._total = self._since_line_end = 0

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._source.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        chunk = self._source.read(len(buffer))
        if b"\0" in chunk:
            raise DataError(
                f"byte {self._total + chunk.index(0)} is zero, which no text has; "
                "write the file as plain text in UTF-8 (it may be UTF-16, or damaged)"
            )
        self._total += len(chunk)
        line_end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        self._since_line_end = (
            self._since_line_end + len(chunk) if line_end < 0 else len(chunk) - line_end - 1
        )
        if self._since_line_end > LONGEST_LINE_BYTES:
            raise DataError(
                f"a line is longer than {LONGEST_LINE_BYTES} bytes; write one bar a line"
            )
        if self._total > MOST_BYTES:
            raise DataError(_too_large(f"is larger than {MOST_BYTES} bytes"))
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _header(text: io.BufferedReader) -> list[str]:
    """Names of the columns: the fields of the first line that is not empty."""
    lines = io.TextIOWrapper(text, "utf-8-sig", errors="replace")  # ends of lines of any kind
    return next((next(csv.reader([line])) for line in lines if line.strip()), [])


def _too_large(found: str) -> str:
    return f"{found}, too many for memory; cut it to the years that are needed"
