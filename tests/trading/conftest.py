"""Small trading problems whose every price is chosen by the test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from intraday_rl.market.bars import Bars
from intraday_rl.market.calendar import sessions
from intraday_rl.trading.book import Moments, build_book
from intraday_rl.trading.cutoff import Cutoff, Fill
from intraday_rl.trading.environment import Environment
from intraday_rl.trading.fees import sec_rates, taf_rates
from intraday_rl.trading.impact_statistics import impact_statistics
from intraday_rl.trading.observation import AccountColumn, account_columns
from intraday_rl.trading.problem import Problem
from intraday_rl.trading.rewards import REWARD_NAMES, DifferentialSharpe, has_moments
from intraday_rl.trading.tape import build_tape, hold_returns


@pytest.fixture(scope="session")
def make_bars() -> Callable[..., Bars]:
    """Bars of every session between two dates, prices from a seeded walk."""

    def make(
        first: str,
        last: str,
        *,
        bar_minutes: int = 15,
        seed: int = 0,
        split_factor: float = 1.0,
        drop: tuple[str, ...] = (),
        price: float | None = None,
        volume: float = 1e6,
    ) -> Bars:
        random = np.random.default_rng(seed)
        length = pd.Timedelta(minutes=bar_minutes)
        parts = []
        for session, row in sessions(
            date.fromisoformat(first), date.fromisoformat(last)
        ).iterrows():
            start = pd.date_range(row["open"], row["close"], freq=length, inclusive="left")
            end = pd.DatetimeIndex(np.minimum(start + length, row["close"]))
            parts.append(pd.DataFrame({"session": session, "bar_start": start, "bar_end": end}))
        frame = pd.concat(parts, ignore_index=True)
        kept = ~frame["bar_start"].dt.tz_convert("America/New_York").dt.strftime(
            "%Y-%m-%d %H:%M").isin(drop)  # fmt: skip
        n = len(frame)
        close = 50.0 * np.exp(np.cumsum(random.normal(0, 2e-3, n)))
        opens = np.concatenate([[50.0], close[:-1]]) * np.exp(random.normal(0, 3e-4, n))
        if price is not None:
            close, opens = np.full(n, price), np.full(n, price)
        frame["open"], frame["close"] = opens, close
        frame["high"] = np.maximum(opens, close)
        frame["low"] = np.minimum(opens, close)
        frame["volume"] = volume
        frame["split_factor"] = split_factor
        columns = ["session", "bar_start", "bar_end", "open", "high", "low", "close", "volume",
                   "split_factor"]  # fmt: skip
        frame["session"] = frame["session"].astype("datetime64[ns]")
        for stamp in ("bar_start", "bar_end"):
            frame[stamp] = frame[stamp].astype("datetime64[ns, UTC]")
        return Bars("TEST", bar_minutes, frame.loc[kept, columns].reset_index(drop=True))

    return make


@pytest.fixture(scope="session")
def make_problem() -> Callable[..., Problem]:
    """A problem over all sessions of some bars; one market column: the row's number."""

    def make(
        bars: Bars,
        environment: Environment | None = None,
        reward: Any = None,
        *,
        sequential: bool = True,
        moments: Moments | None = None,
        cutoff: Cutoff | None = None,
        fill: Fill | None = None,
    ) -> Problem:
        environment = environment or Environment()
        reward = reward or DifferentialSharpe()
        tape = build_tape(bars, cutoff or environment.cutoff, fill or environment.fill)
        if environment.fees.sec_section_31:
            tape.sessions["sec_rate"] = sec_rates(tape.dates)
        if environment.fees.finra_taf:
            rates = taf_rates(tape.dates)
            tape.sessions["taf_rate"], tape.sessions["taf_cap"] = rates[:, 0], rates[:, 1]
        if environment.impact.active:
            volatility, volume = impact_statistics(bars, environment.impact.window_sessions)
            tape.sessions["daily_volatility"] = volatility
            tape.sessions["daily_volume"] = volume
        everything = np.arange(tape.sessions.size)
        observed = tuple(
            column
            for column in AccountColumn
            if column is not AccountColumn.reward_moments or has_moments(reward)
        )
        book = build_book(
            environment,
            reward,
            moments or Moments.of(hold_returns(tape, everything)),
            market_columns=1,
            observed=observed,
            observation_clip=5.0,
            decisions_per_session=24.0,
            sequential=sequential,
        )
        market = np.arange(tape.rows.size, dtype=np.float32)[:, None]
        names = ("row", *account_columns(observed))
        return Problem(tape, market, names, book, everything, REWARD_NAMES[type(reward)])

    return make
