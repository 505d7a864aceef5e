"""One symbol's bars of one day as they come in, and the traded bars that are known from them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from intraday_rl.errors import check_range
from intraday_rl.live.feeds.feed import upto
from intraday_rl.live.feeds.findings import Findings
from intraday_rl.live.feeds.fine_bar import FineBar, columns_of
from intraday_rl.live.feeds.grid import Grid
from intraday_rl.live.feeds.terms import DayTerms
from intraday_rl.market.aggregation import TradedBars, aggregate
from intraday_rl.market.bars import Bars
from intraday_rl.market.calendar import MINUTE_NS, NEW_YORK
from intraday_rl.market.sources import Prices, frame_of
from intraday_rl.market.validation import CleanBars


class Intake:
    """Gathers fine bars of one symbol and session; gives out traded bars, each once and for good.

    | given | unit | |
    |---|---|---|
    | `bar_minutes` | minutes | the bar that is traded |
    | `feed_bar_minutes` | minutes | the bar that comes in; divides `bar_minutes` |
    | `terms` | | what the day's traded prices are in terms of the history |
    | `grace_seconds` | seconds | after a bar's end, until what has not come is missing |

    Decisions hang on what was given out: such a bar is never changed, and no bar is put before
    it. What comes too late for that is a finding, as is whatever cannot be a bar.
    """

    def __init__(
        self,
        symbol: str,
        day: date,
        *,
        bar_minutes: int,
        feed_bar_minutes: int,
        terms: DayTerms,
        grace_seconds: float,
    ) -> None:
        check_range("bar_grace_seconds", grace_seconds, 0.0)
        self.symbol, self.day, self.terms = symbol, day, terms
        self.bar_minutes, self.feed_bar_minutes = bar_minutes, feed_bar_minutes
        self.grace = pd.Timedelta(seconds=grace_seconds)
        self.grid = Grid.of(day, bar_minutes, feed_bar_minutes)
        self.findings = Findings()
        self._fine: dict[int, FineBar] = {}
        # Numbers of traded bars: the last that was given out, the last whose opening was told,
        # and those that were not there when the opening of a later one was told.
        self._settled, self._told = -1, -1
        self._passed_over: set[int] = set()
        self._given = self._built()

    def take(
        self,
        start: pd.Timestamp,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        now: pd.Timestamp,
    ) -> None:
        """Keep a bar that came in at `now`; it does not replace one that came before."""
        bar = FineBar(start, open, high, low, close, volume)
        if not self._could_be(bar, now) or self._new(bar):
            return
        if not self._fine[start.value].same_values(bar):
            self._left_out(start.value, "came again with other values; the first ones stay")

    def correct(self, bar: FineBar, now: pd.Timestamp) -> None:
        """Keep a bar that came in at `now`, in place of an earlier one if nobody has used that."""
        if not self._could_be(bar, now) or self._new(bar):
            return
        ns = bar.start.value
        number = self.grid.number(ns)
        used = number <= self._settled or (ns == self.grid.start(number) and number <= self._told)
        if not used:
            self._fine[ns] = bar
        elif not self._fine[ns].same_values(bar):
            self._left_out(ns, "is corrected after it was used; the first values stay")

    def has(self, start_ns: int) -> bool:
        """Whether the fine bar that starts there has come."""
        return start_ns in self._fine

    def bars(self, now: pd.Timestamp) -> Bars:
        """Traded bars of the day that have ended by `now` and are complete.

        A bar is complete when its last fine bar has come, when the grace is over, or when a later
        one is complete. It exists under the rule of `market.aggregation.aggregate`; one that is
        missing may still come, until a later one has been given out.
        """
        begun = [n for n in range(self._settled + 1, self.grid.count) if self._begun(n)]
        complete = [number for number in begun if self._complete(number, now.value)]
        if complete:
            self._settled = complete[-1]
            self._given = self._built()
        over = self._settled < 0 or self.grid.end(self._settled) <= now.value
        return self._given if over else upto(self._given, now)

    def opening(
        self, boundary: pd.Timestamp, now: pd.Timestamp
    ) -> tuple[pd.Timestamp, float] | None:
        """Start and traded open of the first bar from `boundary` on, once its first fine bar came.

        Bars that the answer passes over stay missing.
        """
        passed_over = set()
        for number in range(self.grid.first_from(boundary.value), self.grid.count):
            start = self.grid.start(number)
            if not self._begun(number):
                passed_over.add(number)
            elif self.grid.fine_end(start) <= now.value:
                self._told = max(self._told, number)
                self._passed_over |= passed_over
                return _utc(start), self._fine[start].open
        return None

    def _could_be(self, bar: FineBar, now: pd.Timestamp) -> bool:
        """Whether this can be a bar of the session that is over by `now`; if not, say why."""
        ns, grid = bar.start.value, self.grid
        if ns + grid.fine_ns <= grid.open_ns or ns >= grid.close_ns:
            side = "before" if ns < grid.open_ns else "after"
            self.findings.say(f"{self.symbol}: bars {side} the session are left out")
        elif (ns - grid.open_ns) % grid.fine_ns:
            wanted = f"is off the {self.feed_bar_minutes}-minute grid of the session"
            self._left_out(ns, f"{wanted}; the bar is left out")
        elif grid.fine_end(ns) > now.value:
            self._left_out(ns, "ends in the future; the bar is left out")
        elif fault := bar.fault():
            self._left_out(ns, f"{fault}; the bar is left out")
        else:
            return True
        return False

    def _new(self, bar: FineBar) -> bool:
        """Whether no such bar is there yet; it is kept then, unless it comes too late."""
        ns = bar.start.value
        if ns in self._fine:
            return False
        number = self.grid.number(ns)
        if number <= self._settled or number in self._passed_over:
            self._left_out(ns, "came after the bars around it were used; the bar is left out")
        else:
            self._fine[ns] = bar
        return True

    def _left_out(self, ns: int, reason: str) -> None:
        start = _utc(ns).tz_convert(NEW_YORK)
        at = f"{start:%H:%M:%S}" if ns % MINUTE_NS else f"{start:%H:%M}"
        self.findings.say(f"{self.symbol} {at}: {reason}")

    def _begun(self, number: int) -> bool:
        return self.grid.start(number) in self._fine

    def _complete(self, number: int, now_ns: int) -> bool:
        end = self.grid.end(number)
        whole = self.grid.last_fine(number) in self._fine
        return now_ns >= end and (whole or now_ns >= end + self.grace.value)

    def _built(self) -> Bars:
        """The settled bars, by the rule of whole files."""
        before = self.grid.start(self._settled + 1)
        fine = [self._fine[ns] for ns in sorted(self._fine) if ns < before]
        start, values = np.array([bar.start.value for bar in fine], np.int64), columns_of(fine)
        session, opens, closes = (
            np.full(len(fine), ns)
            for ns in (self.grid.session_ns, self.grid.open_ns, self.grid.close_ns)
        )
        if fine:
            clean = CleanBars(
                self.symbol, self.grid.fine_ns, session, opens, closes, start, values, ()
            )
            traded = aggregate(clean, self.bar_minutes)
        else:
            traded = TradedBars(session, start, start, values, ())
        factor = np.full(len(traded.start_ns), self.terms.split_factor)
        frame = frame_of(traded, factor, Prices.traded)
        known = self.terms.split_factor_known
        return Bars(self.symbol, self.bar_minutes, frame, traded.notes, split_factor_known=known)


def _utc(ns: int) -> pd.Timestamp:
    return pd.Timestamp(ns, tz="UTC")
