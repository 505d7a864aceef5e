"""Options of the task that plays sessions: a past one again, or today's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

import pandas as pd

from intraday_rl.errors import ConfigError, check_range
from intraday_rl.market.calendar import FULL_SESSION_MINUTES, NEW_YORK
from intraday_rl.market.files import BarLabel
from intraday_rl.tasks.days import parse_day

# It becomes part of folders, of order ids at a broker and of addresses.
AGENT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class FeedKind(Enum):
    """Where a session's bars come from."""

    replay = "replay"  # the bars of `data`, given out as if they came in
    file = "file"  # files that grow while the session goes on
    alpaca = "alpaca"  # Alpaca's stream of minute bars


class BrokerKind(Enum):
    """Who carries out the orders."""

    paper = "paper"  # the environment's own fills and costs
    alpaca = "alpaca"  # Alpaca's paper account
    alpaca_real = "alpaca_real"  # a real account at Alpaca


@dataclass(slots=True, kw_only=True)
class RiskLimits:
    """What every order must pass, whatever the policy wants.

    | field | unit | |
    |---|---|---|
    | `max_position` | fraction of the session's first equity | of the position an order leads to |
    | `max_notional_usd` | USD | the same in money; null = no limit |
    | `max_orders_per_minute` | orders | within any 60 seconds |
    | `daily_loss_limit` | fraction of the session's first equity | then flat for the day |
    | `max_columns_at_bound` | share of the market columns | at or beyond the scaler's bound |
    | `max_overnight_jump` | fraction | first open against the close before; more = no trading |
    """

    max_position: float = 1.5
    max_notional_usd: float | None = None
    max_orders_per_minute: int = 6
    daily_loss_limit: float = 0.1
    max_columns_at_bound: float = 0.25
    max_overnight_jump: float = 0.3

    def __post_init__(self) -> None:
        check_range("max_position", self.max_position, 0.0, 100.0)
        if self.max_notional_usd is not None:
            check_range("max_notional_usd", self.max_notional_usd, 0.0, 1e12)
        check_range("max_orders_per_minute", self.max_orders_per_minute, 1, 1_000)
        check_range("daily_loss_limit", self.daily_loss_limit, 0.0, 1.0, low_open=True)
        check_range("max_columns_at_bound", self.max_columns_at_bound, 0.0, 1.0)
        check_range("max_overnight_jump", self.max_overnight_jump, 0.0, 10.0, low_open=True)


@dataclass(slots=True, kw_only=True)
class Rehearsal:
    """A clock that is not the machine's: a past day in fast time, the same for all who share it.

    | field | unit | |
    |---|---|---|
    | `start` | New York time | what it shows at `anchor`, as 2022-03-14 09:20; null = real time |
    | `anchor` | UTC | of the machine's clock; null = when the process starts |
    | `speed` | multiple of real time | |
    """

    start: str | None = None
    anchor: str | None = None
    speed: float = 60.0

    def __post_init__(self) -> None:
        check_range("speed", self.speed, 0.0, 1e6, low_open=True)
        for key in ("start", "anchor"):
            text = getattr(self, key)
            if text is not None and not _is_a_time(text):
                remedy = "must be a time that the clocks show once, as '2022-03-14 09:20'"
                raise ConfigError(key, text, remedy)


def _is_a_time(text: str) -> bool:
    """Whether New York's clocks show it, and not twice."""
    try:
        stamp = pd.Timestamp(text)
        return not pd.isna(stamp) and (stamp.tzinfo or stamp.tz_localize(NEW_YORK)) is not None
    except ValueError:
        return False


