"""A whole session with Alpaca's real client, at an account on loopback."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from intraday_rl.agents.baselines import RandomPolicy
from intraday_rl.live.closing import lay_out
from intraday_rl.live.driving import _moments
from intraday_rl.live.watchdog import Watchdog

pytestmark = pytest.mark.slow("live")
DAY = date(2021, 8, 11)


def test_a_session_at_alpaca_ends_flat_with_every_fill_in_its_ledger(
    backtest, server, connect, tmp_path
):
    """A market that fills at once but for one order in part; a stream that breaks once."""
    session = backtest.session(DAY, tmp_path)
    session.broker.close()
    broker = connect()
    broker.listen()
    assert server.listened()
    session.broker = session.desk.broker = broker
    session.desk.symbol = "SPY"
    session.policy = RandomPolicy(np.random.default_rng(1))
    watchdog = Watchdog(session.desk, session.day.exit_at, pd.Timedelta(0), lambda: None)

    def market() -> None:
        for client_id, order in list(server.orders.items()):
            if order["status"] in ("new", "accepted", "pending_new"):
                shares = float(order["qty"])
                partly = len(server.orders) == 5 and shares > 1
                server.fill(
                    client_id, shares // 2 if partly else shares, 16.0 + 0.01 * len(server.orders)
                )

    with session.desk.journal:
        for moment in _moments(session, watchdog):
            session.clock.wait_until(moment)
            now = session.clock.now()
            session.step(now)
            for _ in range(2):  # an order through zero has two steps
                market()
                session.desk.poll(now)
            for _ in range(3):
                watchdog.look(now)
                market()
            session.desk.poll(now)
            watchdog.look(now)
            if len(server.orders) == 9:
                server.hang_up()
        assert session.is_over(session.clock.now())
        closed = lay_out(session, session.clock.now(), "fold", 0)
    ledger, book = closed.ledger, session.desk.book
    assert server.position == 0.0
    assert watchdog.flat_at is not None
    assert set(server.orders) == set(book.orders)
    for client_id, order in server.orders.items():
        sign = 1.0 if order["side"] == "buy" else -1.0
        assert book.orders[client_id].filled == sign * float(order["filled_qty"])
    position = 0.0
    for sent in book.orders.values():
        after = position + sent.order.shares
        assert position * after >= 0.0
        position += sent.filled
    traded = ledger[ledger["shares_traded"] != 0]
    assert len(traded) > 15
    assert (ledger["shares_before"] + ledger["shares_traded"] == ledger["shares_after"]).all()
    filled = sum(float(order["filled_qty"]) for order in server.orders.values())
    # Steps of one decision are one row: what it traded is their sum.
    assert traded["shares_traded"].abs().sum() == pytest.approx(filled)
    assert ledger["shares_after"].iloc[-1] == 0.0
    assert "partially" not in {order["status"] for order in server.orders.values()}
