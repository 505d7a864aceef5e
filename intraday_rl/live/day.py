"""One session as it goes: the environment itself, run on the bars that are known so far.

Nothing is copied from the environment. At each bar's end the bars known so far are laid out as a
day of the backtest, the rest of the day filled in with the last close; the account walks through
the decisions taken so far, with the fills that their orders got, and looks. What it sees at bar k
depends on bars up to k alone (the perturbation tests of the features and of the kernel prove it),
so the filling is never seen: it only gives the day its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.dataset import Dataset, Fitting, open_dataset
from intraday_rl.errors import DataError, ModelError
from intraday_rl.live.account import NOTHING, Actions, Exit, Filled, Fills, Opening, Sight
from intraday_rl.market.bars import PRICES, Bars
from intraday_rl.market.calendar import MINUTE_NS, nanoseconds, open_close_ns, sessions, utc
from intraday_rl.market.sources import MarketData
from intraday_rl.plan import Plan
from intraday_rl.stage import Stage
from intraday_rl.trading.accounts import Accounts
from intraday_rl.trading.cutoff import Fill
from intraday_rl.trading.kernel.layout import ENTRY
from intraday_rl.trading.ledger import ledger_frame
from intraday_rl.trading.problem import Problem
from intraday_rl.trading.tape import MINUTE


class TradingDay:
    """A session of one model, from its opening to its ledger.

    plan      the model's own, on the data of now
    fitting   scaler and moments of the model's train sessions
    history   bars of symbol and benchmark up to the session before, from the origin of training

    | attribute, UTC | |
    |---|---|
    | `bar_ends` | when each bar of the session ends, in order |
    | `cutoff` | when the account must be flat |
    | `exit_at` | the last bar boundary up to the cutoff: the exit fills at its opening |
    | `decision_ends` | ends of the bars at which an order could still be filled before the exit |
    """

    def __init__(
        self, plan: Plan, fitting: Fitting, history: MarketData, day: date, opening: Opening
    ) -> None:
        if plan.env.fill is not Fill.next_open:
            raise ModelError(
                f"env.fill={plan.env.fill.value}: a session can only fill at the next open; "
                "train the model with env.fill=next_open"
            )
        lot_size = plan.env.action.lot_size
        if not lot_size or lot_size % 1.0:
            raise ModelError(
                f"env.action.lot_size={lot_size:g}: a session trades whole shares, whose sums are "
                "exact; train the model with env.action.lot_size=1"
            )
        table = sessions(day, day)
        if table.empty:
            raise DataError(
                f"task.day={day}: no session of the exchange; name a day on which it trades"
            )
        if history.symbol.session_index()[-1].date() >= day:
            raise DataError(f"the history must end before {day}")
        self.plan, self.fitting, self.history = plan, fitting, history
        self.day, self.opening = day, opening
        self.calendar = table
        self._grid = _grid(table, history.symbol.bar_minutes)
        starts, self.bar_ends = (
            pd.DatetimeIndex(self._grid[name]) for name in ("bar_start", "bar_end")
        )
        self.cutoff = pd.Timestamp(plan.env.cutoff.times(table).iloc[0])
        self.exit_at = pd.Timestamp(starts[starts <= self.cutoff][-1])
        self.decision_ends = self.bar_ends[self.bar_ends < self.exit_at]

    @cached_property
    def book(self) -> np.void:
        """Costs and the action's meaning, as the kernel reads them."""
        last = self.history.symbol.session_index()[-1].date()
        dataset = open_dataset(self.plan, self.history, keep_features=False)
        problem = Stage.of(dataset, self.fitting).problem([last])
        book: np.void = problem.book[0]
        return book

    @property
    def no_bars(self) -> Bars:
        """The symbol's, before the first."""
        history = self.history.symbol
        return replace(history, frame=history.frame.iloc[:0].reset_index(drop=True), notes=())

    def recorded(self, prices: Mapping[pd.Timestamp, Mapping[str, float]]) -> Bars:
        """The day's bars from traded prices by their end, as a journal keeps them.

        Volume is not kept: that of the history's last bar stands in, for a ledger, which reads
        prices alone; nothing is decided on such bars.
        """
        last = self.history.symbol.frame.iloc[-1]
        factor = float(last["split_factor"])
        rows = self._grid[self._grid["bar_end"].isin(list(prices))].reset_index(drop=True)
        values = {name: [prices[end][name] / factor for end in rows["bar_end"]] for name in PRICES}
        frame = rows.assign(**values, volume=float(last["volume"]), split_factor=factor)
        return replace(self.no_bars, frame=frame[list(self.history.symbol.frame.columns)])

    def sight(self, symbol: Bars, benchmark: Bars, actions: Actions, fills: Fills) -> Sight:
        """What the account sees at the end of the last bar of `symbol`, this day's bars so far."""
        last = symbol.frame.iloc[-1]
        now = pd.Timestamp(last["bar_end"])
        problem = self._problem(self._to_its_end(symbol), benchmark)
        ends = self._ends(problem)
        accounts, _ = self._walk(problem, ends[ends < now], actions, fills, None)
        observation = np.empty((1, len(problem.names)), np.float32)
        accounts.look(observation)
        account = accounts.records[0].copy()
        market = observation[0, : int(problem.book[0]["market_columns"])]
        return Sight(
            bar_end=now,
            observation=observation[0],
            at_bound=float((np.abs(market) >= self.fitting.scaler.bound).mean()),
            shares=float(account["shares"]),
            equity=float(account["equity"]),
            close=float(last["close"] * last["split_factor"]),
            account=account,
            book=problem.book[0],
        )

    def ledger(
        self,
        symbol: Bars,
        benchmark: Bars,
        actions: Actions,
        fills: Fills,
        leave: Exit,
        fold: str,
        seed: int,
    ) -> tuple[pd.DataFrame, Opening]:
        """The session's rows of the ledger from all its bars, and the opening of the next one.

        Where a fill has no row on the bars that came, since none came after it before the exit, the
        missing bars stand still at the close before, as prices did for whoever traded.
        """
        today = symbol if leave.time is None else self._to_its_end(symbol)
        problem = self._problem(today, benchmark)
        ends = self._ends(problem)
        traded = [bar_end for bar_end, filled in fills.items() if filled.shares]
        if not set(traded) <= set(ends):
            problem = self._problem(self._without_holes(symbol), benchmark)
            ends = self._ends(problem)
            came = bool((symbol.frame["bar_start"] == self.exit_at).any())
            problem.tape.missing_bar[int(problem.eligible[0])] = not came
        if leave.time is not None:
            ends = ends[(ends < leave.time) | ends.isin(list(actions))]
            problem = _cut_short(problem, len(ends), leave)
        accounts, entries = self._walk(problem, ends, actions, fills, leave.filled)
        account = accounts.records[0]
        after = Opening(
            float(account["equity"]), float(account["moment_a"]), float(account["moment_b"])
        )
        frame = ledger_frame(problem, entries, fold, seed)
        if leave.time is not None:
            frame.loc[frame["forced_exit"], "exit_reason"] = leave.reason
        return frame, after

    def _walk(
        self,
        problem: Problem,
        ends: pd.DatetimeIndex,
        actions: Actions,
        fills: Fills,
        leave: Filled | None,
    ) -> tuple[Accounts, NDArray[np.void]]:
        """Through the decisions at `ends`, then the exit if there is one."""
        accounts = Accounts(problem, 1)
        accounts.start([0])
        account = accounts.records[0]
        account["equity"] = self.opening.equity
        account["moment_a"], account["moment_b"] = self.opening.moment_a, self.opening.moment_b
        accounts.open_sessions()
        filled = [fills.get(bar_end, NOTHING) for bar_end in ends]
        if leave is not None:
            filled.append(leave)
        entries = np.zeros(len(filled), ENTRY)
        accounts.walk_filled(
            entries,
            np.array([actions.get(bar_end, np.nan) for bar_end in ends], np.float64),
            np.array([one.shares for one in filled], np.float64),
            np.array([np.nan if one.paid is None else one.paid for one in filled], np.float64),
            leaves=leave is not None,
        )
        return accounts, entries

    @staticmethod
    def _ends(problem: Problem) -> pd.DatetimeIndex:
        """When the decisions of the day are taken."""
        tape = problem.tape
        session = tape.sessions[int(problem.eligible[0])]
        first, count = int(session["first_row"]), int(session["decisions"])
        return utc(tape.row_end[first : first + count].astype("datetime64[ns]").astype(np.int64))

    def _problem(self, today: Bars, benchmark: Bars) -> Problem:
        return Stage.of(self._dataset(today, benchmark), self.fitting).problem([self.day])

    def _dataset(self, today: Bars, benchmark: Bars) -> Dataset:
        market = replace(
            self.history,
            symbol=_joined(self.history.symbol, today),
            benchmark=_joined(self.history.symbol, today)
            if self.history.benchmark_is_own
            else _joined(self.history.benchmark, benchmark),
        )
        return open_dataset(self.plan, market, keep_features=False)

    def _to_its_end(self, symbol: Bars) -> Bars:
        """The day's bars so far and, to its end, bars that stand still at the last close."""
        return self._standing_still(symbol, symbol.frame["bar_start"].iloc[-1])

    def _without_holes(self, symbol: Bars) -> Bars:
        """The day's bars from the first one on, missing ones standing still at the close before."""
        return self._standing_still(symbol, symbol.frame["bar_start"].iloc[0])

    def _standing_still(self, symbol: Bars, since: pd.Timestamp) -> Bars:
        """The bars, and in place of each that is missing after `since` one without a trade."""
        known = symbol.frame
        missing = ~self._grid["bar_start"].isin(known["bar_start"])
        later = self._grid[missing & (self._grid["bar_start"] > since)]
        before = np.searchsorted(nanoseconds(known["bar_start"]), nanoseconds(later["bar_start"]))
        closes = known["close"].to_numpy()[before - 1]
        still = later.assign(
            **dict.fromkeys(PRICES, closes),
            volume=np.nan if known["volume"].isna().any() else 0.0,
            split_factor=float(known["split_factor"].iloc[-1]),
        )
        frame = pd.concat([known, still[list(known.columns)]], ignore_index=True)
        return replace(symbol, frame=frame.sort_values("bar_start", ignore_index=True))


