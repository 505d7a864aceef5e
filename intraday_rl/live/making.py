"""Feed and broker of a session, as its options say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from intraday_rl.errors import ConfigError
from intraday_rl.live.brokers.broker import Broker
from intraday_rl.live.brokers.paper import PaperBroker
from intraday_rl.live.clock import Clock
from intraday_rl.live.day import TradingDay
from intraday_rl.live.feeds.feed import Feed
from intraday_rl.live.feeds.file import FileFeed
from intraday_rl.live.feeds.replay import ReplayFeed
from intraday_rl.live.feeds.session import SessionIntake
from intraday_rl.live.setting import Setting
from intraday_rl.tasks import BrokerKind, FeedKind

# For tests: where a server on this machine speaks as Alpaca does.
TRADING_ADDRESS = "INTRADAY_RL_ALPACA_TRADING_URL"
TRADES_ADDRESS = "INTRADAY_RL_ALPACA_STREAM_URL"


def feed_of(setting: Setting) -> Feed:
    """Where the session's bars come from."""
    task = setting.task
    if task.feed is FeedKind.replay:
        return ReplayFeed(setting.market, setting.day)
    intake = SessionIntake.after(
        setting.history,
        setting.day,
        feed_bar_minutes=task.feed_bar_minutes,
        grace_seconds=task.bar_grace_seconds,
        splits=getattr(setting.plan.data, "splits", None),
    )
    if task.feed is FeedKind.alpaca:
        with _extra("feed"):
            from intraday_rl.live.feeds.alpaca import AlpacaFeed
        return AlpacaFeed(intake)
    assert task.feed_folder is not None
    assert task.feed_bar_label is not None
    folder = Path(task.feed_folder)
    if not folder.is_dir():
        raise ConfigError("task.feed_folder", folder, "is no folder; whoever writes bars makes it")
    return FileFeed(
        folder,
        intake,
        bar_label=task.feed_bar_label,
        timezone=task.feed_timezone,
    )


def broker_of(setting: Setting, day: TradingDay, clock: Clock, last_close: float | None) -> Broker:
    """Who carries out the session's orders; `last_close` as the session's journal knows it."""
    task = setting.task
    if task.broker is BrokerKind.paper:
        bar = pd.Timedelta(minutes=setting.history.symbol.bar_minutes)
        patience = bar + pd.Timedelta(seconds=task.bar_grace_seconds)
        setting.folder.mkdir(parents=True, exist_ok=True)
        return PaperBroker(setting.folder, day.book, clock, day.exit_at, patience, last_close)
    with _extra("broker"):
        from intraday_rl.live.brokers.alpaca import AlpacaBroker
    alpaca = AlpacaBroker(
        setting.plan.symbol,
        real=task.broker is BrokerKind.alpaca_real,
        url=os.environ.get(TRADING_ADDRESS) or None,
        stream_url=os.environ.get(TRADES_ADDRESS) or None,
    )
    alpaca.listen()
    return alpaca


@contextmanager
def _extra(option: str) -> Iterator[None]:
    """What is imported inside belongs to an extra."""
    try:
        yield
    except ImportError as error:
        remedy = f"needs {error.name}: pip install 'intraday-rl[live]'"
        raise ConfigError(f"task.{option}", "alpaca", remedy) from error
