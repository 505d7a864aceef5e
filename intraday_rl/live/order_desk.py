"""The one door to the broker: every order is written down before it goes out, and followed up.

| what went wrong | what is done |
|---|---|
| no answer, or a broken one | the order is asked for by its id, as if nothing had happened |
| a decision's order is unknown there after `LOST_AFTER` | it never arrived; it is not sent again |
| an exit's order was not answered | sent again under the same id, which names the same order |
| somebody closed by hand meanwhile | found before an exit goes out: it would open the other side |
| the broker tells no position, but takes orders | an exit waits for `BLIND_AFTER` at most |
| the disk takes no line | it waits in memory; nothing is opened any more, all is closed |
| an order is open when another is due | it is cancelled first; nothing else goes out meanwhile |
| the process was killed | the journal says what was sent; all of it is asked for again |
| the broker has other shares than our fills | written down, nothing is opened, all is closed |
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

import pandas as pd

from intraday_rl.live.book import Purpose, SentOrder, SessionBook
from intraday_rl.live.brokers.broker import (
    Broker,
    BrokerUnavailable,
    OrderRefused,
    OrderState,
    Report,
)
from intraday_rl.live.journal import Journal
from intraday_rl.live.standing import Positions, Standing

logger = logging.getLogger(__name__)

# An order is on its way for as long as a request may take; after that nobody will deliver it.
LOST_AFTER = pd.Timedelta(seconds=10)
# How long after the first step of an order through zero the second may still go out.
FOLLOW_WITHIN = pd.Timedelta(seconds=60)
# How long a broker that tells no position holds up an exit.
BLIND_AFTER = pd.Timedelta(seconds=15)
MISMATCH, UNWRITTEN = "position_mismatch", "journal_unwritten"


@dataclass(slots=True)
class OrderDesk:
    """Orders of one session; safe to be used by the session and its watchdog at once."""

    journal: Journal
    book: SessionBook
    broker: Broker
    symbol: str
    order_prefix: str
    lock: threading.RLock = field(default_factory=threading.RLock)
    _healthy_at: pd.Timestamp | None = None
    _trouble: str | None = None
    _said: str | None = None
    _unwritten: list[tuple[str, str, dict[str, object]]] = field(default_factory=list)
    _submitted_at: pd.Timestamp | None = None
    positions: Positions = field(init=False)

    def __post_init__(self) -> None:
        self.positions = Positions(self.book)

    def note(self, event: str, now: pd.Timestamp, **values: object) -> None:
        """Write a line into the journal and take it into the book.

        A disk that takes nothing must not hold up an exit: lines wait in memory then, and are
        written before any later one; nothing is opened any more. The id of an order that is lost
        with them is the one that the next exit gets, so that it names the same order.
        """
        with self.lock:
            line = event, str(now), values
            written = self._write(line)
            self.book.take({"event": event, "time": str(now), **values})
            if not written and self.book.leaving is None:
                self.leave(UNWRITTEN, now)

    def _write(self, line: tuple[str, str, dict[str, object]]) -> bool:
        """Append what waits and the line; whether all of it is on the disk."""
        self._unwritten.append(line)
        try:
            while self._unwritten:
                event, time, values = self._unwritten[0]
                self.journal.write(event, time, **values)
                self._unwritten.pop(0)
        except OSError as error:
            self._say(f"the journal cannot be written ({error}); what is open is closed")
            return False
        return True

    def trouble(self, now: pd.Timestamp, lasts: pd.Timedelta) -> str | None:
        """Why the broker cannot be used, or None; a finding holds for a while."""
        with self.lock:
            if self._healthy_at is None or now - self._healthy_at >= lasts:
                self._healthy_at = now
                try:
                    self.broker.check()
                    self._trouble = None
                except BrokerUnavailable as error:
                    self._trouble = str(error)
            return self._trouble

    def poll(self, now: pd.Timestamp) -> bool:
        """Ask for every order that may still be filled; whether all that was asked was answered."""
        with self.lock:
            answered = True
            for sent in self.book.open_orders():
                try:
                    report = self.broker.find(sent.order.client_id)
                except BrokerUnavailable as error:
                    self._say(str(error))
                    answered = False
                    continue
                if report is not None:
                    self._heard(sent, report, now)
                elif self._never_arrived(sent, now):
                    self.note("lost", now, client_id=sent.order.client_id)
            self._follow(now)
            return answered

    def _follow(self, now: pd.Timestamp) -> None:
        """The second step of an order through zero, if the first is done and it is still time."""
        newest = next(reversed(self.book.orders.values()), None)
        if newest is None or newest.then == 0.0 or self.book.leaving is not None:
            return
        done = newest.report is not None and newest.report.state is OrderState.filled
        if done and self.book.position == 0.0 and now - newest.sent_at < FOLLOW_WITHIN:
            self._send(Purpose.decision, newest.then, newest.bar_end, newest.bar_end, now)

    def order(
        self,
        shares: float,
        bar_end: pd.Timestamp,
        now: pd.Timestamp,
    ) -> None:
        """Carry out a decision: `shares` signed, at the opening of the bar that starts now.

        Through zero in two steps where the broker wants it so: the second one goes out when the
        first is filled.
        """
        with self.lock:
            if self.book.leaving is not None:
                return
            before = self.book.position
            turns = before * (before + shares) < 0.0 and not self.broker.turns
            first = -before if turns else shares
            self._send(Purpose.decision, first, bar_end, bar_end, now, then=shares - first)

    def clear(self, now: pd.Timestamp) -> bool:
        """Whether no order is open; those that are, are asked to end."""
        with self.lock:
            self.poll(now)
            for sent in self.book.open_orders():
                self._cancel(sent, now)
            if self.book.open_orders():
                self.poll(now)
            return not self.book.open_orders()

    def leave(self, reason: str, now: pd.Timestamp) -> None:
        """From here on nothing is opened; the first reason stays."""
        with self.lock:
            if self.book.leaving is None:
                self.note("leaving", now, reason=reason)

    def flatten(self, opening_of: pd.Timestamp | None, now: pd.Timestamp) -> bool:
        """One step towards no position and no open order; True when that is reached.

        `opening_of`: at whose opening the exit is meant to fill; null = at once.
        """
        with self.lock:
            answered = self.poll(now)
            for sent in self.book.open_orders():
                unknown = sent.purpose is Purpose.exit and sent.report is None
                if unknown and answered:
                    self._again(sent, now)
                elif not unknown and (
                    sent.purpose is not Purpose.exit or now - sent.sent_at >= self.broker.patience
                ):
                    self._cancel(sent, now)
            if any(sent.is_open for sent in self.book.open_orders()):
                return False
            if self.book.position != 0.0 and self._may_leave(now):
                self._send(Purpose.exit, -self.book.position, None, opening_of, now)
            return self.book.position == 0.0 and self.agrees(now)

    def agrees(self, now: pd.Timestamp) -> bool:
        """Whether the broker has the position that our fills add up to; False = not known yet.

        A difference that stays is written down, and then is ours to close.
        """
        with self.lock:
            return not self.book.open_orders() and self._compared(now) is Standing.same

    def _may_leave(self, now: pd.Timestamp) -> bool:
        """Whether an exit of all that our fills add up to may go out.

        While the broker tells no position, the first exit of a process that has agreed with it
        before goes out at once, any other one after a while: late is worse than blind.
        """
        standing = self._compared(now)
        untold = self.positions.untold_since
        if standing is Standing.unknown and untold is not None:
            first = not any(one.purpose is Purpose.exit for one in self.book.orders.values())
            return (self.positions.agreed and first) or now - untold >= BLIND_AFTER
        if standing is Standing.different:
            return self.book.position != 0.0  # which is the broker's by now
        return standing is Standing.same

    def _again(self, sent: SentOrder, now: pd.Timestamp) -> None:
        """Send an exit that the broker does not know: however old, the id names the same order.

        Where somebody has closed by hand it would open the other side: it is given up then, when
        nobody can deliver it any more.
        """
        self._submitted_at = self._submitted_at or now
        old = now - sent.sent_at >= LOST_AFTER
        standing = self.positions.compare(self.broker, now) if old else Standing.same
        if standing in (Standing.same, Standing.unknown):
            self._submit(sent, now)
        elif standing is Standing.different and now - self._submitted_at >= LOST_AFTER:
            self.note("lost", now, client_id=sent.order.client_id)

    def _compared(self, now: pd.Timestamp) -> Standing:
        """How the positions compare; a difference that stays is ours from here on."""
        standing = self.positions.compare(self.broker, now)
        if standing is Standing.different:
            ours, shares = self.book.position, self.positions.shares
            text = (
                f"the broker has {ours + shares:g} shares of {self.symbol}, our fills add up to "
                f"{ours:g}: nothing is opened any more, all is closed"
            )
            logger.error("%s", text)
            self.positions.explained()
            self.note("alarm", now, text=text)
            self.note("adjusted", now, shares=shares)
            self.leave(MISMATCH, now)
        return standing

    @staticmethod
    def _never_arrived(sent: SentOrder, now: pd.Timestamp) -> bool:
        """An exit is never given up: another order in its place might double it."""
        late = now - sent.sent_at >= LOST_AFTER
        return sent.report is None and sent.purpose is Purpose.decision and late

    def _send(
        self,
        purpose: Purpose,
        shares: float,
        bar_end: pd.Timestamp | None,
        opening_of: pd.Timestamp | None,
        now: pd.Timestamp,
        *,
        then: float = 0.0,
    ) -> None:
        client_id = f"{self.order_prefix}-{len(self.book.orders) + 1:03d}"
        self.note(
            "order",
            now,
            client_id=client_id,
            symbol=self.symbol,
            shares=shares,
            purpose=purpose.value,
            bar_end=None if bar_end is None else str(bar_end),
            opening_of=None if opening_of is None else str(opening_of),
            then=then,
        )
        if self._unwritten and purpose is Purpose.decision:  # what is not on the disk is not sent
            self.note("lost", now, client_id=client_id)
            return
        self._submit(self.book.orders[client_id], now)

    def _submit(self, sent: SentOrder, now: pd.Timestamp) -> None:
        self._submitted_at = now
        try:
            report = self.broker.submit(sent.order)
        except OrderRefused as error:
            report = Report(sent.order.client_id, OrderState.rejected, reason=str(error))
        except BrokerUnavailable as error:
            self._say(f"order {sent.order.client_id}: {error}")
            return
        self._heard(sent, report, now)

    def _cancel(self, sent: SentOrder, now: pd.Timestamp) -> None:
        """Asked each time until the broker says what became of it; written down once."""
        if not sent.cancel_asked:
            self.note("cancel", now, client_id=sent.order.client_id)
        try:
            self.broker.cancel(sent.order.client_id)
        except BrokerUnavailable as error:
            self._say(str(error))

    def _heard(self, sent: SentOrder, report: Report, now: pd.Timestamp) -> None:
        """News of an order: what was filled never becomes less."""
        if report == sent.report or abs(report.filled) < abs(sent.filled):
            return
        if report.state is OrderState.rejected:
            logger.warning("order %s was refused: %s", report.client_id, report.reason)
        self.note(
            "report",
            now,
            client_id=report.client_id,
            state=report.state.value,
            filled=report.filled,
            average_price=report.average_price,
            filled_at=None if report.filled_at is None else str(report.filled_at),
            broker_id=report.broker_id,
            reason=report.reason,
        )

    def _say(self, text: str) -> None:
        """Each trouble in the log once, until there is another one."""
        if text != self._said:
            self._said = text
            logger.warning("%s", text)
