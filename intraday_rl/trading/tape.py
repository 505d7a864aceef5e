"""The session rule: which bars are decisions, what fills them, and when everything is sold.

A decision is taken at the end of a bar and exists only if its fill lies before the exit. The exit
is the open of the bar that starts at the last bar boundary not after the cutoff; without such a
bar it is the close of the last bar before it. Every session has exactly one exit.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.market.bars import Bars
from intraday_rl.market.calendar import sessions as calendar_sessions
from intraday_rl.trading.cutoff import Cutoff, Fill
from intraday_rl.trading.kernel.layout import ROW, SESSION

MINUTE = np.timedelta64(1, "m")


@dataclass(frozen=True, slots=True)
class Tape:
    """All sessions of a symbol as the kernel reads them.

    | field | shape | what |
    |---|---|---|
    | `sessions` | (n_sessions,) `SESSION` | cutoff; fees and impact statistics, set by the caller |
    | `rows` | (n_rows,) `ROW` | decisions of a session, then its exit |
    | `dates` | (n_sessions,) datetime64[D] | session dates |
    | `bar` | (n_rows,) int64 | index into `Bars.frame` of the bar known at the row |
    | `row_end` | (n_rows,) datetime64[ns], UTC | `bar_end`; on exit rows the exit's time |
    | `split_factor` | (n_rows,) | |
    | `missing_bar` | (n_sessions,) bool | the exit had no bar to open at |
    | `half_day` | (n_sessions,) bool | |
    """

    sessions: NDArray[np.void]
    rows: NDArray[np.void]
    dates: NDArray[np.datetime64]
    bar: NDArray[np.int64]
    row_end: NDArray[np.datetime64]
    split_factor: NDArray[np.float64]
    missing_bar: NDArray[np.bool_]
    half_day: NDArray[np.bool_]

    def index_of(self, dates: tuple[dt.date, ...]) -> NDArray[np.int64]:
        """Session numbers of `dates`, in order; a date without a session is refused."""
        wanted = np.array(dates, dtype="datetime64[D]")
        index = np.searchsorted(self.dates, wanted)
        found = (index < self.dates.size) & (
            self.dates[np.minimum(index, self.dates.size - 1)] == wanted
        )
        if not found.all():
            raise DataError(
                f"no bars for session {wanted[~found][0]}; check the coverage of the data"
            )
        return index.astype(np.int64)

    def decision_rows(self, sessions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row numbers of every decision (exits left out) in `sessions`."""
        chosen = self.sessions[sessions]
        spans = zip(chosen["first_row"], chosen["decisions"], strict=True)
        return np.concatenate([np.arange(first, first + count) for first, count in spans])


def build_tape(bars: Bars, cutoff: Cutoff, fill: Fill) -> Tape:
    """Lay out decisions and exits of every session of `bars`.

    Raises `DataError` naming the first session in which no decision is possible.
    """
    frame = bars.frame
    dates = pd.DatetimeIndex(frame["session"])
    calendar = calendar_sessions(dates[0].date(), dates[-1].date()).loc[bars.session_index()]
    session_of_bar = calendar.index.get_indexer(dates)
    start, end = _utc(frame["bar_start"]), _utc(frame["bar_end"])
    opens = _utc(calendar["open"])
    boundary, exit_time, missing = _exits(
        calendar, cutoff, bars.bar_minutes, session_of_bar, start, end
    )

    following = np.arange(1, len(frame) + 1)
    following[-1] = len(frame) - 1
    has_next = np.append(session_of_bar[1:] == session_of_bar[:-1], False)
    if fill is Fill.close:
        fill_time = end
    else:
        fill_time = start[following] if fill is Fill.next_open else end[following]
    decides = (fill_time < exit_time[session_of_bar]) & (has_next | (fill is Fill.close))
    count = np.bincount(session_of_bar[decides], minlength=len(calendar))
    if (count == 0).any():
        raise _no_decision(bars, calendar[count == 0], cutoff, fill)

    traded_open, traded_close = (
        frame[column].to_numpy() * frame["split_factor"].to_numpy() for column in ("open", "close")
    )
    if fill is Fill.next_open:
        fill_price = traded_open[following]
    else:
        fill_price = traded_close[following] if fill is Fill.next_close else traded_close

    known, exit_price = _exit_bars(calendar, exit_time, missing, session_of_bar, start, end)
    first_row = np.concatenate([[0], np.cumsum(count + 1)[:-1]])
    rows = np.zeros(int(count.sum()) + len(calendar), ROW)
    bar = np.empty(rows.size, np.int64)
    row_end = np.empty(rows.size, "datetime64[ns]")
    exits = first_row + count
    decision_rows = np.delete(np.arange(rows.size), exits)
    chosen = np.flatnonzero(decides)
    bar[decision_rows], bar[exits] = chosen, known
    row_end[decision_rows], row_end[exits] = end[chosen], exit_time
    session_open = np.repeat(opens, count + 1)
    rows["close"] = traded_close[bar]
    rows["price"][decision_rows] = fill_price[chosen]
    rows["price"][exits] = np.where(missing, traded_close[exit_price], traded_open[exit_price])
    rows["decision_minute"] = (row_end - session_open) / MINUTE
    rows["fill_minute"] = rows["decision_minute"]
    rows["fill_minute"][decision_rows] = (fill_time[chosen] - session_open[decision_rows]) / MINUTE

    sessions = np.zeros(len(calendar), SESSION)
    sessions["first_row"], sessions["decisions"] = first_row, count
    # Of the calendar, not of the exit that came about: that bars will be missing is known later.
    sessions["cutoff_minute"] = (boundary - opens) / MINUTE
    sessions["daily_volatility"] = sessions["daily_volume"] = np.nan
    return Tape(
        sessions=sessions,
        rows=rows,
        dates=calendar.index.to_numpy().astype("datetime64[D]"),
        bar=bar,
        row_end=row_end,
        split_factor=frame["split_factor"].to_numpy()[bar],
        missing_bar=missing,
        half_day=calendar["half_day"].to_numpy(),
    )


