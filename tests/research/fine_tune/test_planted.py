"""The gate where the truth is known: a market that was turned round while the model was tuned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from intraday_rl.loading import load_market
from intraday_rl.market.bars import PRICES, Bars
from intraday_rl.market.sources import MarketData
from intraday_rl.records import RunFolder, read_json
from intraday_rl.research.fine_tune import checks
from intraday_rl.research.fine_tune import task as fine_tune

pytestmark = pytest.mark.slow("fine_tune")

LEARNS = [
    "data.start=2019-01-02",
    "tracking=none",
    "parallel.workers=1",
    "selection.abstain=false",
    "agent.learning_rate=3e-4",
    "agent.net_arch=[64,64]",
    "agent.total_timesteps=40000",
    "agent.learning_starts=1000",
    "agent.eval_freq=10000",
    "agent.compile=never",
    "windows.validation_sessions=40",
]
UNTIL = "2020-12-31"
TUNING = ("2021-01-04", "2021-09-30")  # what the planted market says there is the test's
TUNE = [
    "task=fine_tune", "data.start=2019-01-02", "tracking=none", "data.end=2021-12-31",
    "task.days=270", "task.holdout_sessions=64", "task.timesteps=30000",
]  # fmt: skip


def spliced(bars: Bars, other: Bars, first: str, last: str) -> Bars:
    """`bars`, with the sessions from `first` to `last` taken from `other` at the same level."""
    frame = bars.frame.copy()
    inside = frame["session"].between(first, last).to_numpy()
    if not inside.any():
        return bars
    taken = other.frame[inside]
    at = int(np.flatnonzero(inside)[0])
    level = frame["close"].iloc[at - 1] / other.frame["close"].iloc[at - 1]
    for name in PRICES:
        frame.loc[inside, name] = taken[name].to_numpy() * level
    after = np.arange(len(frame)) > np.flatnonzero(inside)[-1]
    end = np.flatnonzero(inside)[-1]
    level = frame["close"].iloc[end] / bars.frame["close"].iloc[end]
    for name in PRICES:
        frame.loc[after, name] = frame.loc[after, name] * level
    return replace(bars, frame=frame)


def planted(plan, edge_inside: float, first: str, last: str) -> MarketData:
    """The plan's market, with another edge in some sessions."""
    market = load_market(plan)
    other = load_market(replace(plan, data=replace(plan.data, edge=edge_inside)))
    pd.testing.assert_series_equal(market.symbol.frame["bar_end"], other.symbol.frame["bar_end"])
    return replace(
        market,
        symbol=spliced(market.symbol, other.symbol, first, last),
        benchmark=spliced(market.benchmark, other.benchmark, first, last),
    )


@pytest.fixture(scope="module")
def skilled(tmp_path_factory, final_bundle):
    """A model that has learned a planted edge."""
    return final_bundle(
        tmp_path_factory.mktemp("skilled"), UNTIL, *LEARNS, "data.edge=0.3", f"data.end={UNTIL}"
    )


def tuned(model, bundle, market_of, monkeypatch, *overrides: str):
    plan, context = model.commanded(
        *TUNE, f"task.model='{bundle}'", f"paths.outputs={model.outputs}", *overrides
    )
    monkeypatch.setattr(checks, "load_market", market_of)
    outcome = fine_tune.run(plan, context)
    return read_json(RunFolder.of(str(model.outputs), str(outcome.run_key)).fine_tune)


def test_a_market_turned_round_in_the_tuning_span_is_not_promoted(skilled, model, monkeypatch):
    content = tuned(
        model, skilled, lambda plan: planted(plan, -0.3, *TUNING), monkeypatch, "data.edge=0.3"
    )
    gate, held_out = content["gate"], content["metrics"]["held_out"]
    assert not gate["promoted"]
    assert gate["reason"] in ("inferior", "not_proven", "does_not_trade")
    assert held_out["challenger"]["mean_daily_bps"] < held_out["parent"]["mean_daily_bps"]


def test_a_market_that_has_turned_for_good_is_learned_and_promoted(skilled, model, monkeypatch):
    content = tuned(
        model, skilled, lambda plan: planted(plan, -0.3, "2021-01-01", "2021-12-31"),
        monkeypatch, "data.edge=0.3",
    )  # fmt: skip
    gate, held_out = content["gate"], content["metrics"]["held_out"]
    assert gate["promoted"]
    assert gate["reason"] == "not_inferior"
    assert held_out["challenger"]["mean_daily_bps"] > held_out["parent"]["mean_daily_bps"]
