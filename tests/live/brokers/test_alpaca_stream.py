"""News of orders at Alpaca, by websocket: sooner than asking, and never instead of it."""

from __future__ import annotations

import logging
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from intraday_rl.live.brokers.broker import Order, OrderState
from tests.live.brokers.conftest import order

if TYPE_CHECKING:
    from intraday_rl.live.brokers.alpaca import AlpacaBroker
    from tests.live.brokers.alpaca_server import AlpacaServer, Fault
else:
    pytest.importorskip("alpaca")
    from tests.live.brokers.alpaca_server import Fault

pytestmark = pytest.mark.slow("live")

SOON_SECONDS = 10.0
CLOSED_SECONDS = 3.0  # of a busy machine


def told(broker: AlpacaBroker, filled: float) -> bool:
    """Wait for the stream, and nothing else, to tell of so many shares."""
    deadline = time.monotonic() + SOON_SECONDS
    while time.monotonic() < deadline:
        report = broker._known.of("agent-001")
        if report is not None and report.filled == filled:
            return True
        broker.wait(deadline - time.monotonic())
    return False


def alpaca_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "alpaca orders"]


@pytest.fixture
def listening(server: AlpacaServer, broker: AlpacaBroker) -> AlpacaBroker:
    broker.listen()
    assert server.listened()
    return broker


