"""Keys and orders go to Alpaca's address of the kind of account that was asked for, or nowhere."""

from __future__ import annotations

import pytest

from intraday_rl.errors import ConfigError
from intraday_rl.live.brokers.alpaca_address import STREAM_VARIABLE, TRADING_VARIABLE, addresses

PAPER, REAL = "https://paper-api.alpaca.markets", "https://api.alpaca.markets"


@pytest.fixture(autouse=True)
def no_address_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (TRADING_VARIABLE, STREAM_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_a_paper_account_is_elsewhere_than_a_real_one():
    paper, real = addresses(False), addresses(True)
    assert (paper.trading, paper.stream) == (PAPER, "wss://paper-api.alpaca.markets/stream")
    assert (real.trading, real.stream) == (REAL, "wss://api.alpaca.markets/stream")


def test_they_are_those_of_the_client_library():
    enums = pytest.importorskip("alpaca.common.enums")
    paper, real = addresses(False), addresses(True)
    assert (paper.trading, paper.stream) == (
        enums.BaseURL.TRADING_PAPER.value, enums.BaseURL.TRADING_STREAM_PAPER.value,
    )  # fmt: skip
    assert (real.trading, real.stream) == (
        enums.BaseURL.TRADING_LIVE.value, enums.BaseURL.TRADING_STREAM_LIVE.value,
    )  # fmt: skip


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:1/", "http://[::1]:2"])
def test_a_server_on_this_machine_may_stand_in(
    real: bool, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRADING_VARIABLE, url)
    monkeypatch.setenv(STREAM_VARIABLE, "ws://127.0.0.1:9/stream")
    assert addresses(real).trading == url.rstrip("/")
    assert addresses(real).stream == "ws://127.0.0.1:9/stream"
    assert addresses(real, "http://127.0.0.1:3").trading == "http://127.0.0.1:3"


@pytest.mark.parametrize(
    ("real", "url"),
    [
        (False, REAL), (True, PAPER), (False, "https://API.alpaca.markets:443"),
        (False, "https://api.alpaca.markets./"), (False, "https://u:p@api.alpaca.markets"),
        (False, "http://paper-api.alpaca.markets"), (True, "http://api.alpaca.markets"),
        (False, f"{PAPER}/v2"), (False, "https://example.org"), (False, "paper"),
        (False, "http://127.0.0.1.example.org"), (False, "http://127.0.0.1@example.org"),
        (False, "http://[::1"), (False, "file://localhost/etc"),
    ],
)  # fmt: skip
def test_any_other_address_is_refused(real: bool, url: str) -> None:
    with pytest.raises(ConfigError, match=TRADING_VARIABLE):
        addresses(real, url)


def test_a_real_stream_is_refused_for_a_paper_account():
    with pytest.raises(ConfigError, match=STREAM_VARIABLE):
        addresses(False, None, "wss://api.alpaca.markets/stream")
