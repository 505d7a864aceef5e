"""A backtest by a policy with drawn weights, and its sessions played again bar by bar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.config import compose_plan
from intraday_rl.dataset import Fold, Split, open_dataset, open_fold
from intraday_rl.entry.job import run_plan
from intraday_rl.live.account import Opening
from intraday_rl.live.book import SessionBook
from intraday_rl.live.brokers.paper import PaperBroker
from intraday_rl.live.clock import ReplayClock
from intraday_rl.live.closing import lay_out
from intraday_rl.live.day import TradingDay
from intraday_rl.live.driving import replay
from intraday_rl.live.feeds.replay import ReplayFeed
from intraday_rl.live.journal import Journal
from intraday_rl.live.opening import opening_from
from intraday_rl.live.order_desk import OrderDesk
from intraday_rl.live.session import Session
from intraday_rl.live.watchdog import Watchdog
from intraday_rl.loading import resolve
from intraday_rl.market.sources import MarketData
from intraday_rl.plan import Plan
from intraday_rl.research.rollout import walk
from intraday_rl.stage import Stage
from intraday_rl.tasks import Paper


def drawn_actor(width: int, seed: int = 0) -> ActorPolicy:
    """Weights that nobody trained: actions of every size, sensitive to the last bit."""
    random = np.random.default_rng(seed)
    shapes = [(16, width), (1, 16)]
    arrays = {}
    for number, shape in enumerate(shapes):
        arrays[f"weight_{number}"] = random.normal(0, 1.2, shape).astype(np.float32)
        arrays[f"bias_{number}"] = np.zeros(shape[0], np.float32)
    return ActorPolicy.from_arrays(arrays)


BARS = ["data.start=2021-01-04", "data.end=2021-12-31", "tracking=none"]
FOLD = [
    "windows=auto", "windows.train_size=6 months", "windows.test_size=3 months",
    "windows.validation_sessions=40", "selection.abstain=false", "parallel.workers=1",
    "agent.net_arch=[8]", "agent.batch_size=32", "agent.total_timesteps=320",
    "agent.learning_starts=64", "agent.eval_freq=160", "agent.n_envs=8",
]  # fmt: skip
WINDOW = "2021-07-04_2021-10-03"


@dataclass(frozen=True)
class Backtest:
    """A fold, the policy, and the ledger of its test."""

    plan: Plan
    market: MarketData
    fold: Fold
    policy: ActorPolicy
    ledger: pd.DataFrame

    @property
    def stage(self) -> Stage:
        return Stage.of(self.fold.dataset, self.fold.fitting)

    def before(self, day: date) -> MarketData:
        """The market up to the session before."""
        first = self.market.symbol.session_index()[0].date()
        last = (pd.Timestamp(day) - pd.Timedelta(days=1)).date()
        return replace(
            self.market,
            symbol=self.market.symbol.between(first, last),
            benchmark=self.market.benchmark.between(first, last),
        )

    def rolled_out(self, first: date, last: date) -> Backtest:
        """The same policy and fitting on other sessions, in order, with a new account."""
        dataset = self.fold.dataset
        days = [day.item() for day in dataset.tape.dates[dataset.warm]]
        problem = self.stage.problem([day for day in days if first <= day <= last])
        return replace(self, ledger=walk(problem, self.policy).ledger("fold", 0))

    def day(self, day: date) -> TradingDay:
        opening = opening_from(self.stage, self.ledger, day)
        return TradingDay(self.plan, self.fold.fitting, self.before(day), day, opening)

    def played(self, day: date, folder: Path) -> tuple[pd.DataFrame, Opening]:
        """The session's ledger, each decision taken with the bars up to it alone."""
        session = self.session(day, folder)
        watchdog = Watchdog(session.desk, session.day.exit_at, pd.Timedelta(0), lambda: None)
        with session.desk.journal:
            replay(session, watchdog)
            closed = lay_out(session, session.clock.now(), "fold", 0)
        session.broker.close()
        assert session.desk.book.position == 0.0
        assert closed.ledger is not None
        return closed.ledger, closed.after

    def session(self, day: date, folder: Path, **options: Any) -> Session:
        """A replay of the day with the paper broker, nothing of it played yet."""
        trading_day = self.day(day)
        clock = ReplayClock(pd.Timestamp(trading_day.calendar["open"].iloc[0]))
        bar = pd.Timedelta(minutes=self.market.symbol.bar_minutes)
        broker = PaperBroker(folder, trading_day.book, clock, trading_day.exit_at, bar)
        desk = OrderDesk(
            Journal(folder / "journal.jsonl"), SessionBook(), broker, self.plan.symbol, "test"
        )
        feed = ReplayFeed(self.market, day)
        task = Paper(model="latest", day=str(day), **options)
        self.policy.begin_session()
        return Session(trading_day, self.policy, feed, broker, desk, clock, task, clock.now())

    def rows(self, day: date) -> pd.DataFrame:
        return self.ledger[self.ledger["session"] == pd.Timestamp(day)].reset_index(drop=True)


def backtest_of(*overrides: str, fold_number: int = 0) -> Backtest:
    plan = compose_plan(["tracking=none", *overrides])
    resolved = resolve(plan)
    dataset = open_dataset(plan, resolved.market, keep_features=False)
    fold = open_fold(dataset, resolved.windows[fold_number])
    plan = replace(plan, features=dataset.features)
    policy = drawn_actor(len(fold.observation_names))
    ledger = walk(fold.problem(Split.test), policy).ledger("fold", 0)
    return Backtest(plan, resolved.market, fold, policy, ledger)


@pytest.fixture(scope="session")
def backtest() -> Backtest:
    return backtest_of(
        "data.start=2021-01-04", "data.end=2022-01-14", "windows=auto",
        "windows.train_size=6 months", "windows.test_size=6 months",
        "windows.validation_sessions=30",
    )  # fmt: skip


@pytest.fixture
def make_backtest() -> Callable[..., Backtest]:
    return backtest_of


def spy_test_year(real_data: Path, year: int) -> Backtest:
    """A canonical test year on real bars."""
    file = real_data / "SPY_15min_2018_2025.parquet"
    given = ("symbol=SPY", "data=parquet", f"data.path={file}", "data.bar_label=start")
    return backtest_of(*given, fold_number=year - 2021)


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> tuple[Path, str]:
    """Outputs with one run of a few decisions, and the key of it."""
    outputs = tmp_path_factory.mktemp("paper")
    overrides = [*BARS, *FOLD, f"paths.outputs={outputs}", f"paths.state={outputs}/state"]
    return outputs, str(run_plan(compose_plan(overrides), overrides).run_key)
