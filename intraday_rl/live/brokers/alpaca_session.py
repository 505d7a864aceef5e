"""HTTP for Alpaca's trading client: each request once, within seconds, and whole answers only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import requests

from intraday_rl.live.brokers.broker import BrokerUnavailable
from intraday_rl.vendor_keys import without_keys

# Alpaca is reached within a tenth of a second; a lost packet is sent again after one. Both
# together stay below the time after which a session takes an unanswered order for lost.
CONNECT_SECONDS = 2.0
# Without a byte. Orders are answered within some tenths of a second; an exit must not wait longer
# for a request that died.
ANSWER_SECONDS = 3.0

GOOD, REDIRECTED, BAD_REQUEST, TOO_MANY, SERVER_ERROR = 200, 300, 400, 429, 500


class Refusal(Exception):
    """Alpaca's own no, with its words: what was asked for was not done. Holds no request."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"status {status}: {words}")
        self.status, self.words = status, words


class SingleRequests:
    """What the client asks by, in place of its own session.

    That one has no time-out, and the client sends a request again after 429 and 504: an order
    whose fate is unknown is asked for by its id instead. Errors of `requests` hold the request
    with the keys in its headers; none leaves this class, not even as another one's context.
    """

    def __init__(
        self, name: str, keys: Iterable[str], connect_seconds: float, answer_seconds: float
    ) -> None:
        self._name, self._keys = name, tuple(keys)
        self._timeout = (connect_seconds, answer_seconds)
        self._session = requests.Session()

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """An answer that is good and whole; else raises `Refusal` or `BrokerUnavailable`."""
        response = self._sent(method, url, **options)
        status = response.status_code
        if status == TOO_MANY:
            raise BrokerUnavailable(f"{self._name}: too many requests: its rate limit is reached")
        if BAD_REQUEST <= status < SERVER_ERROR:
            raise self._refusal(response)
        if not GOOD <= status < REDIRECTED:
            raise BrokerUnavailable(f"{self._name}: status {status} in place of an answer")
        if response.content and not isinstance(_content(response), dict):
            raise BrokerUnavailable(f"{self._name}: an answer that is cut off or none of Alpaca's")
        return response

    def close(self) -> None:
        """Let go of connections."""
        self._session.close()

    def _sent(self, method: str, url: str, **options: Any) -> requests.Response:
        try:
            return self._session.request(method, url, timeout=self._timeout, **options)
        except requests.RequestException as error:
            what = type(error).__name__
        raise BrokerUnavailable(f"{self._name}: no whole answer ({what})")

    def _refusal(self, response: requests.Response) -> Exception:
        """A page of something in between tells nothing about what was asked for."""
        content, status = _content(response), response.status_code
        if not isinstance(content, dict) or not isinstance(content.get("message"), str):
            return BrokerUnavailable(f"{self._name}: status {status}, not in Alpaca's words")
        return Refusal(status, without_keys(content["message"], self._keys))


def _content(response: requests.Response) -> object:
    try:
        content: object = response.json()
    except ValueError:
        return None
    return content
