"""A stranger's files, understood: whose bars they are, how long, in which zone, by which label."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from intraday_rl.collecting.guessing.clock import Clock, found_clock, in_utc
from intraday_rl.collecting.guessing.columns import renamed
from intraday_rl.collecting.part import tidy
from intraday_rl.errors import DataError
from intraday_rl.loading import EQUAL_OPEN_LIMIT
from intraday_rl.market.bars import PRICES
from intraday_rl.market.calendar import NEW_YORK
from intraday_rl.market.reading import read_csv, read_parquet
from intraday_rl.plan import TICKER
from intraday_rl.tasks import ImportBars

SUFFIXES = (".csv", ".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zip", ".txt", ".parquet", ".pq")
_RECONSTRUCTED = re.compile("reconstructed", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """One symbol's bars of one file, in the store's terms, and how they were understood."""

    file: Path
    symbol: str
    clock: Clock
    rows: pd.DataFrame  # tidy
    words: tuple[str, ...]

    @property
    def reconstructed(self) -> bool:
        """Not real trades, by the file's name."""
        return _RECONSTRUCTED.search(self.file.name) is not None

    @property
    def days(self) -> pd.Series:
        """New York date of each row."""
        days: pd.Series = self.rows["timestamp"].dt.tz_convert(NEW_YORK).dt.date
        return days


def files_below(path: str) -> list[Path]:
    """The file itself, or every file of bars in the folder and below, in order of their names."""
    place = Path(path).expanduser()
    if place.is_file():
        return [place]
    files = [file for file in sorted(place.rglob("*")) if file.name.lower().endswith(SUFFIXES)]
    files = [file for file in files if file.is_file() and not file.name.startswith(".")]
    if not files:
        what = "has no CSV or parquet file" if place.is_dir() else "is no file or folder"
        raise DataError(f"{path}: {what}; name one by task.path")
    return files


def understood(file: Path, task: ImportBars) -> list[Found]:
    """The file's bars by symbol; raises `DataError` where something cannot be told."""
    table, words = renamed(_read(file), task.columns, str(file))
    _refuse_words_for_numbers(table, file)
    pieces = {_symbol(file, task): table}
    if task.symbol is None and "symbol" in table.columns:
        groups = table.groupby(table["symbol"].astype(str).str.upper(), sort=True)
        pieces = {str(name): rows for name, rows in groups}
    found = []
    for symbol, piece in pieces.items():
        if not TICKER.fullmatch(symbol):
            raise DataError(f"{file}: {symbol!r} is no ticker; say which it is by task.symbol")
        frame = piece.drop(columns="symbol", errors="ignore").reset_index(drop=True)
        clock = found_clock(frame, str(file), task.bar_label, task.timezone)
        rows = tidy(in_utc(frame, clock, str(file)))
        found.append(Found(file, symbol, clock, rows, (*words, *_remarks(rows, file))))
    return found


def _read(file: Path) -> pd.DataFrame:
    reader = read_parquet if file.suffix.lower() in (".parquet", ".pq") else read_csv
    try:
        return reader(file)
    except DataError as error:
        raise DataError(f"{file}: {error}") from None
    except Exception as error:  # a stranger's bytes: the readers raise whatever they stumble over
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{file}: cannot be read ({reason}); is it complete?") from None


def _refuse_words_for_numbers(table: pd.DataFrame, file: Path) -> None:
    for name in (*PRICES, "volume", "split_factor"):
        if name not in table.columns:
            continue
        column = table[name]
        bad = (pd.to_numeric(column, errors="coerce").isna() & column.notna()).to_numpy(dtype=bool)
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(
                f"{file}: row {row + 1}: {name}={column.iloc[row]!r} is not a number; write "
                "it with a point and no other sign, or leave it empty where it is not known"
            )


def _symbol(file: Path, task: ImportBars) -> str:
    """As said, else the beginning of the file's name: TQQQ_15min.parquet, tqqq-2021.csv."""
    return (task.symbol or re.split(r"[_\-. ]", file.name)[0]).upper()


def _remarks(rows: pd.DataFrame, file: Path) -> list[str]:
    same_day = rows["timestamp"].dt.date.diff().dt.days.fillna(1).to_numpy() == 0
    equal = (rows["open"].to_numpy() == rows["close"].shift(1).to_numpy())[same_day]
    remarks = []
    if len(equal) and equal.mean() > EQUAL_OPEN_LIMIT:
        remarks.append(
            f"{equal.mean():.0%} of the bars open at the previous close: built from closes, so "
            "that the next open is no later price than the close just seen"
        )
    if rows["volume"].isna().any():
        remarks.append(f"volume is unknown in {rows['volume'].isna().mean():.0%} of the bars")
    if _RECONSTRUCTED.search(file.name):
        remarks.append("reconstructed, by the file's name: not real trades")
    return remarks