def hold_returns(tape: Tape, sessions: NDArray[np.int64]) -> NDArray[np.float64]:
    """next price ÷ price − 1 over every decision of `sessions`: a hold without costs."""
    rows = tape.decision_rows(sessions)
    price = tape.rows["price"]
    return np.asarray(price[rows + 1] / price[rows] - 1.0, np.float64)


def _no_decision(
    bars: Bars, calendar: pd.DataFrame, cutoff: Cutoff, fill: Fill
) -> ConfigError | DataError:
    """Why the first of these sessions has no decision: the cutoff, or its bars."""
    day = calendar.index[0].date()
    minutes = (cutoff.times(calendar) - calendar["open"]).iloc[0] / pd.Timedelta(minutes=1)
    needed = 3 if fill is Fill.next_close else 2
    if minutes < needed * bars.bar_minutes:
        return ConfigError(
            "env.cutoff.latest_time",
            cutoff.latest_time,
            f"leaves no decision in session {day} with bars of {bars.bar_minutes} minutes; "
            "choose it later, or shorter bars",
        )
    return DataError(
        f"{bars.symbol}: session {day} has no bar from which a decision could be filled before "
        "the exit; use data.on_bad_session=drop with a smaller data.max_missing_bars"
    )


def _utc(column: pd.Series) -> NDArray[np.datetime64]:
    return np.asarray(column.dt.tz_localize(None), "datetime64[ns]")


def _exits(
    calendar: pd.DataFrame,
    cutoff: Cutoff,
    bar_minutes: int,
    session_of_bar: NDArray[np.intp],
    start: NDArray[np.datetime64],
    end: NDArray[np.datetime64],
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64], NDArray[np.bool_]]:
    """Last bar boundary up to each session's cutoff, its exit time, and whether the bar that
    should open there is missing."""
    opens = _utc(calendar["open"])
    whole_bars = (_utc(cutoff.times(calendar)) - opens) // np.timedelta64(bar_minutes, "m")
    boundary = opens + whole_bars * np.timedelta64(bar_minutes, "m")
    has_bar = np.zeros(len(calendar), bool)
    has_bar[session_of_bar[start == boundary[session_of_bar]]] = True
    before = end <= boundary[session_of_bar]
    last_end = opens.copy()
    np.maximum.at(last_end, session_of_bar[before], end[before])
    return boundary, np.where(has_bar, boundary, last_end), ~has_bar


def _exit_bars(
    calendar: pd.DataFrame,
    exit_time: NDArray[np.datetime64],
    missing: NDArray[np.bool_],
    session_of_bar: NDArray[np.intp],
    start: NDArray[np.datetime64],
    end: NDArray[np.datetime64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bar known at the exit, and bar that gives its price (its open, or its close if missing)."""
    numbers = np.arange(session_of_bar.size)
    known = np.zeros(len(calendar), np.int64)
    closed = end <= exit_time[session_of_bar]
    np.maximum.at(known, session_of_bar[closed], numbers[closed])
    price = known.copy()
    opening = (start == exit_time[session_of_bar]) & ~missing[session_of_bar]
    price[session_of_bar[opening]] = numbers[opening]
    return known, price
