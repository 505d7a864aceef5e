"""Orders at Alpaca, by HTTP: what was sent, what became of it, and what goes wrong on the way."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from intraday_rl.errors import ConfigError
from intraday_rl.live.brokers.broker import (
    BrokerUnavailable,
    Order,
    OrderRefused,
    OrderState,
    Report,
)
from tests.live.brokers.conftest import TIMEOUT_SECONDS, UNKNOWN, order

if TYPE_CHECKING:
    from intraday_rl.live.brokers.alpaca import AlpacaBroker
    from tests.live.brokers.alpaca_server import AlpacaServer, Fault
else:
    pytest.importorskip("alpaca")
    from tests.live.brokers.alpaca_server import Fault

pytestmark = pytest.mark.slow("live")

faulty = pytest.mark.parametrize("how", UNKNOWN)


def sent(server: AlpacaServer) -> list[tuple[str, str]]:
    return [(asked.method, asked.path) for asked in server.asked]


def test_an_order_is_a_market_order_for_the_day_under_our_id(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    report = broker.submit(order(10.0))
    assert report.state is OrderState.open
    assert report.broker_id == server.orders["agent-001"]["id"]
    assert [asked.body for asked in server.asked] == [
        {"symbol": "SPY", "qty": 10.0, "side": "buy", "type": "market", "time_in_force": "day",
         "client_order_id": "agent-001"}
    ]  # fmt: skip


def test_partial_fills_add_up_to_shares_a_price_and_a_time(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    broker.submit(order(10.0))
    server.fill("agent-001", 4.0, 100.0)
    part = broker.find("agent-001")
    assert part is not None
    assert (part.state, part.filled, part.average_price) == (OrderState.open, 4.0, 100.0)
    server.fill("agent-001", 6.0, 105.0)
    whole = broker.find("agent-001")
    assert whole is not None
    assert (whole.state, whole.filled, whole.average_price) == (OrderState.filled, 10.0, 103.0)
    assert whole.filled_at is not None
    assert abs(whole.filled_at - pd.Timestamp.now("UTC")) < pd.Timedelta(seconds=60)
    assert broker.position() == 10.0


def test_a_short_position_is_negative_and_so_are_its_fills(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    assert broker.position() == 0.0
    broker.submit(order(-10.0))
    server.fill("agent-001", 10.0, 100.0)
    report = broker.find("agent-001")
    assert report is not None
    assert (report.state, report.filled) == (OrderState.filled, -10.0)
    assert broker.position() == -10.0
    broker.submit(order(10.0, "agent-002"))
    server.fill("agent-002", 10.0, 99.0)
    assert broker.position() == 0.0


def test_an_id_that_the_broker_never_saw_is_none(broker: AlpacaBroker) -> None:
    assert broker.find("agent-404") is None


@faulty
def test_an_order_accepted_without_an_answer_is_found_and_sent_again_is_the_same(
    server: AlpacaServer, broker: AlpacaBroker, how: str
) -> None:
    server.faults.append(Fault(done=True, **UNKNOWN[how]))
    begun = time.monotonic()
    with pytest.raises(BrokerUnavailable) as caught:
        broker.submit(order(10.0))
    assert time.monotonic() - begun < 3.0 * TIMEOUT_SECONDS
    assert "\n" not in str(caught.value)
    assert sent(server) == [("POST", "/v2/orders")]  # once
    found = broker.find("agent-001")
    assert found is not None
    assert found.state is OrderState.open
    assert broker.submit(order(10.0)) == found
    assert list(server.orders) == ["agent-001"]
    server.fill("agent-001", 10.0, 100.0)
    assert broker.submit(order(10.0)).filled == 10.0
    assert broker.position() == 10.0


@faulty
def test_an_order_that_never_arrived_is_none_and_may_be_sent_again(
    server: AlpacaServer, broker: AlpacaBroker, how: str
) -> None:
    server.faults.append(Fault(**UNKNOWN[how]))
    with pytest.raises(BrokerUnavailable):
        broker.submit(order(10.0))
    assert broker.find("agent-001") is None
    assert broker.submit(order(10.0)).state is OrderState.open
    assert list(server.orders) == ["agent-001"]


@faulty
def test_a_question_without_a_whole_answer_says_so(
    server: AlpacaServer, broker: AlpacaBroker, how: str
) -> None:
    broker.submit(order(10.0))
    server.fill("agent-001", 4.0, 100.0)
    asks: list[Callable[[], object]] = [
        lambda: broker.find("agent-001"), broker.position, broker.check,
    ]  # fmt: skip
    for ask in asks:
        server.faults.append(Fault(**UNKNOWN[how]))
        with pytest.raises(BrokerUnavailable):
            ask()
        ask()
    if how not in ("nothing", "another object"):  # a cancel is answered by nothing
        server.faults.append(Fault(**UNKNOWN[how]))
        with pytest.raises(BrokerUnavailable):
            broker.cancel("agent-001")
    broker.cancel("agent-001")
    report = broker.find("agent-001")
    assert report is not None
    assert report.state is OrderState.cancelled


def test_nobody_at_the_address_is_said_at_once(server: AlpacaServer, connect) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        broker = connect(url=f"http://127.0.0.1:{nobody.getsockname()[1]}")
        for ask in (lambda: broker.submit(order(1.0)), lambda: broker.find("a"), broker.check):
            with pytest.raises(BrokerUnavailable, match="no whole answer"):
                ask()


def test_an_answer_that_is_slow_and_in_time_is_an_answer(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    server.faults.append(Fault(done=True, slow_seconds=0.3 * TIMEOUT_SECONDS))
    assert broker.submit(order(10.0)).state is OrderState.open


def test_a_rate_limit_is_named_and_not_waited_for(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    server.faults.append(Fault(**UNKNOWN["429"]))
    with pytest.raises(BrokerUnavailable, match="rate limit"):
        broker.check()
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [403, 422])
def test_a_refused_order_is_refused_in_alpacas_words(
    server: AlpacaServer, broker: AlpacaBroker, status: int
) -> None:
    words = "insufficient buying power"
    server.faults.append(Fault((status, {"code": status * 100_000, "message": words})))
    with pytest.raises(OrderRefused, match=f"^alpaca: {words}$"):
        broker.submit(order(10.0))
    assert broker.find("agent-001") is None


def test_an_order_through_zero_is_refused_by_alpaca(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    server.position = 10.0
    with pytest.raises(OrderRefused, match="insufficient qty available"):
        broker.submit(order(-20.0))


def test_a_refusal_of_what_the_first_sending_did_is_the_report_of_the_first(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    server.position = 10.0
    server.faults.append(Fault(done=True, silent=True))
    with pytest.raises(BrokerUnavailable):
        broker.submit(order(-10.0))
    server.fill("agent-001", 10.0, 100.0)
    words = "insufficient qty available for order (requested: 10, available: 0)"
    server.faults.append(Fault((403, {"code": 40310000, "message": words})))
    assert broker.submit(order(-10.0)).filled == -10.0


def test_an_id_that_is_taken_by_an_order_nobody_finds_is_not_known(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    words = "client_order_id must be unique"
    server.faults.append(Fault((422, {"code": 40010001, "message": words})))
    with pytest.raises(BrokerUnavailable, match=words):
        broker.submit(order(10.0))


def test_a_refusal_whose_check_fails_is_not_known(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    server.faults += [Fault((422, {"code": 1, "message": "no"})), Fault(silent=True)]
    with pytest.raises(BrokerUnavailable):
        broker.submit(order(10.0))


def test_fractions_are_bought_and_sold_up_to_the_position(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    broker.submit(order(10.1234567891))
    assert server.asked[-1].body["qty"] == 10.123456789
    server.fill("agent-001", 10.123456789, 100.0)
    broker.submit(order(-10.123456789, "agent-002"))
    server.fill("agent-002", 10.123456789, 100.0)
    assert broker.position() == 0.0


@pytest.mark.parametrize("held", [0.0, 5.0, -5.0])
def test_fractions_sold_short_are_refused_before_they_are_sent(
    server: AlpacaServer, broker: AlpacaBroker, held: float
) -> None:
    server.position = held
    with pytest.raises(OrderRefused, match="fractions of a share cannot be sold short"):
        broker.submit(order(-5.5))
    assert not server.orders
    assert "POST" not in dict(sent(server))


def test_a_fraction_sold_without_an_answer_is_found_when_it_is_sent_again(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    server.position = 5.5
    server.faults += [Fault(done=True), Fault(done=True, silent=True)]
    with pytest.raises(BrokerUnavailable):
        broker.submit(order(-5.5))
    server.fill("agent-001", 5.5, 100.0)
    assert broker.submit(order(-5.5)).filled == -5.5


@pytest.mark.parametrize("shares", [0.0, 1e-12, float("nan"), float("inf")])
def test_no_number_of_shares_is_refused(
    server: AlpacaServer, broker: AlpacaBroker, shares: float
) -> None:
    with pytest.raises(OrderRefused, match="no number of shares"):
        broker.submit(order(shares))
    assert not server.asked


def test_an_order_of_another_symbol_is_refused(server: AlpacaServer, broker: AlpacaBroker) -> None:
    with pytest.raises(OrderRefused, match="orders of SPY, not of QQQ"):
        broker.submit(Order("agent-001", "QQQ", 1.0, None))
    assert not server.asked


def test_a_partly_filled_order_that_is_cancelled_keeps_its_fill(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    broker.submit(order(10.0))
    server.fill("agent-001", 4.0, 100.0)
    broker.cancel("agent-001")
    report = broker.find("agent-001")
    assert report is not None
    assert (report.state, report.filled) == (OrderState.cancelled, 4.0)
    assert report.reason == "canceled"
    broker.cancel("agent-001")
    assert broker.find("agent-001") == report


def test_cancelling_what_is_filled_or_unknown_changes_nothing(
    server: AlpacaServer, connect
) -> None:
    broker = connect()
    broker.submit(order(10.0))
    server.fill("agent-001", 10.0, 100.0)
    broker.cancel("agent-001")  # it does not know of the fill yet
    assert sent(server)[-1][0] == "DELETE"
    report = broker.find("agent-001")
    assert report is not None
    assert report.state is OrderState.filled
    broker.cancel("agent-404")
    assert len(server.orders) == 1


def test_an_order_of_a_session_before_is_cancelled_by_its_id(server: AlpacaServer, connect) -> None:
    connect().submit(order(10.0))
    restarted = connect()
    restarted.cancel("agent-001")
    assert server.orders["agent-001"]["status"] == "canceled"


@pytest.mark.parametrize("status", ["rejected", "expired", "done_for_day"])
def test_an_order_that_ended_otherwise_says_how(
    server: AlpacaServer, broker: AlpacaBroker, status: str
) -> None:
    broker.submit(order(10.0))
    server.end("agent-001", status)
    report = broker.find("agent-001")
    assert report is not None
    assert report.state.is_final
    assert report.reason == status


def test_an_older_answer_takes_nothing_back(server: AlpacaServer, broker: AlpacaBroker) -> None:
    broker.submit(order(10.0))
    accepted = dict(server.orders["agent-001"])
    server.fill("agent-001", 10.0, 100.0)
    filled = broker.find("agent-001")
    server.orders["agent-001"] = accepted
    assert broker.find("agent-001") == filled
    del server.orders["agent-001"]
    assert broker.find("agent-001") == filled


def test_a_healthy_account_passes(server: AlpacaServer, broker: AlpacaBroker) -> None:
    server.account["shorting_enabled"] = False
    broker.check()


@pytest.mark.parametrize(
    ("field", "value"),
    [("status", "ACCOUNT_CLOSED"), ("trading_blocked", True), ("account_blocked", True),
     ("trade_suspended_by_user", True)],
)  # fmt: skip
def test_an_account_that_may_not_trade_says_why(
    server: AlpacaServer, broker: AlpacaBroker, field: str, value: object
) -> None:
    server.account[field] = value
    with pytest.raises(BrokerUnavailable, match="ACCOUNT_CLOSED" if field == "status" else field):
        broker.check()


def test_refused_keys_say_which_variables_to_look_at(
    server: AlpacaServer, connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APCA_API_SECRET_KEY", "mistaken")
    broker = connect()
    asks: list[Callable[[], object]] = [
        broker.check, broker.position, lambda: broker.find("a"), lambda: broker.submit(order(1.0)),
    ]  # fmt: skip
    for ask in asks:
        with pytest.raises(BrokerUnavailable, match="APCA_API_KEY_ID and APCA_API_SECRET_KEY"):
            ask()


def test_missing_keys_are_named(server: AlpacaServer, connect, monkeypatch) -> None:
    monkeypatch.delenv("APCA_API_SECRET_KEY")
    with pytest.raises(ConfigError, match=r"task\.broker=alpaca.*APCA_API_SECRET_KEY"):
        connect()


@pytest.mark.parametrize("real", [False, True])
def test_no_other_host_is_asked_than_that_of_the_kind_of_account(
    keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch, real: bool
) -> None:
    from intraday_rl.live.brokers.alpaca import AlpacaBroker

    hosts: list[object] = []

    def nowhere(host: object, *options: object, **more: object) -> None:
        hosts.append(host)
        raise socket.gaierror("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    broker = AlpacaBroker("SPY", real=real)
    assert broker.name == ("alpaca_real" if real else "alpaca")
    asks: list[Callable[[], object]] = [
        broker.check, broker.position, lambda: broker.find("a"), lambda: broker.submit(order(1.0)),
        lambda: broker.cancel("a"),
    ]  # fmt: skip
    for ask in asks:
        with pytest.raises(BrokerUnavailable):
            ask()
    asked = len(hosts)
    broker.listen()
    deadline = time.monotonic() + 10.0
    while len(hosts) == asked and time.monotonic() < deadline:
        broker.wait(0.05)
    broker.close()
    assert len(hosts) > asked
    assert set(hosts) == {"api.alpaca.markets" if real else "paper-api.alpaca.markets"}


def test_the_bodies_of_the_loopback_account_are_those_of_the_clients_models(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    from alpaca.trading import models

    broker.submit(order(10.0))
    server.fill("agent-001", 4.0, 100.0)
    broker.cancel("agent-001")
    models.TradeAccount(**server.account)
    for event in server.events:
        update = models.TradeUpdate(**event)
        assert update.order.client_order_id == "agent-001"


def test_a_report_says_what_the_protocol_says(server: AlpacaServer, broker: AlpacaBroker) -> None:
    accepted = broker.submit(order(10.0))
    assert accepted == Report("agent-001", OrderState.open, broker_id=accepted.broker_id)
