"""What comes in for symbol and benchmark of one session, together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pandas as pd

from intraday_rl.live.feeds.feed import DayBars, upto
from intraday_rl.live.feeds.findings import Findings
from intraday_rl.live.feeds.fine_bar import FineBar
from intraday_rl.live.feeds.intake import Intake
from intraday_rl.live.feeds.terms import DayTerms
from intraday_rl.market.bars import Bars
from intraday_rl.market.sources import MarketData

# Two clocks are never quite the same, and `now` was read before the bars were: a bar that is this
# much ahead waits its turn. More would take the unfinished bars that some sources show for whole.
_CLOCKS_DIFFER = pd.Timedelta(seconds=5)


class SessionIntake:
    """The intakes of a symbol and of its benchmark; None = the symbol's own bars stand in."""

    def __init__(self, symbol: Intake, benchmark: Intake | None = None) -> None:
        self.symbol, self.benchmark = symbol, benchmark
        self.findings = Findings()
        # By symbol and start: of an early bar that comes again, the newest is the one to take.
        self._early: dict[tuple[str, int], tuple[Intake, FineBar, bool]] = {}

    @classmethod
    def after(
        cls,
        history: MarketData,
        day: date,
        *,
        feed_bar_minutes: int,
        grace_seconds: float,
        splits: Mapping[str, float] | None,
    ) -> SessionIntake:
        """Of a day that follows `history`; `splits` of the symbol as `data.splits` says them."""

        def one(bars: Bars, declared: Mapping[str, float] | None) -> Intake:
            return Intake(
                bars.symbol, day, bar_minutes=bars.bar_minutes, feed_bar_minutes=feed_bar_minutes,
                terms=DayTerms.after(bars, day, declared), grace_seconds=grace_seconds,
            )  # fmt: skip

        own = one(history.symbol, splits)
        return cls(own, None if history.benchmark_is_own else one(history.benchmark, None))

    @property
    def intakes(self) -> tuple[Intake, ...]:
        return (self.symbol,) if self.benchmark is None else (self.symbol, self.benchmark)

    def take(
        self, intake: Intake, bar: FineBar, now: pd.Timestamp, *, correction: bool = False
    ) -> None:
        """Hand a bar to one of `intakes`, as soon as it is over by our clock as well."""
        end = intake.grid.fine_end(bar.start.value)
        if now.value < end <= (now + _CLOCKS_DIFFER).value:
            self._early[intake.symbol, bar.start.value] = intake, bar, correction
        elif correction:
            intake.correct(bar, now)
        else:
            intake.take(*bar, now=now)

    def known(self, now: pd.Timestamp) -> DayBars:
        """As of `Feed.known`.

        A bar of the symbol waits for the benchmark's of the same time, at most the grace: a
        decision would else see the benchmark of the bar before, as no backtest does.
        """
        self._take_early(now)
        symbol = self.symbol.bars(now)
        benchmark = symbol
        if self.benchmark is not None:
            benchmark = self.benchmark.bars(now)
            symbol = _without_awaited(symbol, benchmark, now - self.benchmark.grace)
        findings = self.findings.new()
        for intake in self.intakes:
            findings += intake.findings.new()
        return DayBars(symbol, benchmark, findings)

    def opening(
        self, boundary: pd.Timestamp, now: pd.Timestamp
    ) -> tuple[pd.Timestamp, float] | None:
        """As of `Feed.opening`."""
        self._take_early(now)
        return self.symbol.opening(boundary, now)

    def _take_early(self, now: pd.Timestamp) -> None:
        early, self._early = self._early, {}
        for intake, bar, correction in early.values():
            self.take(intake, bar, now, correction=correction)


def _without_awaited(symbol: Bars, benchmark: Bars, given_up: pd.Timestamp) -> Bars:
    """The symbol's bars up to the last that the benchmark has too or that is not waited for.

    `given_up`: for bars that ended by then nobody waits any more.
    """
    ends, own = benchmark.frame["bar_end"], symbol.frame["bar_end"]
    there = given_up if ends.empty else max(given_up, ends.iloc[-1])
    # Asked several times a second, while bars come every few minutes.
    return symbol if own.empty or own.iloc[-1] <= there else upto(symbol, there)
