"""A closed session's ledger says what was done, at the prices that were known when it was."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from intraday_rl.live.closing import lay_out
from intraday_rl.live.driving import replay
from intraday_rl.live.session import LOSS_LIMIT
from intraday_rl.live.watchdog import Watchdog

ORDINARY = date(2021, 8, 11)


@pytest.fixture
def session(backtest, tmp_path):
    made = backtest.session(ORDINARY, tmp_path)
    with made.desk.journal:
        yield made
    made.broker.close()


def watchdog_of(session, asked=lambda: None) -> Watchdog:
    return Watchdog(session.desk, session.day.exit_at, pd.Timedelta(0), asked)


def test_a_session_whose_feed_has_let_go_of_the_day_closes_by_its_journal(session):
    replay(session, watchdog_of(session))
    now = session.clock.now()
    as_it_was = lay_out(session, now, "fold", 0)
    session.known = None  # a process that was begun again days later
    by_journal = lay_out(session, now, "fold", 0)
    assert as_it_was.ledger["shares_traded"].abs().sum() > 0
    pd.testing.assert_frame_equal(by_journal.ledger, as_it_was.ledger, check_exact=True)
    assert by_journal.after == as_it_was.after
    assert by_journal.model_slippage == as_it_was.model_slippage


def test_a_session_without_a_single_bar_leaves_the_account_as_it_was(session):
    closed = lay_out(session, session.clock.now(), "fold", 0)
    assert closed.ledger is None
    assert closed.after == session.day.opening


def test_an_early_exit_is_charged_against_the_price_when_it_left_not_a_later_one(session):
    """What prices did between leaving and filling is slippage; it must not vanish."""
    left = session.day.bar_ends[5]
    watchdog = watchdog_of(session, lambda: LOSS_LIMIT if session.clock.now() >= left else None)
    replay(session, watchdog)
    book = session.desk.book
    assert book.leaving == LOSS_LIMIT
    assert book.left_close == book.bars[left]["close"]
    ledger = lay_out(session, session.clock.now(), "fold", 0).ledger
    row = ledger[ledger["forced_exit"]].iloc[0]
    paid = book.exit().paid
    assert row["price"] == book.left_close
    assert paid != book.left_close
    assert row["slippage"] == pytest.approx(row["shares_traded"] * (paid - row["price"]))
    assert row["shares_after"] == 0.0
    assert len(ledger) == 7  # decisions until it left, and the exit
