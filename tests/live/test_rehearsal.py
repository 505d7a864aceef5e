"""Bars of a rehearsal come in as its clock goes on, to whoever reads the files."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from rehearse import growing, rehearse, shared_clock

from intraday_rl.config import compose_plan
from intraday_rl.errors import ConfigError, DataError
from intraday_rl.live.clock import ExchangeClock
from intraday_rl.loading import load_market
from tests.live.conftest import BARS

DAY = date(2021, 8, 11)


def test_a_bar_is_written_when_it_ends_and_never_before(tmp_path):
    market = load_market(compose_plan(BARS))
    traded = market.symbol.between(DAY, DAY).frame
    early = []
    # Half a bar after the open; then a day of six and a half hours goes by in a second.
    start = traded["bar_start"].iloc[0] + pd.Timedelta(minutes=7)
    clock = ExchangeClock(start, None, 20_000.0)
    file = tmp_path / f"{market.symbol.symbol}.csv"
    with growing(market, DAY, tmp_path, clock) as thread:
        while thread.is_alive():
            lines = file.read_text().splitlines()[1:] if file.exists() else []
            whole = [pd.Timestamp(line.split(",")[0]) for line in lines if line.count(",") == 5]
            now = clock.now()
            early += [one for one in whole if one + pd.Timedelta(minutes=15) > now]
    assert early == []
    written = pd.read_csv(file)
    assert len(written) == len(traded) == 26
    assert (
        written["close"] == traded["close"].to_numpy() * traded["split_factor"].to_numpy()
    ).all()
    assert (tmp_path / f"{market.benchmark.symbol}.csv").is_file()


def test_leaving_it_ends_the_writing(tmp_path):
    market = load_market(compose_plan(BARS))
    with growing(market, DAY, tmp_path, ExchangeClock(pd.Timestamp(DAY, tz="UTC"))) as thread:
        pass
    assert not thread.is_alive()
    assert len((tmp_path / f"{market.symbol.symbol}.csv").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "task=WalkForward: rehearse task=serve or task=paper"),
        (["task=serve"], r"task\.clock\.start=None: a rehearsal needs it"),
        (["task=serve", "task.clock.start='2021-08-11 09:05'"], r"task\.feed_folder=None"),
    ],
)
def test_what_is_no_rehearsal_is_refused_by_its_key(words, complaint):
    with pytest.raises(ConfigError, match=complaint):
        shared_clock(words)


def test_bars_of_somebody_else_are_not_written_over(tmp_path):
    words = [
        *BARS,
        "task=serve",
        f"task.clock.start='{DAY} 09:05'",
        f"task.feed_folder={tmp_path}",
    ]
    file = tmp_path / "TQQQ.csv"
    file.write_text("timestamp,open,high,low,close,volume\n2021-08-10T13:30:00+00:00,1,1,1,1,1\n")
    before = file.read_bytes()
    with pytest.raises(DataError, match=r"task\.feed_folder=\S+: TQQQ\.csv has other bars than"):
        rehearse(shared_clock(words))
    assert file.read_bytes() == before


def test_its_clock_is_given_to_all_that_it_begins(tmp_path):
    words = ["task=serve", "task.clock.start='2021-08-11 09:05'", f"task.feed_folder={tmp_path}"]
    plan = compose_plan(shared_clock(words))
    assert plan.task.clock.anchor is not None
    assert plan.task.feed_bar_minutes == plan.data.bar_minutes
