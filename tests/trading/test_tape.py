"""Decisions and exits: the calendar, the cutoff and holes decide, never "the last step"."""

from __future__ import annotations

import pandas as pd
import pytest

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.trading.cutoff import Cutoff, Fill
from intraday_rl.trading.tape import build_tape


def new_york(tape, row):
    stamp = pd.Timestamp(tape.row_end[row], tz="UTC").tz_convert("America/New_York")
    return stamp.strftime("%H:%M")


def exit_time(tape, session=0):
    record = tape.sessions[session]
    return new_york(tape, record["first_row"] + record["decisions"])


def decision_times(tape, session=0):
    first, count = tape.sessions[session]["first_row"], tape.sessions[session]["decisions"]
    return [new_york(tape, row) for row in range(first, first + count)]


def test_a_full_session_has_24_decisions_and_an_exit_at_15_45(make_bars):
    tape = build_tape(make_bars("2021-03-01", "2021-03-01"), Cutoff(), Fill.next_open)
    times = decision_times(tape)
    assert (times[0], times[-1], len(times)) == ("09:45", "15:30", 24)
    assert exit_time(tape) == "15:45"


def test_a_half_day_has_12_decisions_and_an_exit_at_12_45(make_bars):
    tape = build_tape(make_bars("2021-11-26", "2021-11-26"), Cutoff(), Fill.next_open)
    assert len(decision_times(tape)) == 12
    assert exit_time(tape) == "12:45"
    assert tape.half_day.all()


def test_the_exit_follows_the_clock_of_new_york_over_both_dst_changes(make_bars):
    tape = build_tape(make_bars("2021-03-10", "2021-03-17"), Cutoff(), Fill.next_open)
    assert {exit_time(tape, session) for session in range(6)} == {"15:45"}
    tape = build_tape(make_bars("2021-11-04", "2021-11-09"), Cutoff(), Fill.next_open)
    assert {exit_time(tape, session) for session in range(4)} == {"15:45"}


def test_thirty_minute_bars_exit_at_15_30(make_bars):
    bars = make_bars("2021-03-01", "2021-03-01", bar_minutes=30)
    tape = build_tape(bars, Cutoff(), Fill.next_open)
    assert exit_time(tape) == "15:30"
    assert decision_times(tape)[-1] == "15:00"


@pytest.mark.parametrize(
    ("fill", "last"),
    [(Fill.next_open, "15:30"), (Fill.next_close, "15:15"), (Fill.close, "15:30")],
)
def test_a_decision_exists_only_if_it_fills_before_the_exit(make_bars, fill, last):
    tape = build_tape(make_bars("2021-03-01", "2021-03-01"), Cutoff(), fill)
    assert decision_times(tape)[-1] == last
    assert exit_time(tape) == "15:45"


def test_the_fill_is_the_next_open_and_the_exit_is_the_open_at_the_cutoff(make_bars):
    bars = make_bars("2021-03-01", "2021-03-01", split_factor=2.0)
    tape = build_tape(bars, Cutoff(), Fill.next_open)
    opens = bars.frame["open"].to_numpy() * 2.0
    assert tape.rows["price"].tolist() == opens[1:26].tolist()
    assert tape.rows["close"][:24].tolist() == (bars.frame["close"].to_numpy() * 2.0)[:24].tolist()


def test_a_missing_exit_bar_means_the_last_close_before_it(make_bars):
    bars = make_bars("2021-03-01", "2021-03-01", drop=("2021-03-01 15:45",))
    tape = build_tape(bars, Cutoff(), Fill.next_open)
    assert exit_time(tape) == "15:45"
    assert tape.missing_bar.all()
    assert tape.rows["price"][-1] == bars.frame["close"].iloc[-1]


def test_a_truncated_session_exits_at_its_last_close_without_a_decision_there(make_bars):
    dropped = tuple(f"2021-03-01 {t:%H:%M}" for t in pd.date_range("12:00", "15:45", freq="15min"))
    tape = build_tape(make_bars("2021-03-01", "2021-03-01", drop=dropped), Cutoff(), Fill.next_open)
    assert decision_times(tape)[-1] == "11:45"
    assert exit_time(tape) == "12:00"
    assert tape.missing_bar.all()


def test_a_hole_delays_the_fill_to_the_next_bar_that_exists(make_bars):
    bars = make_bars("2021-03-01", "2021-03-01", drop=("2021-03-01 10:00",))
    tape = build_tape(bars, Cutoff(), Fill.next_open)
    row = decision_times(tape).index("10:00")
    assert tape.rows["price"][row] == bars.frame["open"].iloc[2]
    assert tape.rows["fill_minute"][row] == 45.0
    assert "10:15" not in decision_times(tape)


def test_with_a_hole_before_the_exit_the_last_decision_is_the_one_that_still_fills(make_bars):
    bars = make_bars("2021-03-01", "2021-03-01", drop=("2021-03-01 15:30",))
    tape = build_tape(bars, Cutoff(), Fill.next_open)
    assert decision_times(tape)[-1] == "15:15"
    assert exit_time(tape) == "15:45"
    bars = make_bars("2021-03-01", "2021-03-01", drop=("2021-03-01 15:15",))
    tape = build_tape(bars, Cutoff(), Fill.next_close)
    assert decision_times(tape)[-1] == "15:00"


def test_a_cutoff_relative_to_the_close_alone(make_bars):
    cutoff = Cutoff(latest_time=None, minutes_before_close=30)
    tape = build_tape(make_bars("2021-11-24", "2021-11-26"), cutoff, Fill.next_open)
    assert [exit_time(tape, session) for session in range(2)] == ["15:30", "12:30"]


def test_a_session_without_any_possible_decision_is_refused_by_name(make_bars):
    kept = make_bars("2021-03-01", "2021-03-01").frame.iloc[:1]
    from intraday_rl.market.bars import Bars

    with pytest.raises(DataError, match="2021-03-01"):
        build_tape(Bars("TEST", 15, kept.reset_index(drop=True)), Cutoff(), Fill.next_open)


@pytest.mark.parametrize("value", ["630", "1545", "15:45+02:00", "25:00", ""])
def test_a_cutoff_that_is_no_time_is_refused(value):
    with pytest.raises(ConfigError, match="latest_time="):
        Cutoff(latest_time=value)


def test_a_cutoff_that_leaves_no_decision_names_the_cutoff_not_the_data(make_bars):
    bars = make_bars("2021-03-01", "2021-03-01")
    with pytest.raises(ConfigError, match=r"env\.cutoff\.latest_time=09:50"):
        build_tape(bars, Cutoff(latest_time="09:50"), Fill.next_open)
