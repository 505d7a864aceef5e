"""`task=inspect`: what bars hold, which windows they serve, where they differ from others."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from intraday_rl.collecting.guessing.clock import Clock, in_utc
from intraday_rl.collecting.inspection.by_month import months_table, sessions_table
from intraday_rl.collecting.inspection.comparison import Comparison, bar_minutes, compare
from intraday_rl.collecting.inspection.findings import comparison_lines, months_of_concern
from intraday_rl.collecting.inspection.heat_map import write_coverage_map
from intraday_rl.errors import ConfigError, DataError
from intraday_rl.loading import load_market, store_folder
from intraday_rl.market.calendar import utc
from intraday_rl.market.files import BarLabel, FileFormat
from intraday_rl.market.sources import FileData, MarketData, StoreData, recorded
from intraday_rl.market.stamps import stamps_in_utc
from intraday_rl.market.store import stored_series
from intraday_rl.market.windows import served
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Format, Plan
from intraday_rl.records import write_json, write_text
from intraday_rl.tasks import Inspect

WIDTH_OF_A_FILE = 170  # columns, where no terminal sets them


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything that was found; `refused` says why the bars could not be used, if so."""

    market: MarketData | None
    refused: str | None
    comparison: Comparison | None
    served: dict[str, str]  # window: "" if the data serve it, else what is missing


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=inspect`; writes its tables below `paths.outputs/inspections`."""
    found = inspect(plan)
    content = content_of(plan, found)
    folder = None
    if found.market is not None:
        bars = found.market.symbol
        name = f"{bars.symbol}-{bars.fingerprint()[:8]}"
        folder = Path(plan.paths.outputs) / "inspections" / name
        write_text(folder / "months.csv", months_table(bars).to_csv(index_label="month"))
        write_json(folder / "inspection.json", content)
        title = f"{bars.symbol}: bars found, by session"
        write_coverage_map(sessions_table(bars), title, folder / "coverage.png")
        content["folder"] = str(folder)
    return Outcome(math.nan, _said(plan, found, content, folder))


def show(plan: Plan, context: Context) -> int:
    """The dry run: the same on the terminal alone."""
    found = inspect(plan)
    return _said(plan, found, content_of(plan, found), None)


def _said(plan: Plan, found: Inspection, content: dict[str, Any], folder: Path | None) -> int:
    """Print it; the exit status is that of data that would be refused, if they would be."""
    if plan.format is Format.json:
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        _print(plan, found, folder)
    return 0 if found.refused is None else DataError.exit_code


def inspect(plan: Plan) -> Inspection:
    """Look at the plan's bars; a recording that is refused can still be compared as it is."""
    task = _task(plan)
    market, refused = None, None
    try:
        market = load_market(plan)
    except DataError as error:
        if task.against is None:
            raise
        refused = str(error)
    comparison = None
    if task.against is not None:
        ours = (
            market.symbol.frame if market and market.synthetic else _rows(_data(plan), plan.symbol)
        )
        theirs = _rows(_other(plan, task, bar_minutes(_with_timestamp(ours))), plan.symbol)
        comparison = compare(_with_timestamp(ours), theirs)
    windows = {} if market is None else served(plan.windows, market.symbol.session_index())
    return Inspection(market, refused, comparison, windows)


def content_of(plan: Plan, found: Inspection) -> dict[str, Any]:
    """The same as plain values; NaN as null."""
    content: dict[str, Any] = {"symbol": plan.symbol, "refused": found.refused}
    if found.market is not None:
        bars = found.market.symbol
        table = months_table(bars).astype(object)
        content |= {
            "source": found.market.source,
            "bar_minutes": bars.bar_minutes,
            "fingerprint": bars.fingerprint(),
            "notes": list(found.market.notes),
            "months": table.where(table.notna(), None).to_dict(orient="index"),
            "windows": found.served,
        }
    if found.comparison is not None:
        content["against"] = {"name": _task(plan).against, **found.comparison.as_dict()}
        content["findings"] = comparison_lines(found.comparison)
    return content


def _data(plan: Plan) -> FileData | StoreData:
    data = plan.data
    if isinstance(data, StoreData):
        return replace(data, store=str(store_folder(plan)))
    assert isinstance(data, FileData)
    return data


def _other(plan: Plan, task: Inspect, minutes: int) -> FileData | StoreData:
    """What `task.against` names: a vendor of the store, else a file read as `data` says."""
    assert task.against is not None
    store = store_folder(plan)
    there = [one for one in stored_series(store, plan.symbol) if one.vendor == task.against]
    if there:
        same = [one for one in there if one.bar_minutes == minutes] or there
        return StoreData(
            store=str(store), vendor=task.against, stored_minutes=same[0].bar_minutes,
            bar_minutes=same[0].bar_minutes,
        )  # fmt: skip
    if not Path(task.against).expanduser().is_file():
        known = sorted({one.vendor for one in stored_series(store, plan.symbol)}) or ["none"]
        raise ConfigError(
            "task.against",
            task.against,
            f"is no file, and no vendor in {store} that has {plan.symbol} (there: "
            f"{', '.join(known)})",
        )
    own = plan.data if isinstance(plan.data, FileData) else None
    label = task.against_label or (own.bar_label if own else None) or BarLabel.start
    if own is None:
        return FileData(
            path=task.against, bar_label=label, timezone=task.against_timezone,
            format=_format_of(task.against),
        )  # fmt: skip
    return replace(
        own, path=task.against, benchmark_path=None, bar_label=label,
        timezone=task.against_timezone or own.timezone, format=_format_of(task.against),
    )  # fmt: skip


def _format_of(path: str) -> FileFormat:
    is_parquet = Path(path).suffix.lower() in (".parquet", ".pq")
    return FileFormat.parquet if is_parquet else FileFormat.csv


def _rows(data: FileData | StoreData, symbol: str) -> pd.DataFrame:
    """`timestamp` as the start in UTC, open and close, as recorded and in order of time."""
    raw, _ = recorded(data, symbol, None)
    stamps, _ = stamps_in_utc(raw.frame["timestamp"], raw.timezone, raw.place)
    frame = pd.DataFrame(
        {"timestamp": utc(stamps), "open": raw.frame["open"], "close": raw.frame["close"]}
    ).sort_values("timestamp", kind="stable")
    if raw.stamped_at_end:
        clock = Clock(BarLabel.end, None, bar_minutes(frame), 1.0, "as said")
        frame = in_utc(frame, clock, raw.place)
    return frame.reset_index(drop=True)


def _with_timestamp(frame: pd.DataFrame) -> pd.DataFrame:
    return (
        frame if "timestamp" in frame.columns else frame.rename(columns={"bar_start": "timestamp"})
    )


def _print(plan: Plan, found: Inspection, folder: Path | None) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_A_FILE)

    def say(line: str, style: str | None = None) -> None:
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    if found.refused:
        say(f"these bars would be refused: {found.refused}", "red")
    if found.market is not None:
        bars = found.market.symbol
        console.print(_years(months_table(bars), f"{bars.symbol}, {bars.bar_minutes} min"))
        for line in months_of_concern(months_table(bars)):
            say(line)
        for note in found.market.notes:
            say(note, "yellow")
        for name, missing in found.served.items():
            say(f"window {name}: {missing or 'covered'}")
    if found.comparison is not None:
        say(f"against {_task(plan).against}:", "bold")
        for line in comparison_lines(found.comparison):
            say(f"  {line}")
    if folder:
        say(f"months.csv, coverage.png and inspection.json: {folder}")


def _years(months: pd.DataFrame, title: str) -> Table:
    """The months gathered into years: a terminal shows them at a glance."""
    table = Table(title=title, title_justify="left")
    counts = ("sessions_expected", "sessions_found", "sessions_short", "half_days", "bars_missing")
    shares = ("equal_open_share", "zero_volume_share", "unknown_volume_share")
    for name in ("year", *(name.replace("_", " ") for name in (*counts, *shares))):
        table.add_column(name, justify="left" if name == "year" else "right")
    years = months.index.str.slice(0, 4)
    sums, means = (
        months[list(counts)].groupby(years).sum(),
        months[list(shares)].groupby(years).mean(),
    )
    for year in sums.index:
        shown = [f"{count:.0f}" for count in sums.loc[year].astype(float)]
        shown += [f"{share:.1%}" for share in means.loc[year].astype(float)]
        table.add_row(str(year), *shown)
    return table


def _task(plan: Plan) -> Inspect:
    assert isinstance(plan.task, Inspect)
    return plan.task
