"""Options of sessions reach them from the command line, or are refused by their key."""

from __future__ import annotations

from functools import reduce

import pytest

from intraday_rl.config import compose_plan
from intraday_rl.entry.serving import _anchored, _clock_words
from intraday_rl.errors import ConfigError
from intraday_rl.live.clock import clock_of
from intraday_rl.tasks import BrokerKind, FeedKind, Rehearsal

LIVE = (
    "task=paper", "task.model=latest", "task.agent=alpha", "task.feed=file",
    "task.feed_folder=bars", "task.feed_bar_label=end",
)  # fmt: skip
GIVEN = {
    "task.agent": ("beta", "beta"),
    "task.broker": ("alpaca", BrokerKind.alpaca),
    "task.feed_folder": ("elsewhere", "elsewhere"),
    "task.feed_bar_minutes": ("5", 5),
    "task.feed_timezone": ("America/New_York", "America/New_York"),
    "task.bar_grace_seconds": ("7.5", 7.5),
    "task.late_decision_seconds": ("31", 31.0),
    "task.bridge_ttl_seconds": ("3", 3.0),
    "task.exit_lead_seconds": ("60", 60.0),
    "task.flatten": ("true", True),
    "task.risk.max_position": ("0.5", 0.5),
    "task.risk.max_notional_usd": ("25000", 25_000.0),
    "task.risk.max_orders_per_minute": ("2", 2),
    "task.risk.daily_loss_limit": ("0.02", 0.02),
    "task.risk.max_columns_at_bound": ("0.1", 0.1),
    "task.risk.max_overnight_jump": ("0.2", 0.2),
    "task.clock.start": ("'2022-03-14 09:20'", "2022-03-14 09:20"),
    "task.clock.anchor": ("'2026-01-02T03:04:05+00:00'", "2026-01-02T03:04:05+00:00"),
    "task.clock.speed": ("120", 120.0),
}
# key and value -> what the message must say
REFUSED = {
    "task.feed_bar_label=null": "say which end of a bar its stamp names",
    "task.feed_folder=null": "name the folder in which the bars grow",
    "task.agent=null": "needs the agent's name",
    "task.agent=../x": "small letters, digits and dashes",
    "task.feed=replay": "a replay needs the session's date",
    "task.broker=alpaca_real": "task.i_accept_real_orders=true",
    "task.risk.daily_loss_limit=0": "must be a number in (0, 1]",
    "task.risk.max_orders_per_minute=0": "must be a number in [1, 1000]",
    "task.clock.start=noon": "must be a time",
    "task.clock.start=NaT": "must be a time",
    "task.clock.start='2021-03-14 02:30'": "that the clocks show once",
    "task.clock.start='2021-11-07 01:30'": "that the clocks show once",
    "task.clock.speed=0": "must be a number in (0, 1e+06]",
    "task.exit_lead_seconds=3601": "must be a number in [0, 600]",
}


@pytest.mark.slow("paper")
@pytest.mark.parametrize("key", GIVEN)
def test_an_option_reaches_the_session(key):
    text, value = GIVEN[key]
    plan = compose_plan([*LIVE, f"{key}={text}"])
    assert reduce(getattr, key.split("."), plan) == value


@pytest.mark.parametrize("word", REFUSED)
def test_a_value_that_cannot_be_is_refused_by_its_key(word):
    with pytest.raises(ConfigError) as refused:
        compose_plan([*LIVE, word])
    assert REFUSED[word] in str(refused.value)
    key = "task.day" if word == "task.feed=replay" else word.partition("=")[0]
    assert refused.value.key == key


def test_a_replay_is_no_session_of_an_agent():
    words = [*LIVE, "task.feed=replay", "task.day='2022-03-14'"]
    with pytest.raises(ConfigError, match=r"task\.agent=\S+: a replay has an account of its own"):
        compose_plan(words)


def test_real_orders_are_accepted_by_an_option_of_their_own():
    words = [*LIVE, "task.broker=alpaca_real", "task.i_accept_real_orders=true"]
    assert compose_plan(words).task.broker is BrokerKind.alpaca_real


def test_a_server_hands_its_clock_and_its_files_to_the_sessions():
    plan = compose_plan(
        [
            "task=serve", "task.agents=false", "task.feed_folder=bars", "task.feed_bar_minutes=15",
            "task.feed_bar_label=start", "task.feed_timezone=America/New_York",
            "task.clock.start='2022-03-14 09:20'", "task.clock.speed=60",
        ]
    )  # fmt: skip
    task = plan.task
    assert (task.agents, task.feed_folder, task.feed_bar_minutes) == (False, "bars", 15)
    assert (task.feed_bar_label.name, task.feed_timezone) == ("start", "America/New_York")
    shared = _anchored(task.clock)
    assert shared.anchor is not None
    session = compose_plan([*LIVE, *_clock_words(shared)]).task
    assert session.clock == shared
    apart = abs(clock_of(session.clock).now() - clock_of(shared).now())
    assert apart.total_seconds() < 60.0  # a second of the machine's, in fast time


def test_an_anchor_that_is_given_stays():
    given = Rehearsal(start="2022-03-14 09:20", anchor="2026-01-02T03:04:05+00:00")
    assert _anchored(given) == given
    assert _clock_words(Rehearsal()) == []
    assert (
        FeedKind.replay
        is compose_plan(["task=paper", "task.model=x", "task.day='2022-03-14'"]).task.feed
    )
