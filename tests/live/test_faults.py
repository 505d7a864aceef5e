"""Sessions under faults: never open after the cutoff, never an order twice, never a fill lost.

Each session is held against the exchange's own book, which no fault touches.
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import date
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from intraday_rl.agents.baselines import RandomPolicy
from intraday_rl.live.book import Purpose, SentOrder
from intraday_rl.trading.ledger import COSTS
from tests.live.conftest import Backtest, backtest_of
from tests.live.simulated.exchange import Faults
from tests.live.simulated.session import BarFaults, Scenario, Told, play

BARS = BarFaults(
    late=0.05, missing=0.03, twice=0.05, corrupt_first=0.03, corrupt_only=0.02,
    other_values_later=0.03,
)  # fmt: skip
ORDERS = Faults(
    rejected=0.05, partial=0.15, partial_stays=0.3, no_answer=0.05, not_arrived=0.05,
    arrives_late=0.03, query_fails=0.05, twice=0.2, slow_cancel=0.3,
)  # fmt: skip
EVERYTHING = Scenario(
    orders=ORDERS, bars=BARS, kills=20, outages=3, clock_steps=2, pauses=2, policy_raises=0.02,
    feed_breaks=0.02,
)  # fmt: skip
ONE_AT_A_TIME = {
    "nothing": Scenario(),
    "bars": Scenario(bars=BARS),
    "orders": Scenario(orders=ORDERS),
    "kills": Scenario(kills=20),
    "outages": Scenario(outages=10),
    "clock": Scenario(clock_steps=6, pauses=6),
    "policy and feed": Scenario(policy_raises=0.1, feed_breaks=0.1),
    "everything": EVERYTHING,
}
SESSIONS = 1_000
# Processes die here by an exception: nothing needs a disk, and syncing costs half the time.
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
HALF_DAY = date(2021, 11, 26)


@cache
def market() -> Backtest:
    return backtest_of(
        "data.start=2021-07-06", "data.end=2021-12-31", "windows=auto", "env/fees=us_dated",
        "windows.train_size=3 months", "windows.test_size=2 months",
        "windows.validation_sessions=20", "windows.allow_partial_last=true",
    )  # fmt: skip


@cache
def days() -> list[date]:
    """An ordinary week around a half day."""
    sessions = [stamp.date() for stamp in market().ledger["session"].unique()]
    place = sessions.index(HALF_DAY)
    return sessions[place - 4 : place + 4]


@cache
def trading_day(day: date):  # the account it opens with is the backtest's
    return market().day(day)


def played(seed: int, scenario: Scenario) -> Told:
    day = trading_day(days()[seed % len(days())])
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        # A policy that wants another position at every bar: most orders, most that can go wrong.
        policy = RandomPolicy(np.random.default_rng(seed))
        turns = bool(seed % 2)  # every other broker takes no order through zero
        return play(
            day, market().market, policy, replace(scenario, turns=turns), Path(folder), seed
        )


def wrong(told: Told) -> list[str]:
    """What must never be, as sentences; none if all is well."""
    book, exchange, ledger = told.book, told.exchange, told.closed.ledger
    found = []
    if told.open_after_cutoff_seconds:
        found.append(f"open for {told.open_after_cutoff_seconds} s after the cutoff")
    if exchange.true_position != 0.0 or book.position != 0.0:
        found.append(f"ends with {exchange.true_position} shares, book {book.position}")
    decided: dict[object, list[SentOrder]] = {}
    for sent in book.orders.values():
        if sent.purpose is Purpose.decision and sent.order.client_id in exchange.orders:
            decided.setdefault(sent.bar_end, []).append(sent)
    for bar_end, steps in decided.items():
        first, *others = steps
        if [one.order.shares for one in others] not in ([], [first.then]):
            found.append(f"the decision of {bar_end} was ordered twice: {steps}")
    if told.turned_by_exit:
        found.append("an exit went through zero")
    for client_id, booked in exchange.orders.items():
        if client_id not in book.orders:
            found.append(f"{client_id} is at the exchange and not in the journal")
        elif book.orders[client_id].filled != booked.filled:
            found.append(f"{client_id}: filled {booked.filled}, the journal has other shares")
        if abs(booked.filled) > abs(booked.order.shares):
            found.append(f"{client_id}: more was filled than ordered")
    if ledger is not None:
        found += _identities(ledger)
    return found


def _identities(ledger) -> list[str]:
    costs = ledger[list(COSTS)].sum(axis=1)
    checks = {
        "shares": (ledger["shares_before"] + ledger["shares_traded"] == ledger["shares_after"]),
        "net": np.isclose(ledger["net_pnl"], ledger["gross_pnl"] - costs, atol=1e-8),
        "equity": np.isclose(
            ledger["equity_after"] - ledger["equity_before"], ledger["net_pnl"], atol=1e-7
        ),
        "chain": ledger["equity_before"].iloc[1:].to_numpy()
        == ledger["equity_after"].iloc[:-1].to_numpy(),
        "flat": [ledger["shares_after"].iloc[-1] == 0.0],
    }
    return [f"ledger: {name}" for name, holds in checks.items() if not np.all(holds)]


@pytest.mark.parametrize("name", ["nothing", "everything"])
def test_a_session_under_faults_is_flat_at_the_cutoff_and_loses_nothing(name):
    told = played(3, ONE_AT_A_TIME[name])
    assert wrong(told) == []
    assert told.book.actions


def test_without_faults_the_exchange_sees_what_the_policy_wants():
    told = played(1, Scenario())
    assert len(told.book.actions) == 24
    assert not told.skipped
    assert told.leaving == "cutoff"
    assert told.exchange.orders


def _all_of(seeds: range, scenario: Scenario) -> tuple[Counter, list[tuple[int, list[str]]]]:
    happened: Counter[str] = Counter()
    failures = []
    for seed in seeds:
        told = played(seed, scenario)
        happened.update(told.happened)
        happened.update(f"skipped: {reason}" for reason in told.skipped.elements())
        happened[f"left: {told.leaving}"] += 1
        happened["orders"] += len(told.exchange.orders)
        if problems := wrong(told):
            failures.append((seed, problems))
    return happened, failures


@pytest.mark.slow("faults")
@pytest.mark.parametrize("name", list(ONE_AT_A_TIME))
def test_each_kind_of_fault_alone_does_no_harm(name):
    _, failures = _all_of(range(24), ONE_AT_A_TIME[name])
    assert failures == []


@pytest.mark.slow("faults")
def test_a_thousand_sessions_under_all_faults_are_flat_and_lose_nothing(record_property):
    workers = os.cpu_count() or 1
    parts = [range(first, SESSIONS, workers) for first in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(_all_of, parts, [EVERYTHING] * workers))
    happened = sum((counts for counts, _ in results), Counter())
    for what, count in sorted(happened.items()):
        print(f"| {what} | {count} |")
    assert [failure for _, failures in results for failure in failures] == []
    assert happened["killed"] > 10 * SESSIONS
    for fault in ("rejected", "partial fill", "no answer", "arrived late", "answered twice"):
        assert happened[fault] > 100, fault


@pytest.mark.slow("faults")
def test_without_a_lead_the_exit_is_late_only_by_what_the_broker_takes():
    """Sent at the cutoff itself, an exit that is refused or unanswered is repeated each second."""
    scenario = replace(EVERYTHING, exit_lead_seconds=0.0)
    late = []
    for seed in range(100):
        told = played(seed, scenario)
        late.append(told.open_after_cutoff_seconds)
        others = [text for text in wrong(told) if "after the cutoff" not in text]
        assert others == []
    print(f"open after the cutoff: {np.quantile(late, [0.5, 0.9, 1.0])} seconds")
    assert max(late) <= 60.0
