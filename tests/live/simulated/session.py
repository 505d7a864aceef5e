"""A whole session under faults, in simulated seconds: what comes in, what goes wrong, what is true.

Processes die here by an exception that no `except Exception` catches, raised in the middle of a
write to the journal or of a request to the exchange; what is on the disk stays, and another session
is made from it, as `task=paper` makes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.agents.policy import Policy
from intraday_rl.live.book import Purpose, SessionBook
from intraday_rl.live.brokers.broker import Order, Report
from intraday_rl.live.closing import Closed, lay_out
from intraday_rl.live.day import TradingDay
from intraday_rl.live.feeds.feed import DayBars
from intraday_rl.live.feeds.fine_bar import FineBar
from intraday_rl.live.feeds.intake import Intake
from intraday_rl.live.feeds.session import SessionIntake
from intraday_rl.live.journal import Journal
from intraday_rl.live.order_desk import OrderDesk
from intraday_rl.live.session import LAST_BAR_PATIENCE, Session
from intraday_rl.live.watchdog import Watchdog
from intraday_rl.market.bars import Bars
from intraday_rl.market.sources import MarketData
from intraday_rl.tasks import Paper, RiskLimits
from tests.live.simulated.clock import SimulatedClock
from tests.live.simulated.exchange import Faults, SimulatedExchange

SECOND = pd.Timedelta(seconds=1)
GRACE = 10 * SECOND


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Kills:
    """Counts down over writes and requests; at zero the process is gone."""

    random: np.random.Generator
    left: int
    countdown: int = 0
    done: int = 0

    def arm(self) -> None:
        self.countdown = int(self.random.integers(1, 16)) if self.left else -1

    def strike(self) -> bool:
        self.countdown -= 1
        if self.countdown != 0:
            return False
        self.left -= 1
        self.done += 1
        return True


class KillableJournal(Journal):
    """Dies before a line, in the middle of it, or after it."""

    kills: Kills

    def write(self, event: str, time: str, **values: Any) -> dict[str, Any]:
        if self.kills.strike():
            how = int(self.kills.random.integers(3))
            if how == 1:
                self._lines.write(b'{"number": 7, "event": "dec')
                self._lines.flush()
            elif how == 2:
                super().write(event, time, **values)
            raise Killed
        return super().write(event, time, **values)


@dataclass
class Wire:
    """The exchange as a process reaches it: it may die before or after a request."""

    exchange: SimulatedExchange
    kills: Kills
    name: str = "simulated"

    def submit(self, order: Order) -> Report:
        if self.kills.strike():
            if self.kills.random.random() < 0.5:
                self.exchange.submit(order)
            raise Killed
        return self.exchange.submit(order)

    def find(self, client_id: str) -> Report | None:
        if self.kills.strike():
            raise Killed
        return self.exchange.find(client_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.exchange, name)


@dataclass(frozen=True)
class BarFaults:
    """Shares of bars that come in each way."""

    late: float = 0.0
    missing: float = 0.0
    twice: float = 0.0
    corrupt_first: float = 0.0
    corrupt_only: float = 0.0
    other_values_later: float = 0.0


@dataclass
class FaultyFeed:
    """`deliveries`: (when, of the benchmark, bar), in order of their time."""

    deliveries: list[tuple[pd.Timestamp, bool, FineBar]]
    intake: SessionIntake
    random: np.random.Generator
    breaks: float
    taken: int = 0

    def known(self, now: pd.Timestamp) -> DayBars:
        if self.random.random() < self.breaks:
            raise OSError("the feed broke")
        while self.taken < len(self.deliveries) and self.deliveries[self.taken][0] <= now:
            _, of_benchmark, bar = self.deliveries[self.taken]
            self.intake.take(self._of(of_benchmark), bar, now)
            self.taken += 1
        return self.intake.known(now)

    def opening(
        self, boundary: pd.Timestamp, now: pd.Timestamp
    ) -> tuple[pd.Timestamp, float] | None:
        return self.intake.opening(boundary, now)

    def close(self) -> None:
        """Nothing is held."""

    def _of(self, of_benchmark: bool) -> Intake:
        if of_benchmark and self.intake.benchmark is not None:
            return self.intake.benchmark
        return self.intake.symbol


@dataclass
class FailingPolicy:
    """Raises now and then."""

    policy: Policy
    random: np.random.Generator
    share: float

    def predict(self, observation: NDArray[np.float32]) -> float:
        if self.random.random() < self.share:
            raise FloatingPointError("the policy broke")
        return self.policy.predict(observation)

    def begin_session(self) -> None:
        self.policy.begin_session()


@dataclass(frozen=True)
class Scenario:
    """What goes wrong in a session, and how much of it."""

    orders: Faults = field(default_factory=Faults)
    bars: BarFaults = field(default_factory=BarFaults)
    kills: int = 0
    outages: int = 0
    longest_outage_seconds: int = 20
    clock_steps: int = 0
    largest_clock_step_seconds: int = 5
    pauses: int = 0
    longest_pause_seconds: int = 20
    policy_raises: float = 0.0
    feed_breaks: float = 0.0
    exit_lead_seconds: float = 60.0
    turns: bool = True  # whether the broker takes an order through zero


@dataclass
class Told:
    """What came of a session, by the exchange's own book."""

    exchange: SimulatedExchange
    book: SessionBook
    closed: Closed
    kills: int
    flat_at: pd.Timestamp | None  # true time from which the position stayed zero
    open_after_cutoff_seconds: float
    turned_by_exit: int
    happened: Counter[str]
    skipped: Counter[str]
    leaving: str | None


