"""The paper broker fills as the environment does, and keeps its book on the disk."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from intraday_rl.live.brokers.broker import Order, OrderState
from intraday_rl.live.brokers.paper import NO_BAR, SILENCE, PaperBroker
from intraday_rl.live.clock import ReplayClock
from intraday_rl.live.feeds.replay import ReplayFeed

DAY = date(2021, 8, 11)
QUARTER = pd.Timedelta(minutes=15)


@pytest.fixture
def day(backtest):
    return backtest.day(DAY)


@pytest.fixture
def feed(backtest):
    return ReplayFeed(backtest.market, DAY)


@pytest.fixture
def begin(day, tmp_path):
    """Begins the broker at a moment, again and again on the same book."""
    made = []

    def one(moment: pd.Timestamp) -> PaperBroker:
        while made:
            made.pop().close()
        made.append(PaperBroker(tmp_path, day.book, ReplayClock(moment), day.exit_at, QUARTER))
        return made[-1]

    yield one
    while made:
        made.pop().close()


def at(broker: PaperBroker, feed: ReplayFeed, moment: pd.Timestamp) -> None:
    """The session's clock goes on, and the broker hears what the feed knows."""
    broker._clock.wait_until(moment)
    broker.look(feed, feed.known(moment), moment)


def test_a_decisions_order_fills_at_the_next_opening_with_the_books_slippage(begin, feed, day):
    boundary = day.bar_ends[3]
    broker = begin(boundary)
    assert broker.submit(Order("a", "TQQQ", 100.0, boundary)).state is OrderState.open
    at(broker, feed, boundary)
    opening = feed.opening(boundary, boundary)
    report = broker.find("a")
    assert report.state is OrderState.filled
    assert report.filled_at == boundary
    assert report.average_price == opening[1] + 0.005  # half a tick of a cent
    assert broker.position() == 100.0


def test_the_same_id_again_is_the_same_order(begin, feed, day):
    boundary = day.bar_ends[3]
    broker = begin(boundary)
    for _ in range(3):
        broker.submit(Order("a", "TQQQ", 100.0, boundary))
    at(broker, feed, boundary)
    broker.submit(Order("a", "TQQQ", 100.0, boundary))
    assert broker.position() == 100.0


def test_a_broker_that_begins_again_knows_its_orders(begin, feed, day):
    boundary = day.bar_ends[3]
    broker = begin(boundary)
    broker.submit(Order("a", "TQQQ", 100.0, boundary))
    broker = begin(boundary)
    assert broker.find("a").state is OrderState.open
    at(broker, feed, boundary)
    assert begin(boundary).find("a").filled == 100.0


def test_an_order_at_once_waits_for_a_price_if_none_is_known_yet(begin, feed, day):
    moment = day.bar_ends[3] + pd.Timedelta(minutes=4)
    broker = begin(moment)
    assert broker.submit(Order("a", "TQQQ", -100.0, None)).state is OrderState.open
    at(broker, feed, moment)
    report = broker.find("a")
    close = feed.known(moment).last_close()
    assert (report.filled, report.average_price) == (-100.0, close - 0.005)
    assert report.filled_at == moment


def test_the_exit_without_a_bar_fills_at_the_last_close_when_none_can_come_any_more(
    begin, feed, day
):
    broker = begin(day.exit_at)
    broker.submit(Order("exit", "TQQQ", -100.0, day.exit_at))
    broker._last_close = 16.0  # the feed has fallen silent
    assert broker.find("exit").state is OrderState.open
    broker._clock.wait_until(day.exit_at + QUARTER)
    assert broker.find("exit").state is OrderState.open  # it may have begun again just now
    broker._clock.wait_until(day.exit_at + QUARTER + SILENCE)
    report = broker.find("exit")
    assert (report.state, report.filled_at) == (OrderState.filled, day.exit_at)
    assert report.average_price == 16.0 - 0.005


def test_the_exit_without_its_bar_fills_at_the_close_before_it_whatever_comes_later(
    begin, feed, day
):
    """Where bars are shorter than what is left of the day, later ones come."""
    exit_at, later = day.bar_ends[10], day.bar_ends[12]
    broker = begin(exit_at)
    broker._exit_at = exit_at
    broker.submit(Order("exit", "TQQQ", -100.0, exit_at))
    broker._clock.wait_until(later)
    known = feed.known(later)
    frame = known.symbol.frame
    holed = frame[frame["bar_start"] != exit_at].reset_index(drop=True)
    known = replace(known, symbol=replace(known.symbol, frame=holed))
    broker.look(Silent(), known, later)
    report = broker.find("exit")
    assert report.filled_at == exit_at
    assert report.average_price == feed.known(exit_at).last_close() - 0.005
    assert known.last_close() != feed.known(exit_at).last_close()


class Silent:
    """A feed that knows no opening."""

    def opening(self, boundary, now):
        return None


def test_a_decision_whose_bar_never_comes_is_not_filled(begin, day):
    broker = begin(day.decision_ends[-1])
    broker.submit(Order("late", "TQQQ", 100.0, day.decision_ends[-1]))
    broker._clock.wait_until(day.exit_at + SILENCE)
    report = broker.find("late")
    assert (report.state, report.filled, report.reason) == (OrderState.cancelled, 0.0, NO_BAR)


def test_what_was_cancelled_is_never_filled(begin, feed, day):
    boundary = day.bar_ends[3]
    broker = begin(boundary)
    broker.submit(Order("a", "TQQQ", 100.0, boundary))
    broker.cancel("a")
    at(broker, feed, boundary)
    assert broker.find("a").state is OrderState.cancelled
    assert broker.position() == 0.0
