"""Asking a vendor again: what passes by itself is waited for, a bounded number of times."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential, wait_random

from intraday_rl.collecting.vendors.vendor import VendorError

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

# A shorter wait is nothing that anybody wonders about.
SAID_FROM_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a vendor is waited for.

    | field | unit | meaning |
    |---|---|---|
    | `timeout_seconds` | seconds | without a byte, after which a request is given up |
    | `tries` | | how often one request is made in all |
    | `first_wait_seconds` | seconds | before the second try; doubles from try to try |
    | `longest_wait_seconds` | seconds | also where the vendor asks for more |
    """

    timeout_seconds: float = 30.0
    tries: int = 8
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 120.0


class Passing(Exception):
    """A failure that may pass by itself; `wait_seconds` is what the vendor asks for, if it does.

    The text holds no address and no key.
    """

    def __init__(self, what: str, wait_seconds: float | None = None) -> None:
        super().__init__(what)
        self.wait_seconds = wait_seconds


def patiently(vendor: str, patience: Patience, ask: Callable[[], Answer]) -> Answer:
    """The answer of `ask`, asked again while it raises `Passing`; then `VendorError`."""
    first, longest = patience.first_wait_seconds, patience.longest_wait_seconds
    grows = wait_exponential(multiplier=first, max=longest) + wait_random(0.0, first)

    def wait(state: RetryCallState) -> float:
        asked_for = _failure(state).wait_seconds or 0.0
        return min(max(asked_for, grows(state)), longest)

    def say(state: RetryCallState) -> None:
        seconds = state.next_action.sleep if state.next_action else 0.0
        if seconds >= SAID_FROM_SECONDS:
            logger.info("%s: %s; asking again in %.0f s", vendor, _failure(state), seconds)

    retrying = Retrying(
        retry=retry_if_exception_type(Passing),
        stop=stop_after_attempt(patience.tries),
        wait=wait,
        before_sleep=say,
        reraise=True,
    )
    try:
        return retrying(ask)
    except Passing as last:
        what = str(last)
    # Raised outside of the handler: nothing of the client's own errors hangs on it.
    raise VendorError(
        f"{vendor}: {what}, {patience.tries} times; type the same command again later: finished "
        "months are kept"
    )


def _failure(state: RetryCallState) -> Passing:
    failure = state.outcome.exception() if state.outcome else None
    assert isinstance(failure, Passing)
    return failure
