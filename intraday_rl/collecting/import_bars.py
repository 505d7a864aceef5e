"""`task=import`: a file or a folder of bars into the store, after what was found has been shown."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from intraday_rl.collecting.months import months_between
from intraday_rl.collecting.part import tidy
from intraday_rl.collecting.recordings import Found, files_below, understood
from intraday_rl.collecting.split_findings import split_findings
from intraday_rl.collecting.summary import series_lines
from intraday_rl.collecting.vendors.known import VENDORS
from intraday_rl.collecting.writing import keep_month, readjusted, stored_rows, writing_alone
from intraday_rl.errors import ConfigError, DataError
from intraday_rl.loading import store_folder
from intraday_rl.market.calendar import NEW_YORK
from intraday_rl.market.catalogue import Catalogue
from intraday_rl.market.files import Prices
from intraday_rl.market.splits import known_splits
from intraday_rl.market.stamps import now as clock_now
from intraday_rl.market.store import Series
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.tasks import ImportBars


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=import`; without `task.confirm` it only shows what it would do."""
    task, series = _task(plan), _shown(plan)
    if not task.confirm:
        _say_how_to_confirm()
        return Outcome(math.nan, 0)
    for one, files in series.items():
        catalogue = _stored(one, files, task, force=plan.force)
        lines = [*series_lines(one, catalogue), *split_findings(one, catalogue)]
        sys.stdout.write("\n".join(lines) + "\n")
    return Outcome(math.nan, 0)


def show(plan: Plan, context: Context) -> int:
    """The dry run: the same without `task.confirm`, whatever it says."""
    _shown(plan)
    _say_how_to_confirm()
    return 0


def _shown(plan: Plan) -> dict[Series, list[Found]]:
    """What was found in every file, printed, by the series it belongs to."""
    task = _task(plan)
    found = [one for file in files_below(task.path) for one in understood(file, task)]
    for recording in found:
        _print(recording)
    if task.vendor in VENDORS:
        remedy = "bars of that name are downloaded; give the files' bars a name of their own"
        raise ConfigError("task.vendor", task.vendor, remedy)
    series = _by_series(found, store_folder(plan), task.vendor)
    for one, files in series.items():
        through = _adjusted_through(task, max(file.days.iloc[-1] for file in files))
        if through and known_splits(one.symbol, None) != {}:
            _say_up_to_when(one, through, said=task.adjusted_through is not None)
    return series


def _adjusted_through(task: ImportBars, last_session: date) -> str | None:
    """Day up to which splits are in the files' prices; None where they are as traded."""
    if task.prices is Prices.traded:
        return None
    return task.adjusted_through or str(last_session)


def _say_up_to_when(series: Series, through: str, *, said: bool) -> None:
    origin = "" if said else ", the last session; if later ones are too, say task.adjusted_through"
    sys.stdout.write(f"{series}: splits are taken to be in the prices up to {through}{origin}\n")


def _say_how_to_confirm() -> None:
    sys.stdout.write(
        "nothing was stored: if this is right, type the same command with task.confirm=true; else "
        "say what is wrong by task.bar_label, task.timezone, task.columns, task.symbol\n"
    )


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
        if len({one.reconstructed for one in files}) > 1:
            raise DataError(
                f"{where}: reconstructed and real bars would be mixed; import them under different "
                "names by task.vendor"
            )
    return dict(series)


def _stored(series: Series, files: list[Found], task: ImportBars, *, force: bool) -> Catalogue:
    """All files of one series, month by month; the same day told differently is refused."""
    rows = tidy(pd.concat([one.rows for one in files]))
    _refuse_contradictions(rows["timestamp"].duplicated(), rows, series)
    reconstructed = files[0].reconstructed
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
        through = _adjusted_through(task, days.iloc[-1].date())
        for month in months_between(days.iloc[0].date(), days.iloc[-1].date()):
            piece = rows[months == month]
            if piece.empty:
                continue
            part = catalogue.parts.get(month)
            before = None if part is None else part.adjusted_through
            latest = max((day for day in (through, before) if day), default=None)
            piece = readjusted(piece, catalogue, through, latest)
            if not force:
                piece = _with_stored(series, catalogue, month, piece, latest)
            catalogue = keep_month(series, catalogue, month, piece, now, latest)
    return catalogue


def _with_stored(
    series: Series, catalogue: Catalogue, month: str, rows: pd.DataFrame, through: str | None
) -> pd.DataFrame:
    """The rows and those stored before: two files may share a session, each with a part of it."""
    stored = stored_rows(series, catalogue, month, through)
    if stored is None:
        return rows
    together = tidy(pd.concat([stored, rows]))
    _refuse_contradictions(together["timestamp"].duplicated(), together, series)
    return together


def _refuse_contradictions(twice: pd.Series, rows: pd.DataFrame, series: Series) -> None:
    if twice.any():
        at = rows["timestamp"].iloc[int(np.argmax(twice.to_numpy()))]
        raise DataError(
            f"{series}: {int(twice.sum())} bars are told twice and differently, the first at {at}; "
            "import one origin, keep the other under a name of its own (task.vendor), replace what "
            "is stored by force=true, or say up to when splits are in the prices by "
            "task.adjusted_through"
        )


def _task(plan: Plan) -> ImportBars:
    assert isinstance(plan.task, ImportBars)
    return plan.task
