"""Bars of Alpaca as they come: from its stream, and by request where that has a gap."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd
from alpaca.data.enums import DataFeed

from intraday_rl.errors import ConfigError
from intraday_rl.live.feeds.alpaca_day import DaySoFar
from intraday_rl.live.feeds.alpaca_stream import BarStream
from intraday_rl.live.feeds.arrivals import (
    NOT_UNDERSTOOD,
    Arrival,
    BarArrived,
    DayFetched,
    FetchFailed,
    StreamDown,
    StreamNote,
    StreamUp,
    fine_bar_of,
)
from intraday_rl.live.feeds.feed import DayBars
from intraday_rl.live.feeds.inbox import Inbox
from intraday_rl.live.feeds.intake import Intake
from intraday_rl.live.feeds.outage import Outage
from intraday_rl.live.feeds.session import SessionIntake
from intraday_rl.vendor_keys import keys_of

KEYS = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
ADDRESS, STREAM_ADDRESS = "INTRADAY_RL_ALPACA_URL", "INTRADAY_RL_ALPACA_DATA_STREAM_URL"
BAR_MINUTES = 1  # what the stream sends
DATA_FEEDS = ("iex", "sip")

# After a minute's end: when its bar should have come by the stream, and when a request that does
# not have it either shows that nothing was traded.
_DUE, _SETTLED = pd.Timedelta(seconds=3), pd.Timedelta(seconds=12)
# Between two requests that are not owed to a new connection.
_AGAIN = pd.Timedelta(seconds=10)


class AlpacaFeed:
    """Symbol and benchmark of one session, minute by minute; threads from the beginning to `close`.

    | given | |
    |---|---|
    | `session` | whose bars are wanted; its `feed_bar_minutes` is 1 |
    | `data_feed` | iex (free) or sip (all exchanges) |

    The keys are read from `APCA_API_KEY_ID` and `APCA_API_SECRET_KEY`; without them `ConfigError`.
    The day so far is asked for at the start, after every reconnect, and when a minute does not
    come. Whatever fails later is a finding.
    """

    def __init__(self, session: SessionIntake, data_feed: str = "iex") -> None:
        minutes = session.symbol.feed_bar_minutes
        if minutes != BAR_MINUTES:
            raise ConfigError("task.feed_bar_minutes", minutes, "alpaca sends bars of 1 minute")
        if data_feed not in DATA_FEEDS:
            raise ConfigError("data_feed", data_feed, f"must be {' or '.join(DATA_FEEDS)}")
        key, secret = keys_of("task.feed", "alpaca", "Alpaca (a free account will do)", *KEYS)
        self._session, self._inbox = session, Inbox[Arrival]()
        self._intakes = {intake.symbol: intake for intake in session.intakes}
        self._grid = session.symbol.grid
        self._stream_outage = Outage("alpaca's stream of bars", session.findings)
        self._day_outage = Outage("alpaca's answer with the day so far", session.findings)
        self._gap = True  # something may be lost that only a request brings
        self._owed = True  # the request that every connection begins with
        self._asked: pd.Timestamp | None = None  # when the last request was made
        self._waiting = False  # for its answer
        self._covered = self._grid.open_ns  # no minute before it is asked for again
        kind, symbols = DataFeed(data_feed), tuple(self._intakes)
        url, stream_url = (os.environ.get(name) or None for name in (ADDRESS, STREAM_ADDRESS))
        self._day = DaySoFar((key, secret), url, kind, symbols, self._inbox.put)
        self._stream = BarStream((key, secret), stream_url, kind, symbols, self._inbox.put)

    def known(self, now: pd.Timestamp) -> DayBars:
        self._receive(now)
        return self._session.known(now)

    def opening(
        self, boundary: pd.Timestamp, now: pd.Timestamp
    ) -> tuple[pd.Timestamp, float] | None:
        self._receive(now)
        return self._session.opening(boundary, now)

    def wait(self, timeout_seconds: float) -> bool:
        """Until something has come that `known` has not seen; False if nothing did in time."""
        return self._inbox.wait(timeout_seconds)

    def close(self) -> None:
        """End the threads within seconds."""
        self._stream.close()
        self._day.close()

    @property
    def alive(self) -> bool:
        """Whether any thread still runs."""
        return self._stream.alive or self._day.alive

    def _receive(self, now: pd.Timestamp) -> None:
        for arrival in self._inbox.take_all():
            self._take(arrival, now)
        self._ask(now)

    def _take(self, arrival: Arrival, now: pd.Timestamp) -> None:
        match arrival:
            case BarArrived(symbol, raw, correction):
                if symbol in self._intakes:
                    self._take_bar(self._intakes[symbol], raw, correction, now)
            case StreamUp():
                self._stream_outage.ends(now)
                self._owed = True
            case StreamDown(reason):
                self._stream_outage.begins(_with_remedy(reason), now)
            case StreamNote(reason):
                self._session.findings.say(f"alpaca's stream of bars: {reason}")
                self._gap = True
            case DayFetched(bars):
                self._take_day(bars, now)
            case FetchFailed(reason):
                self._waiting, self._gap = False, True
                self._day_outage.begins(_with_remedy(reason), now)

    def _take_bar(self, intake: Intake, raw: Any, correction: bool, now: pd.Timestamp) -> None:
        try:
            bar = fine_bar_of(raw)
        except NOT_UNDERSTOOD as error:
            kind = type(error).__name__
            self._session.findings.say(f"{intake.symbol}: a bar is not understood ({kind})")
            self._gap = self._gap or not correction
        else:
            self._session.take(intake, bar, now, correction=correction)

    def _take_day(self, bars: Any, now: pd.Timestamp) -> None:
        """What was asked for is newer than what the stream sent: it corrects it."""
        self._waiting = False
        try:
            rows = {symbol: list(bars.get(symbol) or ()) for symbol in self._intakes}
        except NOT_UNDERSTOOD as error:
            self._gap = True
            self._day_outage.begins(f"it is not understood: {type(error).__name__}", now)
            return
        self._day_outage.ends(now)
        if self._asked is not None:
            settled = self._grid.newest_fine((self._asked - _SETTLED).value)
            if settled is not None:
                self._covered = max(self._covered, settled + self._grid.fine_ns)
        for symbol, intake in self._intakes.items():
            for raw in rows[symbol]:
                self._take_bar(intake, raw, True, now)

    def _ask(self, now: pd.Timestamp) -> None:
        """Ask for the day so far if a minute may be lost; never for one that is not over."""
        newest = self._grid.newest_fine(now.value)
        if newest is None or self._waiting:
            return
        early = self._asked is not None and now - self._asked < _AGAIN
        if not self._owed and (early or not (self._gap or self._lacks_a_minute(now))):
            return
        self._owed = self._gap = False
        self._asked, self._waiting = now, True
        self._day.ask(pd.Timestamp(self._grid.open_ns, tz="UTC"), pd.Timestamp(newest, tz="UTC"))

    def _lacks_a_minute(self, now: pd.Timestamp) -> bool:
        due = self._grid.newest_fine((now - _DUE).value)
        if due is None:
            return False
        minutes = range(self._covered, due + 1, self._grid.fine_ns)
        return not all(intake.has(ns) for intake in self._intakes.values() for ns in minutes)


def _with_remedy(reason: str) -> str:
    return f"{reason}; check {' and '.join(KEYS)}" if "keys are refused" in reason else reason
