"""`task=paper`: a session of a trained model, a past one bar by bar or today's as it goes."""

from __future__ import annotations

import logging
import math
import sqlite3
import sys
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

import pandas as pd

from intraday_rl.errors import DataError
from intraday_rl.live.account import Opening
from intraday_rl.live.book import SessionBook
from intraday_rl.live.clock import Clock, ReplayClock, clock_of
from intraday_rl.live.closing import content_of, lay_out
from intraday_rl.live.day import TradingDay
from intraday_rl.live.days import JOURNAL, next_session, unclosed
from intraday_rl.live.driving import FAILED, live, replay
from intraday_rl.live.journal import Journal
from intraday_rl.live.making import broker_of, feed_of
from intraday_rl.live.order_desk import MISMATCH, UNWRITTEN, OrderDesk
from intraday_rl.live.publishing import publish
from intraday_rl.live.session import LOSS_LIMIT, POLICY_ERRORS, PRICE_JUMP, Session
from intraday_rl.live.setting import (
    CONTENT,
    LEDGER,
    Setting,
    sessions_folder,
    setting_of,
)
from intraday_rl.live.shown import difference
from intraday_rl.live.shown import show as print_result
from intraday_rl.live.status import status_of
from intraday_rl.live.watchdog import DEAF, FLATTEN, Watchdog
from intraday_rl.market.calendar import sessions
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.records import read_json, write_json
from intraday_rl.roster.store import Roster
from intraday_rl.tasks import FeedKind, Paper, parse_day
from intraday_rl.trading.ledger import write_ledger

logger = logging.getLogger(__name__)

