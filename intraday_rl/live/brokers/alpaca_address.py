"""Where Alpaca takes orders: its paper address, its real one, or a test server on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from intraday_rl.errors import ConfigError

TRADING_VARIABLE = "INTRADAY_RL_ALPACA_TRADING_URL"
STREAM_VARIABLE = "INTRADAY_RL_ALPACA_STREAM_URL"

PAPER_HOST, REAL_HOST = "paper-api.alpaca.markets", "api.alpaca.markets"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Of one account: `trading` is asked by HTTP, `stream` tells news of orders by websocket."""

    trading: str
    stream: str


def addresses(real: bool, trading: str | None = None, stream: str | None = None) -> Addresses:
    """Alpaca's own for the kind of account, unless an argument or the environment names another.

    Keys and orders go there: anything but Alpaca's address of that kind of account, or a loopback
    address, raises `ConfigError`.
    """
    host = REAL_HOST if real else PAPER_HOST
    return Addresses(
        _address(TRADING_VARIABLE, trading, ("http", "https"), f"https://{host}"),
        _address(STREAM_VARIABLE, stream, ("ws", "wss"), f"wss://{host}/stream"),
    )


def _address(variable: str, given: str | None, schemes: tuple[str, str], alpacas: str) -> str:
    url = (given or os.environ.get(variable) or alpacas).rstrip("/")
    # To the letter: with /v2 behind it, say, every order would be "not found" there.
    if url != alpacas and not _on_this_machine(url, schemes):
        remedy = f"this kind of account is at {alpacas}; else only a loopback address is taken"
        raise ConfigError(variable, url, remedy)
    return url


def _on_this_machine(url: str, schemes: tuple[str, str]) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in schemes and parts.hostname in LOOPBACK
