"""One session of one agent: at each bar's end look, decide, order; or say why not.

`step` does what is due at a moment and returns; who calls it, and how often, is `driving.py`. The
journal holds all that is remembered, so that a step after a restart goes on where it was.

| reason to skip a bar | |
|---|---|
| `agent_stopped` | nothing is opened any more: stopped, an emergency stop, a loss limit |
| `bridge_unavailable` | the broker does not answer, or takes no orders |
| `outside_trading_window` | the bar ended before this session began to act, or the cutoff is past |
| `stale_data` | the bar has not come in time |
| `late` | the bar came, too late to act on it |
| `order_unresolved` | an earlier order may still be filled |
| `strange_observation` | too many columns lie where the model was not trained |
| `no_observation` | the bars so far give none |
| `policy_error` | the policy failed; after three in a row the session ends |
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from intraday_rl.agents.policy import Policy
from intraday_rl.errors import IntradayRLError
from intraday_rl.live.account import Sight
from intraday_rl.live.brokers.broker import Broker
from intraday_rl.live.clock import Clock
from intraday_rl.live.day import TradingDay
from intraday_rl.live.feeds.feed import DayBars, Feed
from intraday_rl.live.order_desk import OrderDesk
from intraday_rl.live.risk import RiskState, jumped, lost_too_much, refusal, strange
from intraday_rl.live.watchdog import CUTOFF
from intraday_rl.market.bars import PRICES
from intraday_rl.tasks import Paper

logger = logging.getLogger(__name__)

LOSS_LIMIT, POLICY_ERRORS, PRICE_JUMP = "daily_loss_limit", "policy_errors", "price_jump"
MOST_POLICY_ERRORS = 3
# How long after a bar's end its decision waits for orders and positions that do not add up yet.
RESOLVING = pd.Timedelta(seconds=10)
# Past its own end and the grace: a feed may hand out the last bar of the day late.
LAST_BAR_PATIENCE = pd.Timedelta(seconds=5)


@dataclass(slots=True)
class Session:
    """What acts; the account is in the desk's book, the rules in `day`."""

    day: TradingDay
    policy: Policy
    feed: Feed
    broker: Broker
    desk: OrderDesk
    clock: Clock
    options: Paper
    began: pd.Timestamp
    known: DayBars | None = None
    sight: Sight | None = None
    policy_errors: int = 0
    _feed_trouble: str | None = None
    _checked_open: bool = False
    _ends: frozenset[pd.Timestamp] = frozenset()
    _decides: frozenset[pd.Timestamp] = field(default_factory=frozenset)
    _patience: pd.Timedelta = LAST_BAR_PATIENCE

    def __post_init__(self) -> None:
        self._decides = frozenset(self.day.decision_ends)
        self._patience += pd.Timedelta(seconds=self.options.bar_grace_seconds)

    def step(self, now: pd.Timestamp) -> None:
        """What is due: news of bars and orders, then each bar that has ended."""
        self.known = self._listen(now)
        if self.known is not None:
            self._ends = frozenset(self.known.ends)
            self.broker.look(self.feed, self.known, now)
        self.desk.poll(now)
        if self.desk.book.leaving is None and lost_too_much(
            self.options.risk, self.day.opening.equity, self.equity()
        ):
            self.desk.note("alarm", now, text="the day's loss has reached its limit")
            self.desk.leave(LOSS_LIMIT, now)
        for bar_end in self.day.bar_ends:
            if bar_end > now:
                break
            self._at(pd.Timestamp(bar_end), now)

    def waits(self, now: pd.Timestamp) -> bool:
        """Whether something is expected before the next bar's end: a late bar, news of an order."""
        due = (end for end in self.day.bar_ends if end <= now < self._given_up(end))
        missing = any(end not in self.desk.book.bars for end in due)
        return missing or bool(self.desk.book.open_orders())

    def is_over(self, now: pd.Timestamp) -> bool:
        """Flat for the day, and everything that the ledger needs is known or will never be."""
        book = self.desk.book
        if book.leaving is None or book.open_orders() or book.position != 0.0:
            return False
        if self.left_early():
            return True
        exit_bar = [end for end in self.day.bar_ends if end > self.day.exit_at][:1]
        return all(end in book.bars or now >= self._given_up(end) for end in exit_bar)

    def left_early(self) -> bool:
        """Whether something other than the cutoff ended it."""
        return self.desk.book.leaving not in (None, CUTOFF)

    def equity(self) -> float:
        """Of the account when closed; else as last seen, moved on with the newest close."""
        book, seen = self.desk.book, self.sight
        if book.after is not None:
            return book.after.equity
        if seen is None:
            return self.day.opening.equity
        close = self.known.last_close() if self.known is not None else None
        return seen.equity + book.position * ((close or seen.close) - seen.close)

    def risk_state(self) -> tuple[RiskState, str | None]:
        """How freely it may trade, and why not freely."""
        if self.desk.book.leaving is not None:
            return RiskState.HALTED, self.desk.book.leaving
        if self.policy_errors:
            return RiskState.REDUCING, f"{self.policy_errors} policy errors in a row"
        if self._feed_trouble is not None:
            return RiskState.REDUCING, self._feed_trouble
        due = self.day.bar_ends[self.day.bar_ends <= self.clock.now() - self._patience]
        if len(due) and due[-1] not in self.desk.book.bars:
            return RiskState.REDUCING, "the newest bar has not come"
        return RiskState.ACTIVE, None

    def note_risk(self, now: pd.Timestamp) -> RiskState:
        """The state, written down when it changes."""
        state, reason = self.risk_state()
        if (state.value, reason) != (self.desk.book.risk_state, self.desk.book.risk_reason):
            self.desk.note("risk", now, state=state.value, reason=reason)
        return state

    def _listen(self, now: pd.Timestamp) -> DayBars | None:
        try:
            known = self.feed.known(now)
            self._feed_trouble = None
        except Exception as error:  # a feed of another world: its trouble must not end the session
            trouble = f"{type(error).__name__}: {error}"
            if trouble != self._feed_trouble:
                self._feed_trouble = trouble
                logger.warning("feed: %s", trouble)
                self.desk.note("finding", now, text=trouble)
            return self.known
        for finding in known.findings:
            logger.warning("feed: %s", finding)
            self.desk.note("finding", now, text=finding)
        return known

    def _at(self, bar_end: pd.Timestamp, now: pd.Timestamp) -> None:
        book = self.desk.book
        there = bar_end in self._ends
        if there and bar_end not in book.bars:
            self._note_bar(bar_end, now)
        if bar_end not in self._decides or bar_end in book.handled:
            return
        reason = self._why_not(bar_end, now, there)
        if reason is None and self.known is not None:
            reason = self._decide(bar_end, self.known, now)
        if reason:
            self.desk.note("skipped", now, bar_end=str(bar_end), reason=reason)

    def _why_not(self, bar_end: pd.Timestamp, now: pd.Timestamp, there: bool) -> str | None:
        """Why nothing is decided at this bar; "" while it may still come, None if it is to be."""
        if self.desk.book.leaving not in (None, CUTOFF):
            return "agent_stopped"
        if self.desk.book.leaving == CUTOFF:
            return "outside_trading_window"
        if bar_end < self.began - pd.Timedelta(seconds=self.options.late_decision_seconds):
            return "outside_trading_window"
        if not there:
            return "stale_data" if now >= self._given_up(bar_end) else ""
        if now > bar_end + pd.Timedelta(seconds=self.options.late_decision_seconds):
            return "late"
        if max(self._ends) > bar_end:
            return "late"
        ttl = pd.Timedelta(seconds=self.options.bridge_ttl_seconds)
        if (trouble := self.desk.trouble(now, ttl)) is not None:
            logger.warning("the broker cannot be used: %s", trouble)
            return "bridge_unavailable"
        return None

    def _given_up(self, bar_end: pd.Timestamp) -> pd.Timestamp:
        """When a bar that has not come counts as missing."""
        return bar_end + self._patience

    def _decide(self, bar_end: pd.Timestamp, known: DayBars, now: pd.Timestamp) -> str | None:
        """Look and act; the reason if nothing was decided, "" while it may still be."""
        if not self.desk.clear(now) or not self.desk.agrees(now):
            if self.desk.book.leaving is not None:
                return "agent_stopped"
            return "order_unresolved" if now - bar_end >= RESOLVING else ""
        try:
            seen = self.day.sight(
                known.symbol, known.benchmark, self.desk.book.actions, self.desk.book.fills()
            )
        except (IntradayRLError, ValueError) as error:
            logger.warning("no observation at %s: %s", bar_end, error)
            return "no_observation"
        self.sight = seen
        limits = self.options.risk
        if lost_too_much(limits, self.day.opening.equity, seen.equity):
            self.desk.note("alarm", now, text="the day's loss has reached its limit")
            self.desk.leave(LOSS_LIMIT, now)
            return "agent_stopped"
        if strange(limits, seen):
            return "strange_observation"
        try:
            action = float(self.policy.predict(seen.observation))
            if not np.isfinite(action):
                raise ValueError(f"its action is {action}")
        except Exception as error:  # a policy may be anything; the session is not its victim
            logger.exception("the policy failed")
            return self._policy_failed(error, now)
        self.policy_errors = 0
        self._act(bar_end, seen, action, now)
        return None

    def _act(self, bar_end: pd.Timestamp, seen: Sight, action: float, now: pd.Timestamp) -> None:
        book = self.desk.book
        target, wanted = seen.wanted(action, book.wanted)
        self.desk.note(
            "decision",
            now,
            bar_end=str(bar_end),
            action=action,
            target=target,
            wanted=wanted,
            shares=seen.shares,
            close=seen.close,
            equity=seen.equity,
        )
        state = self.note_risk(now)
        shares = wanted - book.position
        if shares == 0.0:
            return
        why_not = refusal(self.options.risk, state, book, shares, seen, now)
        if why_not is None:
            self.desk.order(shares, bar_end, now)
        else:
            logger.warning("order of %g shares denied: %s", shares, why_not)
            self.desk.note("denied", now, bar_end=str(bar_end), shares=shares, reason=why_not)

    def _policy_failed(self, error: Exception, now: pd.Timestamp) -> str:
        self.policy_errors += 1
        self.desk.note("alarm", now, text=f"the policy failed: {type(error).__name__}: {error}")
        if self.policy_errors >= MOST_POLICY_ERRORS:
            self.desk.leave(POLICY_ERRORS, now)
        return "policy_error"

    def _note_bar(self, bar_end: pd.Timestamp, now: pd.Timestamp) -> None:
        assert self.known is not None
        frame = self.known.symbol.frame
        row = frame[frame["bar_end"] == bar_end].iloc[0]
        prices: dict[str, Any] = {name: float(row[name] * row["split_factor"]) for name in PRICES}
        self.desk.note("bar", now, bar_end=str(bar_end), **prices)
        if not self._checked_open:
            self._checked_open = True
            before = float(self.day.history.symbol.frame["close"].iloc[-1])
            if jumped(self.options.risk, before, float(frame["open"].iloc[0])):
                text = (
                    f"the session opens at {frame['open'].iloc[0]:g} after a close of {before:g}: "
                    "a split that data.splits does not know? nothing is traded"
                )
                self.desk.note("alarm", now, text=text)
                self.desk.leave(PRICE_JUMP, now)
