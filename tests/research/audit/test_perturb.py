"""Scrambled bars agree with the past in every bit and with the future in none."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intraday_rl.market.bars import PRICES
from intraday_rl.market.calendar import nanoseconds
from intraday_rl.market.sources import load
from intraday_rl.market.synthetic import SyntheticData
from intraday_rl.research.audit.knowledge import Numbers, at_close, at_open, spell
from intraday_rl.research.audit.perturb import nudged, scrambled_market, truncated

MARKET = load(SyntheticData(start="2021-11-01", end="2021-11-30"), "TQQQ", "QQQ")
ENDS = nanoseconds(MARKET.symbol.frame["bar_end"])


@settings(max_examples=25, deadline=None)
@given(row=st.integers(0, len(ENDS) - 2), opened=st.booleans(), seed=st.integers(0, 99))
def test_what_is_known_stays_and_everything_else_moves(row, opened, seed):
    instant = int((at_open if opened else at_close)(ENDS)[row])
    other = scrambled_market(MARKET, instant, seed)
    for before, after in ((MARKET.symbol, other.symbol), (MARKET.benchmark, other.benchmark)):
        for name in (*PRICES, "volume"):
            ours, theirs = before.frame[name].to_numpy(), after.frame[name].to_numpy()
            assert np.array_equal(ours[: row + 1], theirs[: row + 1])
            # At its open a bar has shown its open and nothing more; a night lies between sessions.
            shown = opened and name == "open" and at_open(
                nanoseconds(before.frame["bar_start"]))[row + 1] <= instant  # fmt: skip
            assert (ours[row + 1] == theirs[row + 1]) == shown
            assert (ours[row + 2 :] != theirs[row + 2 :]).all()
        frame = after.frame
        assert (frame["high"] >= frame[["open", "low", "close"]].max(axis=1)).all()
        assert (frame["low"] <= frame[["open", "high", "close"]].min(axis=1)).all()


def test_a_nudge_moves_one_price_of_one_bar_and_its_range_only():
    frame = nudged(MARKET.symbol, 7, ("open",)).frame
    moved = (frame[[*PRICES, "volume"]] != MARKET.symbol.frame[[*PRICES, "volume"]]).to_numpy()
    assert set(np.argwhere(moved)[:, 0]) == {7}
    assert set(np.argwhere(moved)[:, 1]) <= {0, 1, 2}
    assert frame["high"][7] >= frame["open"][7]


def test_a_truncated_market_ends_with_its_last_session():
    early = truncated(MARKET, date(2021, 11, 12))
    assert early.symbol.session_index()[-1].date() == date(2021, 11, 12)
    assert early.benchmark.session_index()[-1].date() == date(2021, 11, 12)


def test_at_one_time_a_bar_closes_before_the_next_opens():
    at = np.array([ENDS[3]])
    assert at_close(at)[0] < at_open(at)[0] < at_close(at + 1)[0]
    assert spell(int(at_close(at)[0])) == "2021-11-01 10:30 New York, at the close"
    assert spell(int(at_open(at)[0])) == "2021-11-01 10:30 New York, at the open"


@pytest.mark.parametrize(
    ("other", "count", "first"),
    [([1.0, 2.0, np.nan], 3, None), ([1.0, 2.5, 0.0], 1, None), ([1.0, 2.5, 0.0], 3, 1),
     ([1.0], 3, 1), ([-0.0], 1, 0)],
)  # fmt: skip
def test_a_difference_is_a_difference_in_any_bit(other, count, first):
    time = np.arange(3)
    numbers = Numbers("fill", "price", np.array([1.0, 2.0, np.nan]), time, at_close(time))
    assert numbers.first_difference(np.array(other), count) == first
