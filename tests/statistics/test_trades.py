from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intraday_rl.errors import DataError
from intraday_rl.statistics.trades import (
    LedgerColumns,
    exposure,
    round_trips,
    summarise_trades,
)


def _ledger(sessions: list[list[int]], prices: list[list[float]], **costs: float) -> pd.DataFrame:
    """Ledger rows from the shares held after each row; the last row of a session is its exit."""
    rows, equity = [], 100_000.0
    for day, (held, price) in enumerate(zip(sessions, prices, strict=True)):
        before = 0
        session = pd.Timestamp("2021-01-04") + pd.Timedelta(days=day)
        start = session.tz_localize("America/New_York") + pd.Timedelta(hours=9, minutes=45)
        for step, after in enumerate(held):
            traded = abs(after - before)
            following = price[min(step + 1, len(price) - 1)]
            gross = after * (following - price[step])
            parts = {
                name: costs.get(name, 0.0) * traded
                for name in ("commission", "fees", "slippage", "impact")
            }
            financing = costs.get("financing", 0.0) * abs(after)
            net = gross - sum(parts.values()) - financing
            rows.append(
                {
                    "session": session,
                    "bar_end": (start + pd.Timedelta(minutes=15 * step)).tz_convert("UTC"),
                    "price": price[step],
                    "shares_before": before,
                    "shares_after": after,
                    "gross_pnl": gross,
                    "financing": financing,
                    "equity_before": equity,
                    "net_pnl": net,
                    **parts,
                }
            )
            equity, before = equity + net, after
    return pd.DataFrame(rows)


def test_adding_and_trimming_stay_inside_one_round_trip():
    frame = _ledger([[10, 20, 5, 0, 0]], [[100.0, 101.0, 103.0, 102.0, 102.0]], commission=0.01)
    trips = round_trips(LedgerColumns.from_frame(frame))
    assert len(trips) == 1
    assert (trips.open_row[0], trips.close_row[0], trips.side[0]) == (0, 3, 1)
    assert trips.holding_minutes.tolist() == [45.0]
    assert trips.net_pnl[0] == pytest.approx(10 + 40 - 5 - 0.01 * (10 + 10 + 15 + 5))


def test_a_reversal_ends_one_trip_and_begins_another_and_shares_its_costs():
    frame = _ledger([[10, -30, 0]], [[100.0, 101.0, 99.0]], fees=0.02)
    trips = round_trips(LedgerColumns.from_frame(frame))
    assert trips.side.tolist() == [1, -1]
    assert trips.holding_minutes.tolist() == [15.0, 15.0]
    assert trips.net_pnl.tolist() == pytest.approx([10 - 0.02 * 20, 60 - 0.02 * 60])


def test_a_session_without_a_trade_has_nothing_to_divide_by():
    summary = summarise_trades(LedgerColumns.from_frame(_ledger([[0, 0, 0]], [[1.0, 2.0, 3.0]])))
    assert summary.round_trips == 0
    assert summary.hit_rate is None
    assert summary.mean_holding_minutes is None
    assert summary.cost_share_of_gross is None
    assert summary.cost_bps_of_turnover is None
    assert (summary.exposure, summary.turnover_per_session) == (0.0, 0.0)


def test_the_summary_is_worked_by_hand():
    frame = _ledger(
        [[100, 100, 0], [0, -50, 0]],
        [[100.0, 101.0, 102.0], [102.0, 102.0, 104.0]],
        slippage=0.01,
    )
    summary = summarise_trades(LedgerColumns.from_frame(frame))
    assert (summary.round_trips, summary.long_trips, summary.short_trips) == (2, 1, 1)
    assert summary.hit_rate == 0.5
    assert summary.gross_pnl_usd == pytest.approx(200 - 100)
    assert summary.cost_usd == pytest.approx(3.0)
    assert summary.cost_share_of_gross == pytest.approx(0.03)
    notional = 100 * 100 + 100 * 102 + 50 * 102 + 50 * 104
    assert summary.traded_notional_usd == pytest.approx(notional)
    assert summary.cost_bps_of_turnover == pytest.approx(1e4 * 3 / notional)
    second_start = 100_000 + 200 - 2
    expected = (20_200 / 100_000 + 10_300 / second_start) / 2
    assert summary.turnover_per_session == pytest.approx(expected)
    assert summary.exposure == pytest.approx(45 / 60)
    assert (summary.mean_holding_minutes, summary.median_holding_minutes) == (22.5, 22.5)


def test_a_trip_whose_price_did_not_move_is_no_hit():
    frame = _ledger([[7, 0], [7, 0]], [[33.3, 33.3], [0.1, 0.3]])
    assert summarise_trades(LedgerColumns.from_frame(frame)).hit_rate == 0.5


def test_a_position_still_open_at_the_end_is_no_round_trip():
    frame = _ledger([[5, 0, 5]], [[1.0, 2.0, 3.0]])
    assert len(round_trips(LedgerColumns.from_frame(frame))) == 1


def test_rows_of_several_seeds_or_with_holes_are_refused():
    frame = _ledger([[5, 5, 0]], [[1.0, 2.0, 3.0]])
    with pytest.raises(DataError, match="one seed"):
        LedgerColumns.from_frame(pd.concat([frame, frame]))
    with pytest.raises(DataError, match=r"shares_before\[1\]"):
        LedgerColumns.from_frame(frame.assign(shares_before=[0, 4, 5]))
    with pytest.raises(DataError, match="starts flat"):
        round_trips(LedgerColumns.from_frame(frame.iloc[1:]))


def test_an_empty_ledger_is_summarised_as_nothing():
    empty = LedgerColumns.from_frame(_ledger([[5, 0]], [[1.0, 2.0]]).iloc[:0])
    summary = summarise_trades(empty)
    assert summary.round_trips == 0
    assert summary.exposure is None
    assert summary.turnover_per_session is None


SESSION = st.lists(st.integers(-3, 3), min_size=1, max_size=8).map(lambda held: [*held, 0])


@settings(max_examples=60, deadline=None)
@given(st.lists(SESSION, min_size=1, max_size=5), st.integers(0, 2**16))
def test_the_trips_add_up_to_the_ledger(sessions, seed):
    generator = np.random.default_rng(seed)
    prices = [generator.uniform(50, 60, len(held)).tolist() for held in sessions]
    frame = _ledger(sessions, prices, commission=0.01, impact=0.003, financing=0.002)
    ledger = LedgerColumns.from_frame(frame)
    trips = round_trips(ledger)
    assert trips.net_pnl.sum() == pytest.approx(frame["net_pnl"].sum(), abs=1e-9)
    share = exposure(ledger)
    total = 15.0 * sum(len(held) - 1 for held in sessions)
    assert trips.holding_minutes.sum() == pytest.approx(share * total)
