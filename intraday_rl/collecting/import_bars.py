"""`task=import`: a file or a folder of bars into the store, after what was found has been shown."""

from __future__ import annotations

import math
import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from intraday_rl.collecting.guessing.clock import Clock, found_clock, in_utc
from intraday_rl.collecting.guessing.columns import renamed
from intraday_rl.collecting.months import months_between
from intraday_rl.collecting.part import tidy
from intraday_rl.collecting.split_findings import split_findings
from intraday_rl.collecting.summary import series_lines
from intraday_rl.collecting.writing import keep_month, writing_alone
from intraday_rl.errors import DataError
from intraday_rl.loading import EQUAL_OPEN_LIMIT, store_folder
from intraday_rl.market.calendar import NEW_YORK
from intraday_rl.market.catalogue import Catalogue
from intraday_rl.market.reading import read_csv, read_parquet
from intraday_rl.market.stamps import now as clock_now
from intraday_rl.market.store import Series, read_part
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import TICKER, Plan
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
    def days(self) -> pd.Series:
        """New York date of each row."""
        return self.rows["timestamp"].dt.tz_convert(NEW_YORK).dt.date


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=import`; without `task.confirm` it only shows what it would do."""
    task = _task(plan)
    found = [one for file in files_below(task.path) for one in understood(file, task)]
    for one in found:
        _print(one)
    series = _by_series(found, store_folder(plan), task.vendor)
    if not task.confirm:
        sys.stdout.write(
            "nothing was stored: if this is right, type the same command with task.confirm=true; "
            "else say what is wrong by task.bar_label, task.timezone, task.columns, task.symbol\n"
        )
        return Outcome(math.nan, 0)
    for one, files in series.items():
        catalogue = _stored(one, files, task, force=plan.force)
        lines = [*series_lines(one, catalogue), *split_findings(one, catalogue)]
        sys.stdout.write("\n".join(lines) + "\n")
    return Outcome(math.nan, 0)


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


def _symbol(file: Path, task: ImportBars) -> str:
    """As said, else the beginning of the file's name: TQQQ_15min.parquet, tqqq-2021.csv."""
    return (task.symbol or re.split(r"[_\-. ]", file.name)[0]).upper()


def _remarks(rows: pd.DataFrame, file: Path) -> list[str]:
    same_day = rows["timestamp"].dt.date.diff().dt.days.fillna(1).to_numpy() == 0
    equal = (rows["open"].to_numpy() == rows["close"].shift(1).to_numpy())[same_day]
    remarks = []
    if len(equal) and equal.mean() > EQUAL_OPEN_LIMIT:
        remarks.append(
            f"{equal.mean():.0%} of the bars open at the previous close: built from closes, so that "
            "the next open is no later price than the close just seen"
        )
    if rows["volume"].isna().any():
        remarks.append(f"volume is unknown in {rows['volume'].isna().mean():.0%} of the bars")
    if _RECONSTRUCTED.search(file.name):
        remarks.append("reconstructed, by the file's name: not real trades")
    return remarks


def _print(found: Found) -> None:
    days = found.days
    sys.stdout.write(f"{found.file}: {found.symbol}, {found.clock}\n")
    sys.stdout.write(f"  {len(found.rows)} rows, {days.iloc[0]} to {days.iloc[-1]}\n")
    for line in found.words:
        sys.stdout.write(f"  {line}\n")


def _by_series(found: list[Found], store: Path, vendor: str) -> dict[Series, list[Found]]:
    series: dict[Series, list[Found]] = defaultdict(list)
    for one in found:
        series[Series(store, one.symbol, vendor, one.clock.bar_minutes)].append(one)
    for where, files in series.items():
        if len({bool(_RECONSTRUCTED.search(one.file.name)) for one in files}) > 1:
            raise DataError(
                f"{where}: reconstructed and real bars would be mixed; import them under different "
                "names by task.vendor"
            )
    return dict(series)


def _stored(series: Series, files: list[Found], task: ImportBars, *, force: bool) -> Catalogue:
    """All files of one series, month by month; the same day told differently is refused."""
    rows = tidy(pd.concat([one.rows for one in files]))
    _refuse_contradictions(rows["timestamp"].duplicated(), rows, series)
    reconstructed = bool(_RECONSTRUCTED.search(files[0].file.name))
    now = clock_now()
    with writing_alone(series):
        catalogue = series.read() or Catalogue(
            symbol=series.symbol,
            vendor=series.vendor,
            bar_minutes=series.bar_minutes,
            prices=task.prices,
            reconstructed=reconstructed,
            origin="imported from files",
            splits=None,
            splits_through=None,
            parts={},
        )
        if (catalogue.prices, catalogue.reconstructed) != (task.prices, reconstructed):
            raise DataError(
                f"{series.folder}: holds {catalogue.prices.value} prices, reconstructed="
                f"{catalogue.reconstructed}; what differs needs a name of its own by task.vendor"
            )
        days = rows["timestamp"].dt.tz_convert(NEW_YORK)
        months = days.dt.strftime("%Y-%m")
        through = str(days.iloc[-1].date()) if catalogue.adjusted else None
        for month in months_between(days.iloc[0].date(), days.iloc[-1].date()):
            piece = rows[months == month]
            if piece.empty:
                continue
            if not force:
                _compare_with_stored(series, catalogue, month, piece)
            catalogue = keep_month(series, catalogue, month, piece, now, through)
    return catalogue


def _compare_with_stored(
    series: Series, catalogue: Catalogue, month: str, rows: pd.DataFrame
) -> None:
    part = catalogue.parts.get(month)
    stored = None if part is None else read_part(series, month, part)
    if stored is None:
        return
    together = pd.concat([stored, rows]).drop_duplicates().sort_values("timestamp")
    _refuse_contradictions(together["timestamp"].duplicated(), together, series)


def _refuse_contradictions(
    twice: pd.Series, rows: pd.DataFrame, series: Series
) -> None:
    if twice.any():
        at = rows["timestamp"].iloc[int(np.argmax(twice.to_numpy()))]
        raise DataError(
            f"{series}: {int(twice.sum())} bars are told twice and differently, the first at {at}; "
            "import one origin, keep the other under a name of its own (task.vendor), or replace "
            "what is stored by force=true"
        )


def _task(plan: Plan) -> ImportBars:
    assert isinstance(plan.task, ImportBars)
    return plan.task