# After these the next session is not begun before somebody has looked.
NEEDS_A_PERSON = (LOSS_LIMIT, POLICY_ERRORS, PRICE_JUMP, MISMATCH, UNWRITTEN, DEAF, FAILED)
# An order id begins with it: at a broker one sees where an order comes from.
ORDER_PREFIX = "irl"


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=paper`. Status 1 if a replay differs from the backtest.

    Sessions of the agent that were left open on earlier days are closed first.
    """
    task = _task(plan)
    if task.feed is FeedKind.replay:
        day = parse_day("task.day", str(task.day))
        clock: Clock = ReplayClock(_open_of(day), task.speed)
        content = _play(setting_of(plan, context, clock), clock, None)
    else:
        clock = clock_of(task.clock)
        day = parse_day("task.day", task.day) if task.day else next_session(clock.now())
        assert task.agent is not None
        roster = Roster(sessions_folder(plan))
        told = _Told(roster, task.agent, roster.last_stop(), task.flatten)
        for earlier in unclosed(roster.sessions(task.agent), day):
            _play(setting_of(plan, context, clock, earlier), clock, replace(told, flatten=True))
        content = _play(setting_of(plan, context, clock, day), clock, told)
    return Outcome(math.nan, 1 if content["differences"] else 0)


def show(plan: Plan, context: Context) -> int:
    """The dry run: the model, the day and what it would be compared with; nothing is played."""
    task = _task(plan)
    setting = setting_of(plan, context, clock_of(task.clock))
    past = len(setting.history.symbol.session_index())
    compared = "nothing" if setting.backtest is None else "the backtest's ledger"
    played = "compared with " + compared
    if task.feed is not FeedKind.replay:
        played = f"with bars of {task.feed.value}, orders at {task.broker.value}"
    sys.stdout.write(
        f"{setting.model.bundle.folder}: {setting.day} after {past} sessions of history, {played}\n"
        f"journal: {setting.folder / JOURNAL}\n"
        "dry run: nothing was played, nothing was written\n"
    )
    return 0


@dataclass(frozen=True, slots=True)
class _Told:
    """What an agent's session is told by others, and whom it tells how it stands.

    `since`: emergency stops up to this number came before its process began.
    """

    roster: Roster
    agent: str
    since: int
    flatten: bool

    def asked(self, since: int) -> str | None:
        """Why a session opened after emergency stop `since` is to end now; None = it is not."""
        return self.roster.asked(self.agent, since) or (FLATTEN if self.flatten else None)

    def show(self, session: Session, now: pd.Timestamp) -> None:
        """A roster that takes no news ends no session."""
        try:
            self.roster.show(self.agent, status_of(session, now))
        except sqlite3.Error as error:
            logger.warning("how it stands is told to nobody: %s", error)


def _play(setting: Setting, clock: Clock, told: _Told | None) -> dict[str, Any]:
    """The session to its end; a second time only shows what it came to."""
    task = setting.task
    journal = Journal(setting.folder / JOURNAL)
    if task.agent is None:  # a replay is begun anew; it sends no orders
        for file in (journal.file, setting.folder / "paper_broker.jsonl"):
            file.unlink(missing_ok=True)
    with journal:
        book = SessionBook.of(journal.read())
        if not book.closed:
            _to_its_end(setting, journal, book, clock, told)
    content = read_json(setting.folder / CONTENT)
    publish(setting, content, journal.file)
    print_result(setting.plan, content, setting.outputs)
    return content


def _to_its_end(
    setting: Setting,
    journal: Journal,
    book: SessionBook,
    clock: Clock,
    told: _Told | None,
) -> None:
    task, model = setting.task, setting.model
    if book.opening is None and told is not None:
        _check_not_over(setting, clock.now())
    opening = book.opening or setting.opening()
    day = TradingDay(setting.plan, model.fitting(), setting.history, setting.day, opening)
    feed = feed_of(setting)
    broker = broker_of(setting, day, clock, book.last_close())
    try:
        prefix = f"{ORDER_PREFIX}-{task.agent or 'replay'}-{setting.day:%Y%m%d}"
        desk = OrderDesk(journal, book, broker, setting.plan.symbol, prefix)
        began = clock.now()
        _open(desk, setting, opening, began, 0 if told is None else told.since)
        model.bundle.policy.begin_session()
        session = Session(day, model.bundle.policy, feed, broker, desk, clock, task, began)
        lead = pd.Timedelta(seconds=task.exit_lead_seconds)
        if told is None:
            watchdog = Watchdog(desk, day.exit_at, lead, lambda: None)
            replay(session, watchdog)
            _close(setting, session, watchdog, clock.now())
            return
        watchdog = Watchdog(desk, day.exit_at, lead, partial(told.asked, book.stops_before))
        live(session, watchdog, partial(told.show, session))
        _close(setting, session, watchdog, clock.now())
        if book.leaving in NEEDS_A_PERSON:
            told.roster.failed(told.agent, f"{setting.day}: {book.leaving}, see its report")
        told.show(session, clock.now())
    finally:
        broker.close()
        feed.close()


def _open(
    desk: OrderDesk, setting: Setting, opening: Opening, now: pd.Timestamp, stops_before: int
) -> None:
    """Write down what the session begins with; after a restart, that it began again."""
    chosen = setting.model.chosen
    if desk.book.opening is not None:
        desk.note("restarted", now, position=desk.book.position)
        return
    broker = desk.broker
    held = broker.position()
    if held:
        raise DataError(
            f"the account at {broker.name} holds {held:g} shares of {setting.plan.symbol} already: "
            "a session needs an account without; close them, or give it another account"
        )
    desk.note(
        "opened",
        now,
        day=str(setting.day),
        model=str(setting.model.bundle.folder),
        model_name=chosen.name,
        model_version=chosen.version,
        broker=broker.name,
        feed=setting.task.feed.value,
        stops_before=stops_before,
        equity=opening.equity,
        moment_a=opening.moment_a,
        moment_b=opening.moment_b,
    )


def _check_not_over(setting: Setting, now: pd.Timestamp) -> None:
    """A day that nobody opened is not opened when it is past: its account would lose the day."""
    closes = pd.Timestamp(sessions(setting.day, setting.day)["close"].iloc[0])
    if now >= closes:
        raise DataError(
            f"task.day={setting.day}: that session is over; task.feed=replay plays a past one, "
            "task.clock rehearses one"
        )


def _close(setting: Setting, session: Session, watchdog: Watchdog, now: pd.Timestamp) -> None:
    """The files first, the journal's last line after them: then it is over."""
    card = setting.model.bundle.card
    closed = lay_out(session, now, card.fold, card.seed)
    entries = session.desk.journal.read()
    differences: list[str] = []
    compared = setting.task.feed is FeedKind.replay and setting.backtest is not None
    if compared and closed.ledger is not None and setting.backtest is not None:
        rows = setting.backtest[setting.backtest["session"] == pd.Timestamp(setting.day)]
        differences = difference(closed.ledger, rows)
    chosen = setting.model.chosen
    content = {
        **content_of(session, watchdog, closed, entries),
        "agent": setting.task.agent,
        "feed": setting.task.feed.value,
        "symbol": setting.plan.symbol,
        "model": {
            "bundle": str(setting.model.bundle.folder),
            "name": chosen.name,
            "version": chosen.version,
            "last_seen": setting.model.last_seen,
        },
        "in_sample": str(setting.day) <= setting.model.last_seen,
        "abstained": setting.model.abstained,
        "synthetic": setting.market.synthetic,
        "reconstructed": setting.market.reconstructed,
        "compared_with_backtest": compared,
        "differences": differences,
    }
    if closed.ledger is not None:
        write_ledger([closed.ledger], setting.folder / LEDGER)
    write_json(setting.folder / CONTENT, content)
    after = closed.after
    session.desk.note(
        "closed", now, equity=after.equity, moment_a=after.moment_a, moment_b=after.moment_b
    )


def _open_of(day: date) -> pd.Timestamp:
    table = sessions(day, day)
    if table.empty:
        raise DataError(
            f"task.day={day}: no session of the exchange; name a day on which it trades"
        )
    return pd.Timestamp(table["open"].iloc[0])


def _task(plan: Plan) -> Paper:
    assert isinstance(plan.task, Paper)
    return plan.task