def _cut_short(problem: Problem, decisions: int, leave: Exit) -> Problem:
    """The day with its exit where it really was, after so many decisions."""
    tape = problem.tape
    number = int(problem.eligible[0])
    sessions, rows, row_end = tape.sessions.copy(), tape.rows.copy(), tape.row_end.copy()
    sessions[number]["decisions"] = decisions
    row = int(sessions[number]["first_row"]) + decisions
    assert leave.time is not None
    opened = row_end[row] - (rows[row]["decision_minute"] * MINUTE).astype("timedelta64[ns]")
    row_end[row] = leave.time.tz_convert(None).to_datetime64()
    rows[row]["decision_minute"] = (row_end[row] - opened) / MINUTE
    rows[row]["fill_minute"] = rows[row]["decision_minute"]
    if leave.price is not None:
        rows[row]["price"] = leave.price
    return replace(problem, tape=replace(tape, sessions=sessions, rows=rows, row_end=row_end))


def _grid(table: pd.DataFrame, bar_minutes: int) -> pd.DataFrame:
    """Start and end of every bar of the session."""
    (opened,), (closed,) = open_close_ns(table)
    starts = np.arange(opened, closed, bar_minutes * MINUTE_NS, dtype=np.int64)
    ends = np.minimum(starts + bar_minutes * MINUTE_NS, closed)
    return pd.DataFrame(
        {"session": table.index[0], "bar_start": utc(starts), "bar_end": utc(ends)}
    ).astype({"session": "datetime64[ns]"})


def _joined(history: Bars, today: Bars) -> Bars:
    if len(today.frame) == 0:
        return history
    before, after = nanoseconds(history.frame["bar_end"])[-1], today.frame["bar_start"].iloc[0]
    if after.value < before:
        raise DataError(f"{today.symbol}: bars of {after} are in the history already")
    frame = pd.concat([history.frame, today.frame], ignore_index=True)
    return replace(history, frame=frame)
