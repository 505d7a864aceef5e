"""Alpaca's own client against its protocol on loopback: whatever breaks is said, and mended."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from intraday_rl.errors import ConfigError
from intraday_rl.live.feeds.feed import DayBars
from intraday_rl.live.feeds.session import SessionIntake
from tests.collecting.vendors.serving import Reply
from tests.live.feeds.conftest import (
    ORDINARY,
    assert_same,
    at,
    day_of_bars,
    intake_of,
    read_whole,
    rows_of,
)

pytestmark = pytest.mark.slow("live")

DAY, OTHER = day_of_bars(ORDINARY), day_of_bars(ORDINARY, seed=1)
ROWS, OTHER_ROWS = rows_of(DAY), rows_of(OTHER)
Until = Callable[[DayBars], bool]


@dataclass
class Place:
    """The feed, both servers, and what the feed has said so far."""

    feed: Any
    stream: Any
    bars: Any
    said: list[str] = field(default_factory=list)

    def listen(self, now: pd.Timestamp, until: Callable[[DayBars, list[str]], bool]) -> DayBars:
        """Ask what is known at `now` until it is as wanted."""
        deadline = time.monotonic() + 40
        while True:
            known = self.feed.known(now)
            self.said += known.findings
            if until(known, self.said):
                return known
            assert time.monotonic() < deadline, (self.said, len(known.symbol.frame))
            self.feed.wait(0.2)

    def until_said(self, words: str, now: pd.Timestamp) -> DayBars:
        return self.listen(now, lambda known, said: any(words in one for one in said))

    def until_bars(self, count: int, now: pd.Timestamp) -> DayBars:
        return self.listen(now, lambda known, said: len(known.symbol.frame) >= count)

    def asked_through(self, minute: str) -> int:
        """How many requests asked for bars up to the one of this minute (UTC)."""
        return sum(f"T{minute}:" in asked.params["end"] for asked in self.bars.asked)

    def until_opening(self, boundary: str, now: pd.Timestamp) -> None:
        self.listen(now, lambda known, said: self.feed.opening(at(boundary), now) is not None)


def session_of(benchmark: str | None = None, **changed: object) -> SessionIntake:
    other = None if benchmark is None else intake_of(symbol=benchmark, **changed)
    return SessionIntake(intake_of(**changed), other)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    pytest.importorskip("alpaca")
    from intraday_rl.live.feeds import alpaca_day
    from tests.live.feeds.alpaca_serving import KEY, SECRET, BarsServer, StreamServer

    monkeypatch.setattr(alpaca_day, "TIMEOUT_SECONDS", (1.0, 1.0))
    with StreamServer() as stream, BarsServer() as bars:
        monkeypatch.setenv("INTRADAY_RL_ALPACA_URL", bars.url)
        monkeypatch.setenv("INTRADAY_RL_ALPACA_DATA_STREAM_URL", stream.url)
        monkeypatch.setenv("APCA_API_KEY_ID", KEY)
        monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
        yield stream, bars


@pytest.fixture
def opened(servers: tuple[Any, Any]) -> Iterator[Callable[..., Place]]:
    from intraday_rl.live.feeds.alpaca import AlpacaFeed

    feeds: list[AlpacaFeed] = []

    def make(benchmark: str | None = None, mood: str = "welcome") -> Place:
        stream, bars = servers
        stream.mood = mood
        feeds.append(AlpacaFeed(session_of(benchmark)))
        if mood == "welcome":
            stream.wait_for_subscription(1)
        return Place(feeds[-1], stream, bars)

    yield make
    for feed in feeds:
        feed.close()
        assert not feed.alive


def send(place: Place, *rows: tuple, symbol: str = "SPY", kind: str = "b") -> None:
    from tests.live.feeds.alpaca_serving import sent_bar

    place.stream.send(*(sent_bar(symbol, row, kind) for row in rows))


def whole(folder: Path, frame: pd.DataFrame = DAY) -> Any:
    frame.to_parquet(folder / "SPY.parquet")
    return read_whole(folder / "SPY.parquet")


def test_a_day_by_the_stream_is_the_day_read_whole(opened: Any, tmp_path: Path) -> None:
    place = opened("QQQ")
    assert place.stream.subscribed == [
        {"bars": ["SPY", "QQQ"], "updatedBars": ["SPY", "QQQ"], "action": "subscribe"}
    ]
    for first in range(0, 390, 15):
        send(place, *OTHER_ROWS[first : first + 15], symbol="QQQ")
        send(place, *ROWS[first : first + 15])
        place.bars.rows = {"SPY": ROWS[: first + 15], "QQQ": OTHER_ROWS[: first + 15]}
        now = ROWS[first + 14][0] + pd.Timedelta(minutes=1)
        known = place.until_bars(first // 15 + 1, now)
    assert place.said == []
    wanted = whole(tmp_path)
    assert_same(known.symbol, wanted)
    assert_same(known.benchmark, whole(tmp_path, OTHER))
    assert place.feed.opening(at("10:00"), now) == (at("10:00"), ROWS[30][1])


def test_the_day_so_far_is_fetched_at_the_start_page_by_page(opened: Any) -> None:
    place = opened("QQQ")
    place.bars.page_rows = 7
    place.bars.rows = {"SPY": ROWS, "QQQ": OTHER_ROWS}
    known = place.until_bars(4, at("10:32:30"))
    assert len(known.benchmark.frame) == 4
    assert place.said == []
    assert len(place.bars.asked) == math.ceil(2 * 62 / 7)
    assert {asked.params["end"] for asked in place.bars.asked} == {"2021-11-24T15:31:00+00:00"}
    place.until_opening("10:30", at("10:32:30"))


@pytest.mark.parametrize("how", ["broken line", "garbage", "text", "a list of no bars"])
def test_what_a_disturbance_loses_is_fetched(how: str, opened: Any) -> None:
    place = opened()
    place.bars.rows = {"SPY": ROWS[:10]}
    send(place, *ROWS[:10])
    place.until_opening("9:30", at("9:40"))
    asked = len(place.bars.asked)
    place.bars.rows = {"SPY": ROWS[:15]}
    if how == "broken line":
        place.listen(at("9:45"), lambda known, said: place.asked_through("14:44") == 1)
        place.stream.drop()
        place.until_said("is down since 09:45:00", at("9:45"))
        place.stream.wait_for_subscription(2)
        place.until_said("is up again: it was down from 09:45:00 to 09:45:01", at("9:45:01"))
        # The next request but for the reconnect would be made seconds later.
        place.listen(at("9:45:01"), lambda known, said: place.asked_through("14:44") == 2)
    elif how == "garbage":
        place.stream.send_raw(b"\xc1\xff\x00garbage")
        place.until_said("not understood", at("9:45"))
    elif how == "text":
        place.stream.send_raw("no msgpack")
        place.until_said("not understood", at("9:45"))
    else:
        place.stream.send_raw(bytes([0x93, 1, 0xC0, 0xA1, 65]))
        place.until_said("not understood", at("9:45"))
    known = place.until_bars(1, at("9:45:12"))
    assert known.symbol.frame["close"].iloc[0] == ROWS[14][4]
    assert len(place.bars.asked) > asked
    send(place, ROWS[15])  # the stream goes on
    place.until_opening("9:45", at("9:46"))


def test_a_minute_that_does_not_come_is_asked_for(opened: Any) -> None:
    place = opened()
    place.feed.known(at("9:31"))
    send(place, *ROWS[:14])
    place.bars.rows = {"SPY": ROWS[:14]}
    place.until_opening("9:30", at("9:44:01"))
    place.bars.rows = {"SPY": ROWS[:15]}
    known = place.until_bars(1, at("9:45:14"))  # before the grace is over
    assert known.symbol.frame["close"].iloc[0] == ROWS[14][4]
    assert place.said == []


def test_a_minute_without_a_trade_is_not_asked_for_for_ever(opened: Any) -> None:
    place = opened()
    place.bars.rows = {"SPY": ROWS[:5] + ROWS[6:15]}
    place.until_opening("9:30", at("9:37"))
    known = place.until_bars(1, at("9:46"))  # one request more, by then the minute is settled
    send(place, *ROWS[15:20])
    place.until_opening("9:45", at("9:50"))
    asked = len(place.bars.asked)
    for seconds in range(2, 60, 4):
        place.feed.known(at("9:50") + pd.Timedelta(seconds=seconds))
        place.feed.wait(0.1)
    assert place.said == []
    assert len(known.symbol.frame) == 1
    assert len(place.bars.asked) <= asked + 1


def test_out_of_order_repeated_and_corrupt_bars_leave_the_day_as_it_is(
    opened: Any, tmp_path: Path
) -> None:
    from tests.live.feeds.alpaca_serving import sent_bar

    place = opened()
    good, corrupt = ROWS[:30], []
    for number, (start, open_, high, low, close, volume) in enumerate(ROWS[:6]):
        broken = [
            (start, open_, low, high, close, volume), (start, -open_, high, low, close, volume),
            (start, open_, high, low, math.nan, volume), (start, open_, high, low, close, -1.0),
            (start, open_, high, low, 5 * close, volume), (start, open_, high, low, close, 1e16),
        ]  # fmt: skip
        corrupt.append(broken[number])
    send(place, *corrupt)
    send(place, *good[::-1], *good[3:9])
    for change in ({"o": "1"}, {"o": None}, {"t": 5}, {"t": "soon"}, {"v": [1]}, {"h": True}):
        place.stream.send(sent_bar("SPY", ROWS[31]) | change)
    lacking = sent_bar("SPY", ROWS[31])
    del lacking["c"]
    place.stream.send(lacking, {"T": "b"}, {"T": "b", "S": "XYZ"}, {"T": "z", "S": "SPY"})
    known = place.until_bars(2, at("10:00"))
    assert_same(known.symbol, whole(tmp_path, DAY.head(30)))
    left_out = [one for one in place.said if one.endswith("the bar is left out")]
    assert len(left_out) == 6, place.said
    place.until_said("a bar is not understood (KeyError)", at("10:00"))
    place.until_said("a bar is not understood (TypeError)", at("10:00"))


def test_a_correction_counts_until_its_bar_was_used(opened: Any) -> None:
    from tests.live.feeds.alpaca_serving import sent_bar

    place = opened()
    start, open_, high, low, _, volume = ROWS[14]
    corrected = sent_bar("SPY", (start, open_, high, low, low, volume), "u")
    place.stream.send(*(sent_bar("SPY", row) for row in ROWS[:15]), corrected)
    known = place.until_bars(1, at("9:45"))
    assert known.symbol.frame["close"].tolist() == [low]
    send(place, (start, open_, high, low, high, volume), kind="u")
    known = place.until_said("SPY 09:44: is corrected after it was used", at("9:45:01"))
    assert known.symbol.frame["close"].tolist() == [low]


REFUSALS = {
    "refused": "the keys are refused: auth failed: *** ***; check APCA_API_KEY_ID and APCA_API",
    "no right": "insufficient subscription",
    "rude": "is down since 09:45:00",
    "gone": "is down since 09:45:00",
}


@pytest.mark.parametrize("mood", REFUSALS)
def test_without_its_stream_the_day_comes_by_request(mood: str, opened: Any) -> None:
    place = opened(mood=mood)
    place.bars.rows = {"SPY": ROWS[:15]}
    place.until_said(REFUSALS[mood], at("9:45"))
    place.until_bars(1, at("9:45:12"))
    place.bars.rows = {"SPY": ROWS[:30]}
    known = place.until_bars(2, at("10:00:12"))
    assert known.symbol.frame["close"].iloc[1] == ROWS[29][4]
    if mood == "no right":
        place.until_said("it has ended and is not tried again", at("10:00:12"))


def test_a_server_that_never_greets_is_given_up(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from intraday_rl.live.feeds import alpaca_stream

    monkeypatch.setattr(alpaca_stream, "GREETING_SECONDS", 0.2)
    place = opened(mood="mute")
    place.until_said("is down since 09:31:00 (no greeting within 0.2 s)", at("9:31"))
    place.stream.mood = "welcome"
    place.until_said("is up again", at("9:32"))


FAILURES = {
    "busy": (Reply({"message": "too many requests."}, 429), "status 429: too many requests."),
    "status 500": (Reply({"message": "internal server error"}, 500), "status 500: internal"),
    "a page": (Reply("<html>Service Unavailable</html>", 503), "status 503: no reason given"),
    "silent": (Reply({}, silent=True), "no whole answer: ReadTimeout"),
    "cut off": (Reply({"bars": {"SPY": [1] * 500}}, cut=True), "no whole answer: "),
    "no JSON": (Reply('{"bars": {"SPY": ['), "no whole answer: JSONDecodeError"),
    "a list": (Reply([1]), "no whole answer: "),
    "bars of nothing": (Reply({"bars": {"SPY": 5}, "next_page_token": None}), "answer"),
    "forbidden": (
        Reply({"message": "forbidden."}, 403),
        "the keys are refused: status 403: forbidden.; check APCA_API_KEY_ID",
    ),
}


@pytest.mark.parametrize("how", FAILURES)
def test_a_request_that_fails_is_said_once_and_made_again(how: str, opened: Any) -> None:
    reply, words = FAILURES[how]
    place = opened()
    place.bars.faults += [reply, reply]
    place.bars.rows = {"SPY": ROWS[:15]}
    place.until_said("is down since 09:44:00", at("9:44"))
    assert any(words in one for one in place.said), place.said
    place.listen(at("9:44:11"), lambda known, said: not place.bars.faults)
    place.until_bars(1, at("9:45:22"))
    place.until_said("the day so far is up again", at("9:45:22"))
    assert len([one for one in place.said if "is down since" in one]) == 1, place.said


def test_an_answer_of_bars_that_are_none_is_no_exception(opened: Any) -> None:
    place = opened()
    strange = [1, None, {}, {"t": 1}, {"t": "2021-11-24T14:30:00Z", "o": "x"}]
    place.bars.faults.append(Reply({"bars": {"SPY": strange}, "next_page_token": None}))
    place.bars.rows = {"SPY": ROWS[:15]}
    place.until_said("a bar is not understood", at("9:44"))
    place.until_bars(1, at("9:45:12"))


def test_keys_are_in_no_finding_and_no_log(
    opened: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from tests.live.feeds.alpaca_serving import KEY, SECRET

    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET + "x")
    place = opened(mood="refused")
    place.until_said("alpaca's stream of bars is down", at("9:44"))
    place.until_said("the day so far is down", at("9:44"))
    place.feed.close()
    shown = "\n".join([*place.said, caplog.text, *capfd.readouterr()])
    assert "***" in shown
    for secret in (KEY, SECRET):
        assert secret not in shown
    assert f"{SECRET}x"[-6:].encode().hex(" ") not in shown  # as a log of bytes would have it


@pytest.mark.parametrize("name", ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY"])
def test_missing_keys_are_refused_at_once(
    name: str, servers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from intraday_rl.live.feeds.alpaca import AlpacaFeed

    monkeypatch.delenv(name)
    before = threading.active_count()
    with pytest.raises(ConfigError, match=name):
        AlpacaFeed(session_of())
    assert threading.active_count() == before


def test_what_alpaca_does_not_send_is_refused_at_once(servers: Any) -> None:
    from intraday_rl.live.feeds.alpaca import AlpacaFeed

    with pytest.raises(ConfigError, match="feed_bar_minutes=5"):
        AlpacaFeed(session_of(feed_bar_minutes=5))
    with pytest.raises(ConfigError, match="data_feed=otc"):
        AlpacaFeed(session_of(), "otc")


@pytest.mark.parametrize("mood", ["welcome", "mute", "refused", "gone", "rude"])
def test_closing_ends_the_threads_within_seconds(mood: str, opened: Any) -> None:
    place = opened(mood=mood)
    place.feed.known(at("9:20"))
    if mood in ("refused", "gone", "rude"):
        place.until_said("is down since", at("9:20"))
    begun = time.monotonic()
    place.feed.close()
    assert not place.feed.alive
    assert time.monotonic() - begun < 3.0
    place.feed.close()
    assert place.feed.known(at("9:45")).symbol.frame.empty


def test_closing_does_not_wait_for_a_request_without_an_answer(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = opened()
    place.bars.faults.append(Reply({}, silent=True))
    place.listen(at("9:44"), lambda known, said: bool(place.bars.asked))
    begun = time.monotonic()
    place.feed.close()
    assert time.monotonic() - begun < 3.0
    place.until_said("the day so far is down", at("9:44"))  # its end frees the thread
