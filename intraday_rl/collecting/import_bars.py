"""`task=import`: a file or a folder of bars into the store, after what was found has been shown."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

from intraday_rl.collecting.months import months_between
from intraday_rl.collecting.part import tidy
from intraday_rl.collecting.recordings import Found, files_below, understood
from intraday_rl.collecting.split_findings import split_findings
from intraday_rl.collecting.summary import series_lines
from intraday_rl.collecting.writing import keep_month, writing_alone
from intraday_rl.errors import DataError
from intraday_rl.loading import store_folder
from intraday_rl.market.calendar import NEW_YORK
from intraday_rl.market.catalogue import Catalogue
from intraday_rl.market.stamps import now as clock_now
from intraday_rl.market.store import Series, read_part
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
    return _by_series(found, store_folder(plan), task.vendor)


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


def _refuse_contradictions(twice: pd.Series, rows: pd.DataFrame, series: Series) -> None:
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
