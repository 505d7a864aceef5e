"""A session played bar by bar is the session of the backtest, to the last bit."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pandas as pd
import pytest

from intraday_rl.errors import DataError, ModelError
from intraday_rl.live.account import Exit, Filled
from intraday_rl.live.feeds.feed import upto
from intraday_rl.market.calendar import sessions
from tests.live.conftest import spy_test_year

ORDINARY, HALF_DAY, AFTER_CLOCK_CHANGE = "2021-08-11", "2021-11-26", "2021-11-08"


@pytest.mark.parametrize("text", [ORDINARY, HALF_DAY, AFTER_CLOCK_CHANGE])
def test_a_session_played_bar_by_bar_has_the_backtests_ledger(backtest, text, tmp_path):
    day = date.fromisoformat(text)
    played, _ = backtest.played(day, tmp_path)
    pd.testing.assert_frame_equal(played, backtest.rows(day), check_exact=True)
    assert played["shares_traded"].abs().sum() > 0


@pytest.mark.slow("paper")
def test_each_session_opens_with_what_the_one_before_left(backtest, tmp_path):
    days = [stamp.date() for stamp in backtest.ledger["session"].unique()]
    for day, following in pairwise(days[:4]):
        _, after = backtest.played(day, tmp_path / str(day))
        assert after == backtest.day(following).opening


def test_a_ledger_of_other_bars_is_refused(backtest):
    spoiled = backtest.ledger.copy()
    spoiled["equity_after"] += 1e-6
    from intraday_rl.live.opening import opening_from

    with pytest.raises(DataError, match="other bars, costs or code wrote it"):
        opening_from(backtest.stage, spoiled, date(2021, 8, 11))


def test_what_comes_later_cannot_be_seen(backtest):
    """The rest of the day is filled in to lay it out: with other prices the sight is the same."""
    day = date.fromisoformat(ORDINARY)
    session = backtest.day(day)
    symbol = backtest.market.symbol.between(day, day)
    benchmark = backtest.market.benchmark.between(day, day)
    now = symbol.frame["bar_end"].iloc[9]
    early = [session.sight(upto(symbol, now), upto(benchmark, now), {}, {}).observation]
    filled = session._to_its_end
    session._to_its_end = lambda bars: _moved(filled(bars), now)  # type: ignore[method-assign]
    early.append(session.sight(upto(symbol, now), upto(benchmark, now), {}, {}).observation)
    assert early[0].tobytes() == early[1].tobytes()


def _moved(bars, now):
    from dataclasses import replace

    frame = bars.frame.copy()
    later = frame["bar_end"] > now
    frame.loc[later, ["open", "high", "low", "close"]] *= 1.5
    frame.loc[later, "volume"] = 7.0
    return replace(bars, frame=frame)


def test_a_missed_decision_leaves_the_position_as_it_was(backtest):
    day = date.fromisoformat(ORDINARY)
    session = backtest.day(day)
    symbol = backtest.market.symbol.between(day, day)
    benchmark = backtest.market.benchmark.between(day, day)
    first = symbol.frame["bar_end"].iloc[2]
    bars, fills = (symbol, benchmark), {first: Filled(120.0)}
    ledger, _ = session.ledger(*bars, {first: 0.8}, fills, Exit(Filled(-120.0)), "fold", 0)
    traded = ledger.loc[ledger["shares_traded"] != 0, "bar_end"].tolist()
    assert traded == [first, session.cutoff]
    assert ledger["shares_after"].iloc[-1] == 0
    assert ledger["action"].notna().sum() == 1


def test_only_decisions_that_can_still_be_filled_are_taken(backtest):
    session = backtest.day(date.fromisoformat(HALF_DAY))
    local = session.cutoff.tz_convert("America/New_York")
    assert f"{local:%H:%M}" == "12:45"
    last = session.decision_ends[-1].tz_convert("America/New_York")
    assert f"{last:%H:%M}" == "12:30"


@pytest.mark.slow("paper")
def test_a_day_without_a_session_another_fill_and_parts_of_shares_are_refused(
    backtest, make_backtest
):
    with pytest.raises(DataError, match="no session of the exchange"):
        backtest.day(date(2021, 11, 25))
    for lot_size in ("0", "0.1"):
        with pytest.raises(ModelError, match=rf"env\.action\.lot_size={lot_size}: .* whole shares"):
            make_backtest(
                "data.start=2021-01-04",
                "data.end=2021-12-31",
                "windows=auto",
                f"env.action.lot_size={lot_size}",
                "windows.train_size=6 months",
                "windows.test_size=3 months",
                "windows.validation_sessions=30",
            ).day(date(2021, 8, 11))
    with pytest.raises(ModelError, match="can only fill at the next open"):
        make_backtest(
            "data.start=2021-01-04",
            "data.end=2022-01-14",
            "windows=auto",
            "env.fill=close",
            "windows.train_size=6 months",
            "windows.test_size=6 months",
            "windows.validation_sessions=30",
        ).day(date(2021, 8, 11))


def unusual_days(first_year: int, last_year: int) -> list[date]:
    """Half days, and the first sessions after a change of the clocks."""
    table = sessions(date(first_year, 1, 1), date(last_year, 12, 31))
    opens = table["open"].dt.hour  # UTC: it moves with New York's clock
    changed = opens.diff().fillna(0) != 0
    return [stamp.date() for stamp in table.index[changed | table["half_day"]]]


def played_as(backtest, day: date, folder) -> None:
    played, _ = backtest.played(day, folder)
    pd.testing.assert_frame_equal(played, backtest.rows(day), check_exact=True)


@pytest.mark.slow("paper")
def test_every_session_of_a_real_test_year_has_the_backtests_ledger(real_data, tmp_path):
    year = spy_test_year(real_data, 2022)
    days = [stamp.date() for stamp in year.ledger["session"].unique()]
    assert len(days) == 251
    opening = None
    for day in days:
        played, after = year.played(day, tmp_path / str(day))
        pd.testing.assert_frame_equal(played, year.rows(day), check_exact=True)
        assert opening in (None, year.day(day).opening)
        opening = after


@pytest.mark.slow("paper")
@pytest.mark.parametrize("number", [2021, 2022, 2023])
def test_half_days_and_clock_changes_of_the_test_years_have_the_backtests_ledger(
    real_data, tmp_path, number
):
    year, days = spy_test_year(real_data, number), unusual_days(number, number)
    assert len(days) >= 3
    for day in days:
        played_as(year, day, tmp_path / str(day))


@pytest.mark.slow("paper")
def test_half_days_and_clock_changes_of_the_train_years_are_those_of_a_fresh_rollout(
    real_data, tmp_path
):
    rolled = spy_test_year(real_data, 2021).rolled_out(date(2018, 1, 2), date(2020, 12, 31))
    days = unusual_days(2018, 2020)
    assert len(days) >= 12
    for day in days:
        played_as(rolled, day, tmp_path / str(day))