def play(
    day: TradingDay,
    market: MarketData,
    policy: Policy,
    scenario: Scenario,
    folder: Path,
    seed: int,
) -> Told:
    """The session to its end."""
    return _Simulation(day, market, policy, scenario, folder, np.random.default_rng(seed)).run()


class _Simulation:
    def __init__(
        self,
        day: TradingDay,
        market: MarketData,
        policy: Policy,
        scenario: Scenario,
        folder: Path,
        random: np.random.Generator,
    ) -> None:
        self.day, self.market, self.scenario = day, market, scenario
        self.folder, self.random = folder, random
        self.happened: Counter[str] = Counter()
        self.policy = FailingPolicy(policy, random, scenario.policy_raises)
        self.symbol = market.symbol.between(day.day, day.day)
        self.benchmark = market.benchmark.between(day.day, day.day)
        self.open = pd.Timestamp(day.calendar["open"].iloc[0])
        self.true = self.open
        self.offset = pd.Timedelta(0)
        self.clock = SimulatedClock(self.open)
        self.kills = Kills(random, scenario.kills)
        self.exchange = SimulatedExchange(
            self._price,
            lambda: self.true,
            random,
            scenario.orders,
            self._outages(),
            turns=scenario.turns,
        )
        self.deliveries = self._deliveries()
        self.steps = self._moments(scenario.clock_steps, scenario.largest_clock_step_seconds)
        self.pauses = self._moments(scenario.pauses, scenario.longest_pause_seconds)
        self.flat_at: pd.Timestamp | None = self.open
        self.open_after_cutoff = pd.Timedelta(0)
        self.turned_by_exit = 0
        self.session = self.watchdog = None

    def run(self) -> Told:
        last = pd.Timestamp(self.day.bar_ends[-1]) + pd.Timedelta(minutes=20)
        while self.true < last:
            journal = KillableJournal(self.folder / "journal.jsonl")
            journal.kills = self.kills
            self.kills.arm()
            try:
                with journal:
                    session, watchdog = self._begin(journal)
                    while self.true < last:
                        now = self.clock.now()
                        session.step(now)
                        self._watch()
                        watchdog.look(now)
                        self._watch()
                        session.note_risk(now)
                        if session.is_over(now) and watchdog.flat_at is not None:
                            self.kills.countdown = -1
                            return self._told(session, lay_out(session, now, "fold", 0))
                        self._pass(session, watchdog)
            except Killed:
                self.happened["killed"] += 1
                self._move(SECOND * int(self.random.integers(0, 6)))
        raise AssertionError(f"the session never ended: {journal.read()[-5:]}")

    def _begin(self, journal: Journal) -> tuple[Session, Watchdog]:
        """As the task makes it: from the journal."""
        wire: Any = Wire(self.exchange, self.kills)
        desk = OrderDesk(journal, SessionBook.of(journal.read()), wire, "SIM", "t")
        now = self.clock.now()
        if desk.book.opening is None:
            opening = self.day.opening
            desk.note(
                "opened",
                now,
                stops_before=0,
                equity=opening.equity,
                moment_a=opening.moment_a,
                moment_b=opening.moment_b,
            )
        intake = SessionIntake.after(
            self.day.history,
            self.day.day,
            feed_bar_minutes=self.market.symbol.bar_minutes,
            grace_seconds=GRACE.total_seconds(),
            splits={},
        )
        feed = FaultyFeed(self.deliveries, intake, self.random, self.scenario.feed_breaks)
        options = Paper(
            model="latest",
            day=str(self.day.day),
            bar_grace_seconds=GRACE.total_seconds(),
            exit_lead_seconds=self.scenario.exit_lead_seconds,
            risk=RiskLimits(daily_loss_limit=0.5),
        )
        session = Session(self.day, self.policy, feed, wire, desk, self.clock, options, now)
        lead = pd.Timedelta(seconds=self.scenario.exit_lead_seconds)
        return session, Watchdog(desk, self.day.exit_at, lead, lambda: None)

    def _pass(self, session: Session, watchdog: Watchdog) -> None:
        """To the next second in which something can happen."""
        desk = session.desk
        busy = (
            desk.book.open_orders()
            or desk.positions.shares != 0.0
            or session._feed_trouble is not None
            or self.exchange.on_their_way
            or (desk.book.leaving is not None and watchdog.flat_at is None)
            or any(not one.state.is_final for one in self.exchange.orders.values())
        )
        due = self.true + SECOND
        if not busy:
            later = [moment for moment in self._events() if moment > self.true]
            due = max(due, min(later, default=due))
        self._move(due - self.true)
        while self.pauses and self.pauses[0][0] <= self.true:
            self.happened["paused"] += 1
            self._move(SECOND * abs(self.pauses.pop(0)[1]))
        while self.steps and self.steps[0][0] <= self.true:
            self.happened["clock stepped"] += 1
            self.offset = SECOND * self.steps.pop(0)[1]
            self.clock.set(self.true + self.offset)

    def _events(self) -> Iterator[pd.Timestamp]:
        """When a step of the session could do something, of the true time."""
        lead = pd.Timedelta(seconds=self.scenario.exit_lead_seconds)
        given_up = self.day.bar_ends + GRACE + LAST_BAR_PATIENCE
        moments = [*self.day.bar_ends, *given_up, self.day.exit_at - lead, self.day.exit_at]
        yield from (moment - self.offset for moment in moments)
        yield from (when - self.offset for when, _, _ in self.deliveries)
        yield from (when for when, _ in (*self.steps, *self.pauses))

    def _move(self, by: pd.Timedelta) -> None:
        """Time goes on second by second where an order may be on its way, and the truth is kept."""
        end = self.true + by
        while self.true < end:
            moving = self.exchange.on_their_way or any(
                not one.state.is_final for one in self.exchange.orders.values()
            )
            step = SECOND if moving else end - self.true
            if self.exchange.true_position != 0.0:
                begin = max(self.true, self.day.cutoff)
                self.open_after_cutoff += max(self.true + step - begin, pd.Timedelta(0))
            self.true += step
            self.exchange.pass_time()
            self._watch()
        self.clock.set(self.true + self.offset)

    def _watch(self) -> None:
        if self.exchange.true_position != 0.0:
            self.flat_at = None
        elif self.flat_at is None:
            self.flat_at = self.true

    def _price(self, moment: pd.Timestamp) -> float:
        """The opening of the bar that is going on, as it is traded."""
        frame = self.symbol.frame
        row = frame[frame["bar_start"] <= moment].iloc[-1]
        return float(row["open"] * row["split_factor"])

    def _moments(self, count: int, largest: int) -> list[tuple[pd.Timestamp, int]]:
        span = int((self.day.exit_at - self.open).total_seconds())
        seconds = sorted(int(self.random.integers(span)) for _ in range(count))
        return [
            (self.open + SECOND * second, int(self.random.integers(-largest, largest + 1)))
            for second in seconds
        ]

    def _outages(self) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
        most = self.scenario.longest_outage_seconds
        found = self._moments(self.scenario.outages, most)
        return [(begin, begin + SECOND * abs(seconds)) for begin, seconds in found]

    def _deliveries(self) -> list[tuple[pd.Timestamp, bool, FineBar]]:
        found = [*self._of(self.symbol, False), *self._of(self.benchmark, True)]
        return sorted(found, key=lambda one: one[0])

    def _of(self, bars: Bars, of_benchmark: bool) -> Iterator[tuple[pd.Timestamp, bool, FineBar]]:
        """How each bar comes in; the one that comes late is out of order by then."""
        faults, random = self.scenario.bars, self.random
        for row in bars.frame.itertuples():
            factor, end = float(row.split_factor), pd.Timestamp(row.bar_end)
            values = [
                float(getattr(row, name)) * factor for name in ("open", "high", "low", "close")
            ]
            bar = FineBar(pd.Timestamp(row.bar_start), *values, float(row.volume) / factor)
            broken = bar._replace(high=bar.low * 0.5)
            at = end + SECOND * int(random.integers(0, 4))
            draws = dict(zip(BarFaults.__dataclass_fields__, random.random(6), strict=True))
            struck = {name for name, draw in draws.items() if draw < getattr(faults, name)}
            self.happened.update(f"bar {name}" for name in struck)
            if "missing" in struck:
                continue
            if "corrupt_only" in struck:
                yield at, of_benchmark, broken
                continue
            if "corrupt_first" in struck:
                yield end, of_benchmark, broken
            if "late" in struck:
                at = end + SECOND * int(random.integers(8, 1800))
            yield at, of_benchmark, bar
            if "twice" in struck:
                yield at + SECOND * int(random.integers(0, 900)), of_benchmark, bar
            if "other_values_later" in struck:
                other = bar._replace(close=bar.close * 1.001, high=bar.high * 1.01)
                yield at + SECOND, of_benchmark, other

    def _told(self, session: Session, closed: Closed) -> Told:
        book = session.desk.book
        self.happened.update(self.exchange.happened)
        entries = session.desk.journal.read()
        position = 0.0
        for sent in book.orders.values():
            booked = self.exchange.orders.get(sent.order.client_id)
            after = position + (booked.filled if booked else 0.0)
            if sent.purpose is Purpose.exit and position * after < 0.0:
                self.turned_by_exit += 1
            position = after
        return Told(
            self.exchange,
            book,
            closed,
            self.kills.done,
            self.flat_at,
            self.open_after_cutoff.total_seconds(),
            self.turned_by_exit,
            self.happened,
            Counter(one["reason"] for one in entries if one["event"] == "skipped"),
            book.leaving,
        )
