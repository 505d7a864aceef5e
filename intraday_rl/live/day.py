"""One session as it goes: the environment itself, run on the bars that are known so far.

Nothing is copied from the environment. At each bar's end the bars known so far are laid out as a
day of the backtest, the rest of the day filled in with the last close; the account walks through
the decisions taken so far, and looks. What it sees at bar k depends on bars up to k alone (the
perturbation tests of the features and of the kernel prove it), so the filling is never seen: it
only gives the day its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.dataset import Dataset, Fitting, open_dataset
from intraday_rl.errors import DataError, ModelError
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

# Raw actions by the end of the bar at which they were taken.
Actions = Mapping[pd.Timestamp, float]


@dataclass(frozen=True, slots=True)
class Opening:
    """The account as a session finds it: equity in USD, moments of the reward."""

    equity: float
    moment_a: float
    moment_b: float


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known at a bar's end; `shares` are those of the account, `close` the traded one."""

    bar_end: pd.Timestamp
    observation: NDArray[np.float32]
    shares: float
    close: float


class TradingDay:
    """A session of one model, from its opening to its ledger.

    plan      the model's own, on the data of now
    fitting   scaler and moments of the model's train sessions
    history   bars of symbol and benchmark up to the session before, from the origin of training
    """

    def __init__(
        self, plan: Plan, fitting: Fitting, history: MarketData, day: date, opening: Opening
    ) -> None:
        if plan.env.fill is not Fill.next_open:
            raise ModelError(
                f"env.fill={plan.env.fill.value}: a session can only fill at the next open; "
                "train the model with env.fill=next_open"
            )
        table = sessions(day, day)
        if table.empty:
            raise DataError(f"{day} is no session of the exchange")
        if history.symbol.session_index()[-1].date() >= day:
            raise DataError(f"the history must end before {day}")
        self.plan, self.fitting, self.history = plan, fitting, history
        self.day, self.opening = day, opening
        self.calendar = table
        self._grid = _grid(table, history.symbol.bar_minutes)

    @property
    def cutoff(self) -> pd.Timestamp:
        """When the account must be flat (UTC)."""
        return pd.Timestamp(self.plan.env.cutoff.times(self.calendar).iloc[0])

    @property
    def bar_ends(self) -> pd.DatetimeIndex:
        """When each bar of the session ends, in order."""
        return pd.DatetimeIndex(self._grid["bar_end"])

    def decides_at(self, bar_end: pd.Timestamp) -> bool:
        """Whether a decision is taken at this bar's end: could it be filled before the exit?"""
        return bool(bar_end in set(self._decision_ends()))

    def sight(self, symbol: Bars, benchmark: Bars, actions: Actions) -> Sight:
        """What the account sees at the end of the last bar of `symbol`, this day's bars so far."""
        last = symbol.frame.iloc[-1]
        now = pd.Timestamp(last["bar_end"])
        problem = self._problem(symbol, benchmark, whole_day=True)
        accounts, _ = self._walk(problem, actions, until=now)
        observation = np.empty((1, len(problem.names)), np.float32)
        accounts.look(observation)
        shares = float(accounts.records[0]["shares"])
        return Sight(now, observation[0], shares, float(last["close"] * last["split_factor"]))

    def ledger(
        self, symbol: Bars, benchmark: Bars, actions: Actions, fold: str, seed: int
    ) -> tuple[pd.DataFrame, Opening]:
        """The session's rows of the ledger from all its bars, and the opening of the next one."""
        problem = self._problem(symbol, benchmark, whole_day=False)
        accounts, entries = self._walk(problem, actions, until=None)
        account = accounts.records[0]
        after = Opening(
            float(account["equity"]), float(account["moment_a"]), float(account["moment_b"])
        )
        return ledger_frame(problem, entries, fold, seed), after

    def _walk(
        self,
        problem: Problem,
        actions: Actions,
        until: pd.Timestamp | None,
    ) -> tuple[Accounts, NDArray[np.void]]:
        """Through the decisions before `until`; all if None.

        A decision that was missed (its bar came too late) leaves the target as it was: the action
        before it said once more, 0 where there was none.
        """
        accounts = Accounts(problem, 1)
        accounts.start([0])
        account = accounts.records[0]
        account["equity"] = self.opening.equity
        account["moment_a"], account["moment_b"] = self.opening.moment_a, self.opening.moment_b
        accounts.open_sessions()
        tape, number = problem.tape, int(problem.eligible[0])
        session = tape.sessions[number]
        first, count = int(session["first_row"]), int(session["decisions"])
        ends = utc(tape.row_end[first : first + count].astype("datetime64[ns]").astype(np.int64))
        entries = np.zeros(count + 1, ENTRY)
        observation = np.empty((1, len(problem.names)), np.float32)
        reward, terminated = np.zeros(1), np.zeros(1, np.bool_)
        action, done = np.zeros(1), 0
        for bar_end in ends:
            if until is not None and bar_end >= until:
                break
            action[0] = actions.get(bar_end, action[0])
            accounts.step(action, observation, reward, terminated)
            entries[done] = accounts.entries[0, 0]
            done += 1
        if done == count:
            entries[done] = accounts.entries[0, 1]
            done += 1
        return accounts, entries[:done]

    def _problem(self, symbol: Bars, benchmark: Bars, *, whole_day: bool) -> Problem:
        return Stage.of(self._dataset(symbol, benchmark, whole_day), self.fitting).problem(
            [self.day]
        )

    def _dataset(self, symbol: Bars, benchmark: Bars, whole_day: bool) -> Dataset:
        today = self._filled(symbol) if whole_day else symbol
        market = replace(
            self.history,
            symbol=_joined(self.history.symbol, today),
            benchmark=_joined(self.history.symbol, today)
            if self.history.benchmark_is_own
            else _joined(self.history.benchmark, benchmark),
        )
        return open_dataset(self.plan, market, keep_features=False)

    def _filled(self, symbol: Bars) -> Bars:
        """The day's bars so far and, to its end, bars that stand still at the last close."""
        known = symbol.frame
        last = known.iloc[-1]
        later = self._grid[self._grid["bar_start"] > last["bar_start"]]
        still = later.assign(
            **{name: float(last["close"]) for name in PRICES},
            volume=np.nan if np.isnan(last["volume"]) else 0.0,
            split_factor=float(last["split_factor"]),
        )
        frame = pd.concat([known, still[list(known.columns)]], ignore_index=True)
        return replace(symbol, frame=frame)

    def _decision_ends(self) -> pd.DatetimeIndex:
        """Ends of the day's bars at which an order could still be filled before the exit."""
        ends = pd.DatetimeIndex(self._grid["bar_end"])
        starts = pd.DatetimeIndex(self._grid["bar_start"])
        boundary = starts[starts <= self.cutoff][-1]
        return ends[ends < boundary]


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
