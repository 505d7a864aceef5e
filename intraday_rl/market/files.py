"""Bars in a CSV or parquet file: how the file is described, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from intraday_rl.errors import ConfigError, DataError, check_range
from intraday_rl.market.bars import PRICES
from intraday_rl.market.calendar import FULL_SESSION_MINUTES
from intraday_rl.market.reading import read_csv, read_parquet
from intraday_rl.market.splits import check_splits

_REQUIRED = ("timestamp", *PRICES)
_OPTIONAL = ("volume", "split_factor")


class FileFormat(Enum):
    """How the file is stored."""

    csv = "csv"
    parquet = "parquet"


class BarLabel(Enum):
    """Which end of a bar its time stamp names."""

    start = "start"
    end = "end"


class Prices(Enum):
    """Whether the file's prices are adjusted for splits or as they were traded."""

    adjusted = "adjusted"
    traded = "traded"


class OnBadSession(Enum):
    """What becomes of a session with too many missing bars."""

    refuse = "refuse"
    drop = "drop"


@dataclass(slots=True, kw_only=True)
class FileData:
    """Bars of the symbol, and of its benchmark, from files.

    | field | unit | meaning |
    |---|---|---|
    | `path` | | the symbol's file |
    | `benchmark_path` | | the benchmark's file; null = the symbol is its own benchmark |
    | `format` | csv, parquet | of both files |
    | `bar_label` | start, end | which end of the bar the stamp names; has no default |
    | `timezone` | IANA name | zone of naive stamps; stamps with an offset must agree with it |
    | `bar_minutes` | minutes | the bar that is traded: a multiple of the file's bar |
    | `columns` | | our name: the file's name |
    | `prices` | adjusted, traded | what the file's prices are |
    | `splits` | date: ratio | of the symbol; {} = it had none; null = the shipped table |
    | `adjusted_through` | date | later splits do not enter; null = the file's last session |
    | `max_missing_bars` | traded bars | a session that misses more is bad |
    | `on_bad_session` | refuse, drop | the benchmark's sessions are only reported |
    | `reconstructed` | | not real trades; null = the file's name contains RECONSTRUCTED |

    `columns` renames `timestamp, open, high, low, close, volume, split_factor`, the last two
    optional; a name not mentioned is the file's own, and the file's other columns are ignored.
    """

    path: str
    benchmark_path: str | None = None
    format: FileFormat = FileFormat.parquet
    bar_label: BarLabel | None = None
    timezone: str | None = None
    bar_minutes: int = 15
    columns: dict[str, str] = field(default_factory=dict)
    prices: Prices = Prices.adjusted
    splits: Any = None  # date -> ratio; not typed, so that {} is not taken for "not given"
    adjusted_through: str | None = None
    max_missing_bars: int = 4
    on_bad_session: OnBadSession = OnBadSession.refuse
    reconstructed: bool | None = None

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("path", repr(self.path), "name the file with the symbol's bars")
        for key in ("path", "benchmark_path"):
            if not (getattr(self, key) or "x").isprintable():
                raise ConfigError(key, getattr(self, key), "must be a name without line breaks")
        if self.bar_label is None:
            raise ConfigError(
                "bar_label", "null", "say which end of a bar the file stamps: start or end"
            )
        if self.timezone is not None:
            check_timezone(self.timezone)
        check_range("bar_minutes", self.bar_minutes, 1, FULL_SESSION_MINUTES)
        check_range("max_missing_bars", self.max_missing_bars, 0, FULL_SESSION_MINUTES)
        for ours in self.columns:
            if ours not in (*_REQUIRED, *_OPTIONAL):
                raise ConfigError(
                    "columns", ours, f"the keys are {', '.join((*_REQUIRED, *_OPTIONAL))}"
                )
        check_splits(self.splits, self.adjusted_through)

    def is_reconstructed(self) -> bool:
        """As declared, else whether the name of either file says so."""
        if self.reconstructed is not None:
            return self.reconstructed
        names = (Path(path).name for path in (self.path, self.benchmark_path) if path)
        return any("reconstructed" in name.casefold() for name in names)


def read_columns(path: str, data: FileData) -> pd.DataFrame:
    """The file's columns under our names, `timestamp` included, one row a data row of the file."""
    table = _read(path, data.format)
    index_is_time = isinstance(table.index, pd.DatetimeIndex)
    if not index_is_time and not isinstance(table.index, pd.RangeIndex):
        if data.format is FileFormat.csv:
            raise DataError(
                f"{path}: row 1: has more fields than the header; give every column a name"
            )
        repeats_a_column = any(name in table.columns for name in table.index.names)
        table = table.reset_index(drop=repeats_a_column)
    chosen: dict[str, pd.Series] = {}
    for ours in (*_REQUIRED, *_OPTIONAL):
        theirs = data.columns.get(ours, ours)
        if theirs in table.columns:
            column = table[theirs]
            if isinstance(column, pd.DataFrame):
                raise DataError(f"{path}: has two columns named {theirs!r}; rename one")
            chosen[ours] = column.reset_index(drop=True)
        elif ours == "timestamp" and index_is_time and theirs in (ours, table.index.name):
            chosen[ours] = table.index.to_series().reset_index(drop=True)
        elif ours in _REQUIRED or ours in data.columns:
            raise DataError(f"{path}: no column {theirs!r}; {_hint(ours, table)}")
    return pd.DataFrame(chosen)


def _read(path: str, file_format: FileFormat) -> pd.DataFrame:
    reader = read_csv if file_format is FileFormat.csv else read_parquet
    try:
        file = Path(path).expanduser()
        if file.is_symlink() and not file.exists():
            raise DataError("a symbolic link that leads to no file; name the file itself")
        if not file.exists():
            raise DataError("no such file; check data.path and data.benchmark_path")
        if not file.is_file():
            raise DataError(f"not a file; name one {file_format.value} file")
        return reader(file)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except PermissionError:
        raise DataError(f"{path}: may not be read; check the file's permissions") from None
    except Exception as error:  # a stranger's bytes: the readers raise whatever they stumble over
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{path}: cannot be read as {file_format.value} ({reason}); check that it is complete "
            "and that data.format fits"
        ) from None


def _hint(ours: str, table: pd.DataFrame) -> str:
    names = [str(name) for name in table.columns]
    close = [name for name in names if name.strip().casefold() == ours]
    return f"set data.columns.{ours} to one of the file's columns: {', '.join(close or names)}"


def check_timezone(name: str, key: str = "timezone") -> None:
    """Raise `ConfigError` unless `name` is a zone of the IANA data base."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed, a folder of zones
        raise ConfigError(
            key, name, "is no time zone; write for example America/New_York or UTC"
        ) from None
