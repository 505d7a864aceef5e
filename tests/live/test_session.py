"""Between bars a session looks at what is open, and at what it has lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd

from intraday_rl.live.session import LOSS_LIMIT

ORDINARY = date(2021, 8, 11)


class Long:
    """All in, at every bar."""

    def predict(self, observation) -> float:
        return 1.0


def test_a_loss_at_its_limit_ends_the_session_before_the_next_decision(backtest, tmp_path):
    """A first bar of several in a longer one tells the loss; nobody waits for the others."""
    session = backtest.session(ORDINARY, tmp_path)
    session.policy = Long()
    with session.desk.journal:
        for bar_end in session.day.bar_ends[:4]:
            session.clock.wait_until(bar_end)
            session.step(session.clock.now())
        held = session.desk.book.position
        assert held > 0.0
        feed, between = session.feed, session.clock.now() + pd.Timedelta(minutes=1)
        session.feed = Fallen(feed, fraction=0.5)
        session.step(between)
        assert session.desk.book.leaving == LOSS_LIMIT
        assert session.desk.book.left_at == between
        assert [text for text in session.desk.book.alarms if "loss" in text]
        decided = len(session.desk.book.actions)
        session.clock.wait_until(session.day.bar_ends[4])
        session.step(session.clock.now())
        assert len(session.desk.book.actions) == decided
    session.broker.close()


class Fallen:
    """A feed whose newest close is a fraction of what it was."""

    def __init__(self, feed, fraction: float) -> None:
        self.feed, self.fraction = feed, fraction

    def known(self, now):
        known = self.feed.known(now)
        frame = known.symbol.frame.copy()
        frame.loc[frame.index[-1], "close"] *= self.fraction
        return replace(known, symbol=replace(known.symbol, frame=frame))

    def opening(self, boundary, now):
        return self.feed.opening(boundary, now)
