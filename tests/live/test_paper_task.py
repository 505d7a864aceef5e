"""`task=paper` replays a session of a fold and says whether it is the backtest's."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from intraday_rl.config import compose_plan
from intraday_rl.entry.job import run_plan
from intraday_rl.errors import ConfigError, DataError
from intraday_rl.trading.ledger import read_ledger, write_ledger
from tests.live.conftest import BARS, WINDOW

pytestmark = pytest.mark.slow("paper")  # it trains a model first


def played(outputs, model: str, day: str, *more: str) -> int:
    overrides = [
        *BARS, "task=paper", f"task.model='{model}'", f"task.day='{day}'", "task.feed=replay",
        f"paths.outputs={outputs}", *more,
    ]  # fmt: skip
    return run_plan(compose_plan(overrides), overrides).code


def test_a_session_of_the_folds_test_is_the_backtests_and_repeats(trained, capsys):
    outputs, key = trained
    model = f"{key}/{WINDOW}/seed=0"
    assert played(outputs, model, "2021-08-11") == 0
    assert "the backtest's ledger of this day, to the last bit" in capsys.readouterr().out
    (folder,) = (outputs / "paper").glob(f"2021-08-11-{WINDOW}-seed=0-*")
    first = (folder / "journal.jsonl").read_bytes()
    events = [json.loads(line)["event"] for line in first.splitlines()]
    assert events.count("decision") == 24
    assert (events.count("bar"), events[0], events[-1]) == (26, "opened", "closed")
    assert (folder / "report.html").read_text().count("polyline") == 2
    assert played(outputs, model, "2021-08-11", "task.speed=1000000") == 0
    assert (folder / "journal.jsonl").read_bytes() == first


def test_a_ledger_that_somebody_changed_is_told_apart(trained, capsys):
    outputs, key = trained
    file = outputs / "runs" / key / "folds" / WINDOW / "seed=0" / "ledger.parquet"
    original = read_ledger(file)
    try:
        spoiled = original.copy()
        day = spoiled["session"] == pd.Timestamp("2021-08-11")
        spoiled.loc[day, "commission"] += 0.01
        write_ledger([spoiled], file)
        assert played(outputs, f"{key}/{WINDOW}/seed=0", "2021-08-11") == 1
        assert "differs from the backtest" in capsys.readouterr().out
    finally:
        write_ledger([original], file)


def test_a_day_the_model_was_trained_on_is_marked_and_compared_with_nothing(trained, capsys):
    outputs, key = trained
    assert played(outputs, f"{key}/{WINDOW}/seed=0", "2021-05-12", "format=json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["in_sample"]
    assert not content["compared_with_backtest"]
    assert content["exit"]["shares_after"] == 0


def test_a_model_of_another_symbol_is_refused(trained):
    outputs, key = trained
    with pytest.raises(ConfigError, match=r"symbol=SPY: the model was trained with symbol=TQQQ"):
        played(outputs, f"{key}/{WINDOW}/seed=0", "2021-08-11", "symbol=SPY")


def test_a_day_beyond_the_bars_is_refused(trained):
    outputs, key = trained
    with pytest.raises(DataError, match=r"task\.day=2022-02-01"):
        played(outputs, f"{key}/{WINDOW}/seed=0", "2022-02-01")
