"""`task=download`: months of bars from a vendor into the store, only what is missing."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from intraday_rl.collecting.months import bounds, last_session_over, months_between
from intraday_rl.collecting.split_findings import split_findings
from intraday_rl.collecting.summary import series_lines
from intraday_rl.collecting.vendors.known import vendor_of
from intraday_rl.collecting.vendors.vendor import Vendor, VendorError
from intraday_rl.collecting.writing import keep_catalogue, keep_month, with_splits, writing_alone
from intraday_rl.errors import ConfigError, DataError
from intraday_rl.loading import store_folder
from intraday_rl.market.calendar import NEW_YORK
from intraday_rl.market.catalogue import FINAL, Catalogue
from intraday_rl.market.sources import KNOWN_BENCHMARKS
from intraday_rl.market.stamps import now as clock
from intraday_rl.market.store import Series, unreadable_months
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.tasks import Download, parse_day


@dataclass(frozen=True, slots=True)
class Wanted:
    """One series and the days of it that are asked for; `months` are those to be fetched."""

    series: Series
    catalogue: Catalogue
    first: date
    last: date
    months: tuple[str, ...]


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=download`; a month is stored as soon as it is there."""
    name, vendor = vendor_of(plan.data)
    console = Console(file=sys.stderr)
    console.print(f"{name}: {vendor.limits}", highlight=False, soft_wrap=True)
    now = clock()
    for series in _series(plan, name):
        with writing_alone(series):
            wanted = _wanted(plan, series, vendor, now)
            _say_what_begins_late(console, plan, wanted)
            with _progress(console) as progress:
                bar = progress.add_task(str(series), total=len(wanted.months))
                catalogue = _with_splits(vendor, wanted, now)
                for month in wanted.months:
                    catalogue = _fetched(vendor, wanted, catalogue, month, now)
                    progress.advance(bar)
        _summary(series, catalogue)
    return Outcome(math.nan, 0)


def show(plan: Plan, context: Context) -> int:
    """The dry run: which months would be asked for; asks nobody, writes nothing."""
    name, vendor = vendor_of(plan.data)
    sys.stdout.write(f"{name}: {vendor.limits}\n")
    for series in _series(plan, name):
        wanted = _wanted(plan, series, vendor, clock())
        months = f"{wanted.months[0]} to {wanted.months[-1]}" if wanted.months else "none"
        sys.stdout.write(
            f"{series}: {len(wanted.months)} months to fetch ({months}), "
            f"{len(wanted.catalogue.parts)} in {series.folder}\n"
        )
    sys.stdout.write("dry run: nobody was asked, nothing was written\n")
    return 0


def _series(plan: Plan, vendor: str) -> list[Series]:
    """The symbol's, and its benchmark's where one is known."""
    task = _task(plan)
    benchmark = plan.benchmark or KNOWN_BENCHMARKS.get(plan.symbol)
    symbols = dict.fromkeys(name for name in (plan.symbol, benchmark) if name)
    store = store_folder(plan)
    return [Series(store, symbol, vendor, task.bar_minutes) for symbol in symbols]


def _wanted(plan: Plan, series: Series, vendor: Vendor, now: pd.Timestamp) -> Wanted:
    task = _task(plan)
    first = parse_day("task.start", task.start)
    latest = last_session_over(now)
    last = min(latest, latest if task.end is None else parse_day("task.end", task.end))
    earliest = vendor.earliest(task.bar_minutes, now.date())
    begin = max(first, earliest) if earliest else first
    if begin > last:
        raise ConfigError(
            "task.start", first, f"{series}: nothing is to be had from {begin} to {last}"
        )
    catalogue = series.read() or _new(series, vendor)
    if catalogue.prices is not vendor.prices:
        raise DataError(
            f"{series.folder}: holds {catalogue.prices.value} prices ({catalogue.origin}), and "
            f"{series.vendor} delivers {vendor.prices.value} ones; remove the folder, or name "
            "another store by data.store"
        )
    unreadable = set(unreadable_months(series, catalogue))
    parts = catalogue.parts
    months = tuple(
        month
        for month in months_between(begin, last)
        if month in unreadable or month not in parts or parts[month].state not in FINAL
    )
    return Wanted(series, catalogue, begin, last, months)


def _new(series: Series, vendor: Vendor) -> Catalogue:
    return Catalogue(
        symbol=series.symbol,
        vendor=series.vendor,
        bar_minutes=series.bar_minutes,
        prices=vendor.prices,
        reconstructed=False,
        origin=f"downloaded from {series.vendor}",
        splits=None,
        splits_through=None,
        parts={},
    )


def _with_splits(vendor: Vendor, wanted: Wanted, now: pd.Timestamp) -> Catalogue:
    """The vendor's splits up to today, asked for once a day: they decide every earlier price."""
    catalogue, today = wanted.catalogue, str(now.date())
    stored = min((part.first_session for part in catalogue.parts.values()), default=today)
    first = min(wanted.first, date.fromisoformat(stored))
    if catalogue.splits_through == today and not wanted.months:
        return catalogue
    splits = vendor.splits(wanted.series.symbol, first, now.date())
    catalogue = with_splits(catalogue, splits, today)
    if catalogue.parts:
        keep_catalogue(wanted.series, catalogue)
    return catalogue


def _fetched(
    vendor: Vendor, wanted: Wanted, catalogue: Catalogue, month: str, now: pd.Timestamp
) -> Catalogue:
    """The whole month, or what the vendor still has of it, stored."""
    first, last = bounds(month)
    earliest = vendor.earliest(wanted.series.bar_minutes, now.date())
    first, last = max(first, earliest or first), min(last, now.date())
    rows = vendor.bars(wanted.series.symbol, first, last, wanted.series.bar_minutes)
    if rows.empty and month not in catalogue.parts:
        return catalogue
    through = str(now.tz_convert(NEW_YORK).date()) if catalogue.adjusted else None
    return keep_month(wanted.series, catalogue, month, rows, now, through)


def _summary(series: Series, catalogue: Catalogue) -> None:
    """What is in the store now, and everything about it that should be looked at."""
    if not catalogue.parts:
        raise VendorError(f"{series}: the vendor has no bar of these days; check the symbol")
    splits = (f"  splits: {line}" for line in split_findings(series, catalogue))
    sys.stdout.write("\n".join([*series_lines(series, catalogue), *splits]) + "\n")


def _say_what_begins_late(console: Console, plan: Plan, wanted: Wanted) -> None:
    asked = parse_day("task.start", _task(plan).start)
    if wanted.first > asked:
        console.print(
            f"{wanted.series}: begins {wanted.first}, not {asked}: the vendor has no earlier bars",
            style="yellow", highlight=False, soft_wrap=True,
        )  # fmt: skip


def _progress(console: Console) -> Progress:
    columns: Sequence[object] = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("months"),
        TimeRemainingColumn(),
    )  # fmt: skip
    return Progress(*columns, console=console)  # type: ignore[arg-type]


def _task(plan: Plan) -> Download:
    assert isinstance(plan.task, Download)
    return plan.task
