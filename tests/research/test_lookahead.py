"""No number looks ahead: scrambling the future changes nothing known before, and the next open
does change the fill."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from intraday_rl.config import compose_plan
from intraday_rl.dataset import Split, open_dataset, open_fold
from intraday_rl.loading import resolve
from intraday_rl.market.bars import Bars
from intraday_rl.research.rollout import walk

OVERRIDES = [
    "data.start=2021-01-04",
    "data.end=2022-01-31",
    "data.edge=0.3",
    "windows=auto",
    "windows.train_size=6 months",
    "windows.test_size=3 months",
    "windows.validation_sessions=40",
    "tracking=none",
]


class Reader:
    """A policy whose action depends on every number it sees."""

    def __init__(self, width):
        self.weights = np.random.default_rng(5).normal(size=width)

    def predict(self, observation):
        return float(np.tanh(observation.astype(np.float64) @ self.weights))

    def begin_session(self):
        pass


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    plan = compose_plan([*OVERRIDES, f"paths.outputs={tmp_path_factory.mktemp('o')}"])
    resolved = resolve(plan)
    dataset = open_dataset(plan, resolved.market)
    return plan, resolved, dataset, open_fold(dataset, resolved.windows[0])


def scrambled(bars: Bars, first_row: int, *, keep_open: bool) -> Bars:
    """Every price from `first_row` on replaced; its open kept if that is already known."""
    frame = bars.frame.copy()
    random = np.random.default_rng(first_row)
    rows = slice(first_row, None)
    factor = np.exp(random.normal(0.0, 0.03, len(frame) - first_row))
    opened = frame["open"].iloc[first_row]
    for column in ("open", "high", "low", "close"):
        frame.loc[frame.index[rows], column] *= factor
    frame.loc[frame.index[rows], "volume"] *= np.exp(random.normal(0, 1, len(factor)))
    if keep_open:
        frame.loc[first_row, "open"] = opened
    frame["high"] = frame[["open", "high", "low", "close"]].max(axis=1)
    frame["low"] = frame[["open", "high", "low", "close"]].min(axis=1)
    return replace(bars, frame=frame)


def rolled(prepared, symbol, benchmark, split):
    """The same fold (scaler and moments held) on other bars: walk and observations."""
    plan, resolved, _, fold = prepared
    market = replace(resolved.market, symbol=symbol, benchmark=benchmark)
    dataset = open_dataset(plan, market)
    columns = np.zeros_like(fold.market_columns)
    values = dataset.table.values[dataset.tape.bar]
    known = np.isfinite(values).all(axis=1)
    columns[known] = fold.scaler.transform(values[known], dataset.table.names)
    held = replace(fold, dataset=dataset, market_columns=columns)
    problem = held.problem(split)
    return walk(problem, Reader(len(problem.names))), problem


def sampled_rows(fold, split):
    """Bars in the middle of sessions of a split: a plain day, a half day, days around DST."""
    wanted = {"2021-11-26", "2021-11-08", "2021-11-05", "2021-12-15", "2021-09-14", "2021-05-13"}
    tape = fold.dataset.tape
    rows = []
    for day in fold.dates(split):
        if str(day) in wanted:
            first = tape.sessions[tape.index_of((day,))[0]]["first_row"]
            rows += [int(tape.bar[first + step]) for step in (0, 5, 10)]
    return rows


@pytest.mark.parametrize("split", [Split.test, Split.validation])
@pytest.mark.parametrize("fold_number", [0, 1])
def test_scrambling_all_prices_after_t_changes_nothing_known_by_t(prepared, split, fold_number):
    plan, resolved, dataset, _ = prepared
    fold = open_fold(dataset, resolved.windows[fold_number])
    prepared = (plan, resolved, dataset, fold)
    market = resolved.market
    original, problem = rolled(prepared, market.symbol, market.benchmark, split)
    rows = sampled_rows(fold, split)
    for bar in rows:
        other, changed = rolled(
            prepared,
            scrambled(market.symbol, bar + 1, keep_open=True),
            scrambled(market.benchmark, bar + 1, keep_open=True),
            split,
        )
        # Known at the end of bar k (= the open of k+1): the features of bar k, decision k, its
        # fill at the open of k+1, and every reward up to decision k−1.
        known_rows = int(np.searchsorted(problem.tape.bar, bar, side="right"))
        assert np.array_equal(problem.market[:known_rows], changed.market[:known_rows])
        entries, altered = original.entries, other.entries
        upto = int(np.count_nonzero(problem.tape.bar[entries["row"]] <= bar))
        decided = ["action", "target", "shares_before", "shares_traded", "price", "fill_price",
                   "commission", "fees", "slippage", "impact", "dsr_a", "dsr_b"]  # fmt: skip
        for name in decided:
            assert np.array_equal(entries[name][:upto], altered[name][:upto], equal_nan=True), name
        for name in ("reward", "net_return", "equity_after", "dsr_raw"):
            last = upto - 1  # the reward of decision k needs the fill of k+1
            assert np.array_equal(entries[name][:last], altered[name][:last], equal_nan=True), name
        assert not np.array_equal(entries["equity_after"], altered["equity_after"])
    assert rows or split is Split.validation


def test_perturbing_the_next_open_changes_the_fill_and_nothing_seen_before(prepared):
    _, resolved, _, fold = prepared
    market = resolved.market
    original, problem = rolled(prepared, market.symbol, market.benchmark, Split.test)
    day = fold.dates(Split.test)[3]
    first = problem.tape.sessions[problem.tape.index_of((day,))[0]]["first_row"]
    bar = int(problem.tape.bar[first + 4])
    frame = market.symbol.frame.copy()
    frame.loc[bar + 1, "open"] *= 1.001
    frame.loc[bar + 1, "high"] = max(frame.loc[bar + 1, "high"], frame.loc[bar + 1, "open"])
    other, _ = rolled(prepared, replace(market.symbol, frame=frame), market.benchmark, Split.test)
    at = int(np.flatnonzero(original.entries["row"] == first + 4)[0])
    assert other.entries["price"][at] == pytest.approx(original.entries["price"][at] * 1.001)
    assert other.entries["action"][at] == original.entries["action"][at]
    assert other.entries["reward"][at - 1] != original.entries["reward"][at - 1]
    assert np.array_equal(other.entries["reward"][: at - 1], original.entries["reward"][: at - 1],
                          equal_nan=True)  # fmt: skip


def test_perturbing_the_benchmarks_bar_changes_the_features_of_that_row(prepared):
    _, resolved, dataset, fold = prepared
    market = resolved.market
    bar = int(dataset.tape.bar[dataset.tape.sessions[100]["first_row"] + 7])
    frame = market.benchmark.frame.copy()
    frame.loc[bar, "close"] *= 1.002
    frame.loc[bar, "high"] = frame.loc[bar, ["high", "close"]].max()
    _, problem = rolled(prepared, market.symbol, replace(market.benchmark, frame=frame), Split.test)
    row = int(np.flatnonzero(problem.tape.bar == bar)[0])
    assert not np.array_equal(problem.market[row], fold.market_columns[row])
    assert np.array_equal(problem.market[:row], fold.market_columns[:row])


def test_the_scaler_and_first_moments_come_from_train_decisions_alone(prepared):
    plan, resolved, dataset, fold = prepared
    market = resolved.market
    last_fit = pd.Timestamp(fold.window.fit[-1])
    first_later = int(np.searchsorted(market.symbol.frame["session"], last_fit, side="right"))
    later = replace(
        market,
        symbol=scrambled(market.symbol, first_later, keep_open=False),
        benchmark=scrambled(market.benchmark, first_later, keep_open=False),
    )
    other = open_fold(open_dataset(plan, later), fold.window)
    assert other.scaler.as_dict() == fold.scaler.as_dict()
    assert other.moments == fold.moments
    fitted = set(fold.dates(Split.train))
    assert not fitted & {*fold.window.validation.sessions, *fold.window.test.sessions}
    assert dataset.warm[fold.fit_sessions].all()
