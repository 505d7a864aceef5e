"""At which times the audit asks: some at random, and those where clocks and bars are special."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intraday_rl.dataset import Dataset
from intraday_rl.market import calendar
from intraday_rl.market.calendar import nanoseconds
from intraday_rl.trading.tape import Tape


@dataclass(frozen=True, slots=True)
class Time:
    """One row of the tape (a decision or an exit), and why it was chosen."""

    row: int
    session: int
    is_exit: bool
    why: str


def sample_times(
    dataset: Dataset, sessions: NDArray[np.int64], count: int, random: np.random.Generator
) -> list[Time]:
    """`count` rows at random, and the special ones of these sessions; in time order.

    | special | rows |
    |---|---|
    | a half day | its last decision and its exit |
    | the first session after each change of the clocks | its first decision |
    | a hole | a row before a missing bar of the symbol, a row without a bar of the benchmark |
    """
    tape = dataset.tape
    rows = np.concatenate([_rows_of(tape, session) for session in sessions])
    chosen: dict[int, str] = {}
    picked = random.choice(rows, size=min(count, rows.size), replace=False)
    chosen |= {int(row): "random" for row in np.sort(picked)}
    half = sessions[tape.half_day[sessions]]
    if half.size:
        last = _rows_of(tape, int(random.choice(half)))[-2:]
        chosen |= {int(row): "half day" for row in last}
    for session in sessions[np.isin(sessions, _after_clock_changes(tape))]:
        chosen[int(_rows_of(tape, session)[0])] = "clocks changed"
    for why, holes in _beside_holes(dataset, rows).items():
        if holes.size:
            chosen[int(random.choice(holes))] = why
    return [_time(tape, row, chosen[row]) for row in sorted(chosen)]


def _time(tape: Tape, row: int, why: str) -> Time:
    session = int(np.searchsorted(tape.sessions["first_row"], row, side="right")) - 1
    is_exit = row == _rows_of(tape, session)[-1]
    return Time(row, session, bool(is_exit), why)


def _rows_of(tape: Tape, session: int) -> NDArray[np.int64]:
    """Decisions of a session, then its exit."""
    found = tape.sessions[session]
    return np.arange(found["first_row"], found["first_row"] + found["decisions"] + 1)


def _after_clock_changes(tape: Tape) -> NDArray[np.int64]:
    """Sessions that open at another UTC time than the session before."""
    dates = tape.dates
    opens = calendar.sessions(dates[0].item(), dates[-1].item())["open"]
    opens = opens.loc[dates.astype("datetime64[ns]")]
    minute = (opens.dt.hour * 60 + opens.dt.minute).to_numpy()
    return np.flatnonzero(minute[1:] != minute[:-1]) + 1


def _beside_holes(dataset: Dataset, rows: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    market, tape = dataset.market, dataset.tape
    frame = market.symbol.frame
    session, start = nanoseconds(frame["session"]), nanoseconds(frame["bar_start"])
    end = nanoseconds(frame["bar_end"])
    gap = np.append((session[1:] == session[:-1]) & (start[1:] != end[:-1]), False)
    bars = tape.bar[rows]
    found = {"before a missing bar": rows[gap[bars]]}
    if not market.benchmark_is_own:
        absent = ~np.isin(end, nanoseconds(market.benchmark.frame["bar_end"]))
        found["without a benchmark bar"] = rows[absent[bars]]
    return found
