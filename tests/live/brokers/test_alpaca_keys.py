"""Keys of an account are in the environment and in the requests; nowhere else, whatever happens."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from intraday_rl.errors import IntradayRLError
from intraday_rl.vendor_keys import without_keys
from tests.live.brokers.conftest import KEY, SECRET, UNKNOWN, order

if TYPE_CHECKING:
    from tests.live.brokers.alpaca_server import AlpacaServer, Fault
else:
    pytest.importorskip("alpaca")
    from tests.live.brokers.alpaca_server import Fault

pytestmark = pytest.mark.slow("live")

ECHO = f"what are {KEY} and {SECRET} to you?"
ECHOES = {str(status): {"answer": (status, {"message": ECHO})}
          for status in (400, 401, 403, 404, 409, 418, 422, 429, 500)}  # fmt: skip
FAILURES = {"nothing wrong": {"done": True}, **UNKNOWN, **ECHOES}


def all_of(error: BaseException) -> str:
    """An exception and what hangs on it, as anything might show it."""
    texts, waiting, seen = [], [error], []
    while waiting:
        one = waiting.pop()
        seen.append(one)
        texts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        texts += traceback.format_exception(one)
        # What libraries hang on their errors: the request, with the keys in its headers.
        texts += [repr(vars(held)) for held in vars(one).values() if hasattr(held, "__dict__")]
        hanging = (one.__context__, one.__cause__)
        waiting += [other for other in hanging if other is not None and other not in seen]
    return "\n".join(texts)


def assert_nowhere(*texts: str) -> None:
    for text in texts:
        for secret in (KEY, SECRET):
            assert secret[:9] not in text
            assert secret[-9:] not in text


@pytest.fixture
def shown(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Callable[[], tuple[str, ...]]:
    """Every line that any library has logged or printed, at its most talkative."""
    caplog.set_level(logging.DEBUG)

    def texts() -> tuple[str, ...]:
        records = "\n".join(repr(vars(record)) for record in caplog.records)
        return (caplog.text, records, *capfd.readouterr())

    return texts


@pytest.mark.parametrize("how", FAILURES)
def test_a_key_is_nowhere_after_each_kind_of_failure(
    server: AlpacaServer, connect, shown, how: str
) -> None:
    broker = connect()
    errors: list[BaseException] = []
    asks: list[Callable[[], object]] = [
        lambda: broker.submit(order(1.0)), lambda: broker.submit(order(-0.5, "agent-002")),
        lambda: broker.find("agent-001"), lambda: broker.cancel("agent-001"),
        broker.position, broker.check,
    ]  # fmt: skip
    for ask in asks:
        server.faults.append(Fault(**FAILURES[how]))
        try:
            ask()
        except IntradayRLError as error:
            errors.append(error)
    assert errors  # one order is refused before it is sent
    assert not any("\n" in str(error) for error in errors)
    broker.close()
    texts = shown()
    assert "urllib3" in texts[0]
    assert_nowhere(*map(all_of, errors), repr(broker), str(broker), *texts)


def test_a_key_is_nowhere_after_a_stream_that_comes_goes_and_repeats_it(
    server: AlpacaServer, connect, shown
) -> None:
    broker = connect()
    broker.listen()
    assert server.listened()
    server.hang_up()
    assert server.listened(visits=2)
    server.hang_up(ECHO)
    assert server.listened(visits=3)
    server.authorizes = False
    server.hang_up()
    assert server.visited(4)
    begun = time.monotonic()
    broker.close()
    assert time.monotonic() - begun < 3.0
    texts = shown()
    assert "what are *** and *** to you?" in texts[0]
    assert "failed to authenticate" in texts[0]
    assert_nowhere(*texts)


def test_a_key_that_begins_with_another_is_covered_whole() -> None:
    assert without_keys("AK1 and AK1-secret", ("AK1", "AK1-secret")) == "*** and ***"


def test_a_mistaken_key_is_not_shown(connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APCA_API_SECRET_KEY", f"{SECRET}\nof two lines")
    with pytest.raises(IntradayRLError, match="APCA_API_SECRET_KEY") as caught:
        connect()
    assert_nowhere(all_of(caught.value))
