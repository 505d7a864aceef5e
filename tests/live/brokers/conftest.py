"""Alpaca's broker, by its real client, against an account on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from intraday_rl.live.brokers.broker import Order

if TYPE_CHECKING:
    from intraday_rl.live.brokers.alpaca import AlpacaBroker
    from tests.live.brokers.alpaca_server import AlpacaServer

KEY, SECRET = "PKTESTKEYOFTHELOOPBACK", "s3cret/of+the=loopback&account"
# Long enough for a busy machine, short enough for the tests that wait for it.
TIMEOUT_SECONDS = 1.0

PAGE = "<html>Service Unavailable</html>"
# After each of these nobody knows whether the request was carried out.
UNKNOWN: dict[str, dict[str, Any]] = {
    "silent": {"silent": True},
    "cut off": {"cut": True},
    "slow": {"slow_seconds": 1.5 * TIMEOUT_SECONDS},
    "500": {"answer": (500, {"code": 50010000, "message": "internal server error occurred"})},
    "503 as a page": {"answer": (503, PAGE)},
    "504": {"answer": (504, "")},
    "429": {"answer": (429, {"code": 42910000, "message": "rate limit exceeded"})},
    "a page": {"answer": (200, PAGE)},
    "a page of 403": {"answer": (403, PAGE)},
    "half of a JSON": {"answer": (200, '{"id": "904837e3')},
    "nothing": {"answer": (200, "")},
    "a list": {"answer": (200, [])},
    "another object": {"answer": (200, {"id": "904837e3"})},
    "elsewhere": {"answer": (302, "")},
}


def order(shares: float, client_id: str = "agent-001") -> Order:
    return Order(client_id, "SPY", shares, None)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    for name in ("INTRADAY_RL_ALPACA_TRADING_URL", "INTRADAY_RL_ALPACA_STREAM_URL"):
        monkeypatch.delenv(name, raising=False)
    return KEY, SECRET


@pytest.fixture
def server(keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[AlpacaServer]:
    pytest.importorskip("alpaca")
    from tests.live.brokers.alpaca_server import AlpacaServer

    with AlpacaServer(*keys) as server:
        monkeypatch.setenv("INTRADAY_RL_ALPACA_TRADING_URL", server.url)
        monkeypatch.setenv("INTRADAY_RL_ALPACA_STREAM_URL", server.stream_url)
        yield server


@pytest.fixture
def connect(server: AlpacaServer) -> Iterator[Callable[..., AlpacaBroker]]:
    """Makes a broker of SPY that is impatient; all are closed in the end."""
    from intraday_rl.live.brokers.alpaca import AlpacaBroker

    made: list[AlpacaBroker] = []

    def one(**options: object) -> AlpacaBroker:
        patience = {"connect_seconds": TIMEOUT_SECONDS, "answer_seconds": TIMEOUT_SECONDS}
        made.append(AlpacaBroker("SPY", **{"real": False, **patience, **options}))
        return made[-1]

    yield one
    for broker in made:
        broker.close()


@pytest.fixture
def broker(connect: Callable[..., AlpacaBroker]) -> AlpacaBroker:
    return connect()
