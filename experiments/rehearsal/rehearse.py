"""A past day in fast time: `task=serve` or `task=paper` with bars that come in as it goes on.

    python experiments/rehearsal/rehearse.py task=serve task.clock.start='2022-03-14 09:05' \\
        task.feed_folder=bars/rehearsal symbol=SPY data=parquet data.path=SPY.parquet ...

The words are those of the command itself. Its process and all that it begins get one clock, and the
day's bars of `data` are written into `task.feed_folder`, each when that clock says that it ends.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from intraday_rl.config import compose_plan
from intraday_rl.errors import ConfigError, DataError, IntradayRLError
from intraday_rl.interruption import Interrupted, listening
from intraday_rl.live.clock import ExchangeClock, clock_of
from intraday_rl.loading import load_market
from intraday_rl.market.calendar import NEW_YORK
from intraday_rl.market.sources import MarketData
from intraday_rl.tasks import Paper, Serve


def shared_clock(words: Sequence[str]) -> list[str]:
    """The words with the moment at which the clock starts, and with how the bars are written."""
    plan = compose_plan(words)
    if not isinstance(plan.task, Paper | Serve):
        raise ConfigError("task", type(plan.task).__name__, "rehearse task=serve or task=paper")
    for key, value in (
        ("task.clock.start", plan.task.clock.start),
        ("task.feed_folder", plan.task.feed_folder),
    ):
        if value is None:
            raise ConfigError(key, value, "a rehearsal needs it")
    return [
        *words,
        f"task.clock.anchor='{datetime.now(UTC).isoformat()}'",
        f"task.feed_bar_minutes={plan.data.bar_minutes}",
        "task.feed_bar_label=start",
    ]


@contextmanager
def growing(
    market: MarketData, day: date, folder: Path, clock: ExchangeClock
) -> Iterator[threading.Thread]:
    """Files of symbol and benchmark in `folder` that get each bar of the day when it ends."""
    leaving = threading.Event()
    thread = threading.Thread(target=_write, args=(market, day, folder, clock, leaving))
    folder.mkdir(parents=True, exist_ok=True)
    thread.start()
    try:
        yield thread
    finally:
        leaving.set()
        thread.join()


def _write(
    market: MarketData, day: date, folder: Path, clock: ExchangeClock, leaving: threading.Event
) -> None:
    rows: list[tuple[pd.Timestamp, Path, str]] = []
    for bars in (market.symbol, market.benchmark):
        file = folder / f"{bars.symbol}.csv"
        file.write_text("timestamp,open,high,low,close,volume\n", encoding="utf-8")
        for row in bars.between(day, day).frame.itertuples():
            prices = [getattr(row, name) * row.split_factor for name in ("open", "high", "low")]
            values = [*prices, row.close * row.split_factor, row.volume / row.split_factor]
            line = ",".join([row.bar_start.isoformat(), *(repr(float(one)) for one in values)])
            rows.append((row.bar_end, file, f"{line}\n"))
    for bar_end, file, line in sorted(rows, key=lambda one: one[0]):
        clock.wait_until(bar_end, leaving)
        if leaving.is_set():
            return
        with file.open("a", encoding="utf-8") as lines:
            lines.write(line)


def _check_its_own(market: MarketData, day: date, folder: Path) -> None:
    """The files are begun anew: what is no earlier rehearsal of the day must not be lost."""
    for bars in (market.symbol, market.benchmark):
        file = folder / f"{bars.symbol}.csv"
        lines = file.read_text("utf-8").splitlines()[1:] if file.exists() else []
        if any(not line.startswith(str(day)) for line in lines):
            raise DataError(
                f"task.feed_folder={folder}: {file.name} has other bars than those of {day}, and a "
                "rehearsal begins it anew; name an empty folder"
            )


def rehearse(words: Sequence[str]) -> int:
    """Play the day; the status of the command."""
    plan = compose_plan(words)
    assert isinstance(plan.task, Paper | Serve)
    assert plan.task.feed_folder is not None
    clock, market = clock_of(plan.task.clock), load_market(plan)
    day = clock.now().tz_convert(NEW_YORK).date()
    if day not in {stamp.date() for stamp in market.symbol.session_index()}:
        raise DataError(f"task.clock.start={plan.task.clock.start}: the data have no bars of {day}")
    folder = Path(plan.task.feed_folder)
    _check_its_own(market, day, folder)
    with growing(market, day, folder, clock):
        child = subprocess.Popen([sys.executable, "-m", "intraday_rl", *words])
        try:
            with listening():
                return child.wait()
        except Interrupted as stop:
            if stop.status != 130:  # Ctrl-C reaches the child by itself
                child.terminate()
            child.wait()
            return stop.status


def main() -> int:
    try:
        return rehearse(shared_clock(sys.argv[1:]))
    except IntradayRLError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