def test_nobody_connects_before_somebody_listens(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    broker.submit(order(10.0))
    assert not alpaca_threads()
    broker.listen()
    broker.listen()
    assert server.listened()
    assert len(alpaca_threads()) == 1


@pytest.mark.parametrize("binary", [True, False])
def test_a_fill_is_told_before_it_is_asked_for(
    server: AlpacaServer, broker: AlpacaBroker, binary: bool
) -> None:
    server.binary = binary
    broker.listen()
    assert server.listened()
    broker.submit(order(10.0))
    asked = len(server.asked)
    server.fill("agent-001", 4.0, 100.0)
    server.fill("agent-001", 6.0, 105.0)
    assert told(broker, 10.0)
    assert len(server.asked) == asked
    report = broker.find("agent-001")
    assert report is not None
    assert (report.state, report.average_price) == (OrderState.filled, 103.0)
    assert broker.find("agent-001") == report


def test_whoever_waits_is_woken(server: AlpacaServer, listening: AlpacaBroker) -> None:
    listening.submit(order(10.0))
    assert told(listening, 0.0)
    while listening.wait(0.5):
        continue
    woken: list[bool] = []
    waits = threading.Thread(target=lambda: woken.append(listening.wait(60.0)))
    waits.start()
    server.fill("agent-001", 4.0, 100.0)
    waits.join(SOON_SECONDS)
    assert woken == [True]
    assert not listening.wait(0.0)


def test_events_told_twice_and_in_another_order_add_up_once(
    server: AlpacaServer, listening: AlpacaBroker
) -> None:
    server.tells = False
    listening.submit(order(10.0))
    server.fill("agent-001", 4.0, 100.0)
    server.fill("agent-001", 3.0, 100.0)
    listening.cancel("agent-001")
    accepted, first, second, cancelled = server.events
    for event in (first, first, accepted, cancelled, accepted, second, first, accepted):
        server.send(event)
    assert told(listening, 7.0)
    for event in (first, accepted):
        server.send(event)
    report = listening.find("agent-001")
    assert report is not None
    assert (report.state, report.filled) == (OrderState.cancelled, 7.0)
    assert report.filled_at is not None


def test_an_answer_older_than_the_news_takes_nothing_back(
    server: AlpacaServer, listening: AlpacaBroker
) -> None:
    listening.submit(order(10.0))
    accepted = dict(server.orders["agent-001"])
    server.fill("agent-001", 10.0, 100.0)
    assert told(listening, 10.0)
    server.faults.append(Fault((200, accepted)))
    report = listening.find("agent-001")
    assert report is not None
    assert (report.state, report.filled) == (OrderState.filled, 10.0)


def test_an_order_that_only_the_stream_has_told_of_is_known(
    server: AlpacaServer, listening: AlpacaBroker
) -> None:
    other = Order("agent-001", "SPY", 10.0, None)
    server.faults.append(Fault(done=True, silent=True))
    with pytest.raises(Exception, match="no whole answer"):
        listening.submit(other)
    assert told(listening, 0.0)
    server.faults.append(Fault((404, {"code": 40410000, "message": "order not found"})))
    assert listening.find("agent-001") is not None


def test_a_broken_stream_loses_no_fill_and_comes_back(
    server: AlpacaServer, listening: AlpacaBroker
) -> None:
    listening.submit(order(10.0))
    server.tells = False
    server.hang_up()
    server.fill("agent-001", 4.0, 100.0)  # nobody is told
    report = listening.find("agent-001")
    assert report is not None
    assert report.filled == 4.0
    server.tells = True
    assert server.listened(visits=2)
    server.fill("agent-001", 6.0, 100.0)
    assert told(listening, 10.0)


def test_garbage_on_the_stream_is_passed_over(
    server: AlpacaServer, listening: AlpacaBroker
) -> None:
    listening.submit(order(10.0))
    for text in ("", "[]", "{", '{"stream": "trade_updates"}', '"word"',
                 '{"stream": "trade_updates", "data": {"event": "fill", "order": {}}}',
                 '{"stream": "trade_updates", "data": {"event": "fill", "order": '
                 '{"symbol": "SPY", "client_order_id": "agent-001"}}}'):  # fmt: skip
        server.send_text(text)
    server.fill("agent-001", 10.0, 100.0)
    assert told(listening, 10.0)


def test_news_of_other_symbols_are_not_ours(server: AlpacaServer, listening: AlpacaBroker) -> None:
    server.tells = False
    listening.submit(order(10.0))
    server.fill("agent-001", 10.0, 100.0)
    event = server.events[-1]
    server.send({**event, "order": {**event["order"], "symbol": "QQQ", "client_order_id": "x"}})
    server.send(event)
    assert told(listening, 10.0)
    assert listening._known.of("x") is None


def test_refused_keys_on_the_stream_leave_asking_as_it_is(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    server.authorizes = False
    broker.listen()
    assert server.visited(2)
    broker.submit(order(10.0))
    server.fill("agent-001", 10.0, 100.0)
    report = broker.find("agent-001")
    assert report is not None
    assert report.state is OrderState.filled


def test_a_stream_that_is_away_is_one_line_and_no_error(
    server: AlpacaServer, connect, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        broker = connect(stream_url=f"ws://127.0.0.1:{nobody.getsockname()[1]}/stream")
        broker.listen()
        deadline = time.monotonic() + SOON_SECONDS
        while not caplog.records and time.monotonic() < deadline:
            broker.wait(0.05)
        broker.wait(2.5)  # it tries again meanwhile
        broker.submit(order(10.0))
        broker.close()
    warnings = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].levelno == logging.WARNING
    assert warnings[0].exc_info is None
    assert "Alpaca's news of orders" in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("how", ["listening", "never", "at once", "hanging", "away", "refused"])
def test_close_ends_the_thread_promptly(server: AlpacaServer, connect, how: str) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if how == "hanging":
            silent.listen()  # connects, and never answers
        server.authorizes = how != "refused"
        elsewhere = f"ws://127.0.0.1:{silent.getsockname()[1]}/stream"
        broker = connect(stream_url=elsewhere if how in ("hanging", "away") else None)
        if how != "never":
            broker.listen()
        if how == "listening":
            assert server.listened()
        elif how == "hanging":
            silent.settimeout(SOON_SECONDS)
            silent.accept()[0].detach()
        elif how == "refused":
            assert server.visited(1)
        begun = time.monotonic()
        broker.close()
        assert time.monotonic() - begun < CLOSED_SECONDS
    assert not alpaca_threads()
    broker.close()
    broker.listen()
    assert not alpaca_threads()