@dataclass(slots=True, kw_only=True)
class Paper:
    """Play a session with a trained model: a past one bar by bar, or today's as it goes.

    | field | unit | |
    |---|---|---|
    | `model` | | as of `FineTune`; of a fold, `<run>/<window>/seed=<n>` |
    | `agent` | | whose account goes on from session to session; null = a replay of its own |
    | `feed` | | where the bars come from |
    | `broker` | | who carries out the orders |
    | `day` | ISO date | the session; null = today's, or the next one |
    | `speed` | multiple | of real time, of a replay; null = as fast as it goes |
    | `feed_folder` | | where `<symbol>.csv` or a folder `<symbol>` of parquet files grows |
    | `feed_bar_minutes` | minutes | length of the bars that come in |
    | `feed_bar_label` | start, end | which end of these bars their stamp names; has no default |
    | `feed_timezone` | IANA name | zone of stamps without one |
    | `bar_grace_seconds` | seconds | after its end, until a bar that has not come is missing |
    | `late_decision_seconds` | seconds | after a bar's end, when it is too late to act on it |
    | `bridge_ttl_seconds` | seconds | how long a finding about the broker's health holds |
    | `exit_lead_seconds` | seconds | before the cutoff, when the exit order is sent |
    | `flatten` | | open nothing, close what is open |
    | `i_accept_real_orders` | | needed for orders on a real account |
    """

    model: str = "???"
    agent: str | None = None
    feed: FeedKind = FeedKind.replay
    broker: BrokerKind = BrokerKind.paper
    day: str | None = None
    speed: float | None = None
    feed_folder: str | None = None
    feed_bar_minutes: int = 1
    feed_bar_label: BarLabel | None = None
    feed_timezone: str | None = None
    bar_grace_seconds: float = 15.0
    late_decision_seconds: float = 60.0
    bridge_ttl_seconds: float = 10.0
    exit_lead_seconds: float = 0.0
    flatten: bool = False
    i_accept_real_orders: bool = False
    risk: RiskLimits = field(default_factory=RiskLimits)
    clock: Rehearsal = field(default_factory=Rehearsal)

    def __post_init__(self) -> None:
        if not self.model.strip() or not self.model.isprintable():
            raise ConfigError("model", repr(self.model), "name a model: latest, a version, a run")
        if self.agent is not None and not AGENT_NAME.fullmatch(self.agent):
            remedy = "must be small letters, digits and dashes, 32 at most"
            raise ConfigError("agent", self.agent, remedy)
        if self.day is not None:
            parse_day("day", self.day)
        if self.speed is not None:
            check_range("speed", self.speed, 0.0, 1e6, low_open=True)
        check_range("feed_bar_minutes", self.feed_bar_minutes, 1, FULL_SESSION_MINUTES)
        check_range("bar_grace_seconds", self.bar_grace_seconds, 0.0, 3_600.0)
        check_range("late_decision_seconds", self.late_decision_seconds, 0.0, 3_600.0)
        check_range("bridge_ttl_seconds", self.bridge_ttl_seconds, 0.0, 3_600.0)
        check_range("exit_lead_seconds", self.exit_lead_seconds, 0.0, 600.0)
        self._check_feed()
        if self.broker is BrokerKind.alpaca_real and not self.i_accept_real_orders:
            remedy = "sends real orders; say task.i_accept_real_orders=true if that is meant"
            raise ConfigError("broker", self.broker.name, remedy)

    def _check_feed(self) -> None:
        """What each feed needs."""
        if self.feed is FeedKind.replay:
            if self.day is None:
                raise ConfigError("day", None, "a replay needs the session's date")
            if self.broker is not BrokerKind.paper:
                remedy = "a replay is carried out by broker=paper alone"
                raise ConfigError("broker", self.broker.name, remedy)
            if self.agent is not None:
                remedy = "a replay has an account of its own; an agent plays feed=file or alpaca"
                raise ConfigError("agent", self.agent, remedy)
        elif self.agent is None:
            raise ConfigError("agent", None, "a session that goes on now needs the agent's name")
        if self.feed is FeedKind.file:
            if not self.feed_folder:
                raise ConfigError("feed_folder", None, "name the folder in which the bars grow")
            if self.feed_bar_label is None:
                remedy = "say which end of a bar its stamp names: start or end"
                raise ConfigError("feed_bar_label", None, remedy)
