"""The audit bites: every known way of looking ahead is caught, and its stage is named.

Each mutation is planted in the pipeline before the run, so the run's own ledgers are those of the
leaking code and nothing but the perturbation can tell.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from intraday_rl import dataset as pipeline
from intraday_rl.market import features, indicators
from intraday_rl.market.feature_table import FeatureTable
from intraday_rl.market.scaling import Scaler
from intraday_rl.research import fold_result, fold_summary
from intraday_rl.research.audit.findings import CHANGED, UNCHANGED
from intraday_rl.trading.accounts import Accounts

from .conftest import audited, run_month

pytestmark = pytest.mark.slow("audit")


def replace_column(patch, name, change):
    """A pipeline whose feature `name` is changed afterwards; `change(values, frame)`."""
    honest = features.compute

    def compute(market, chosen, cutoff):
        table = honest(market, chosen, cutoff)
        values = table.values.copy()
        at = table.names.index(name)
        changed = change(pd.Series(values[:, at]), market.symbol.frame)
        values[:, at] = np.where(np.isnan(changed), values[:, at], changed)
        return FeatureTable(table.names, values, table.warm_up_rows)

    patch.setattr(features, "compute", compute)


def shift(patch):
    replace_column(patch, "symbol_return_1", lambda values, _: values.shift(-1))


def centred_window(patch):
    replace_column(patch, "symbol_trend", lambda values, _: values.rolling(5, center=True).mean())


def future_bar_filled(patch):
    """As a fill of missing bars would do that reaches the wrong way, on every fifth bar."""

    def fill(values, frame):
        holes = np.arange(len(values)) % 5 == 4
        return values.mask(holes).bfill()

    replace_column(patch, "realised_volatility", fill)


def session_wide_vwap(patch):
    def vwap(series, volume, rows):
        typical = (series.high + series.low + series.close) / 3.0
        turnover = np.bincount(rows.session, typical * volume)
        return (turnover / np.bincount(rows.session, volume))[rows.session]

    patch.setattr(indicators, "session_vwap", vwap)


def benchmark_joined(patch, bars):
    honest = features._benchmark_columns

    def columns(market, chosen):
        found = honest(market, chosen)
        return {name: pd.Series(values).shift(bars).bfill().ffill().where(~np.isnan(values))
                .to_numpy() for name, values in found.items()}  # fmt: skip

    patch.setattr(features, "_benchmark_columns", columns)


def benchmark_early(patch):
    benchmark_joined(patch, -1)


def benchmark_late(patch):
    benchmark_joined(patch, 1)


def names_of(findings, proof, stage):
    return {one.name for one in findings.in_order() if (one.proof, one.stage) == (proof, stage)}


def scaler_on_all_data(patch):
    honest = pipeline.open_fold

    def open_fold(dataset, window):
        fold = honest(dataset, window)
        values = dataset.table.values[dataset.tape.bar]
        known = np.isfinite(values).all(axis=1)
        scaler = Scaler.fit(values[known], dataset.table.names, fold.scaler.clip)
        columns = np.zeros_like(fold.market_columns)
        columns[known] = scaler.transform(values[known])
        return replace(fold, scaler=scaler, market_columns=columns)

    for module in (pipeline, fold_result, fold_summary):
        patch.setattr(module, "open_fold", open_fold)


def moments_on_all_data(patch):
    honest = pipeline.hold_returns
    patch.setattr(
        pipeline, "hold_returns", lambda tape, _: honest(tape, np.arange(tape.sessions.size))
    )


def mutate_tape(patch, change):
    honest = pipeline.build_tape

    def build(bars, cutoff, fill):
        tape = honest(bars, cutoff, fill)
        exits = np.zeros(tape.rows.size, bool)
        exits[tape.sessions["first_row"] + tape.sessions["decisions"]] = True
        change(tape.rows, exits)
        return tape

    patch.setattr(pipeline, "build_tape", build)


def fill_at_the_same_close(patch):
    def change(rows, exits):
        rows["price"][~exits] = rows["close"][~exits]

    mutate_tape(patch, change)


def exit_at_the_close_before(patch):
    def change(rows, exits):
        rows["price"][exits] = rows["close"][exits]

    mutate_tape(patch, change)


def sized_at_the_fill(patch):
    def change(rows, exits):
        rows["close"][~exits] = rows["price"][~exits]

    mutate_tape(patch, change)


def moments_one_row_early(patch):
    def show(accounts, observations):
        book = accounts.problem.book[0]
        at = book["moments_column"]
        for i, account in enumerate(accounts.records):
            first = (account["moment_a"] - book["first_a"]) / book["moment_a_scale"]
            second = (account["moment_b"] - book["first_b"]) / book["moment_b_scale"]
            bound = book["observation_clip"]
            observations[i, at : at + 2] = np.clip([first, second], -bound, bound)

    honest_look, honest_step = Accounts.look, Accounts.step

    def look(self, observations):
        honest_look(self, observations)
        show(self, observations)

    def step(self, actions, observations, rewards, terminated):
        ended = honest_step(self, actions, observations, rewards, terminated)
        show(self, observations)
        return ended

    patch.setattr(Accounts, "look", look)
    patch.setattr(Accounts, "step", step)


def impact_of_the_day_itself(patch):
    honest = pipeline.impact_statistics

    def statistics(bars, window):
        return tuple(np.append(found[1:], found[-1]) for found in honest(bars, window))

    patch.setattr(pipeline, "impact_statistics", statistics)


def both_fitted_on_all_data(patch):
    scaler_on_all_data(patch)
    moments_on_all_data(patch)


def all_columns(patch):
    """Five leaks in columns of their own: one run, and none may hide another."""
    for mutate in (shift, centred_window, future_bar_filled, session_wide_vwap, benchmark_early):
        mutate(patch)


BENCHMARK = ["benchmark_trend", "benchmark_macd", "benchmark_adx", "benchmark_rsi"]
LEAKING_COLUMNS = {
    "a feature shifted back by one": ["symbol_return_1"],
    "a centred rolling window": ["symbol_trend"],
    "a forward-filled future bar": ["realised_volatility"],
    "a statistic of the whole session": ["session_anchor_vwap"],
    "the benchmark joined one bar early": BENCHMARK,
}


@pytest.fixture(scope="module")
def leaking(tmp_path_factory):
    """Findings of a run whose feature table leaks in five ways."""
    with pytest.MonkeyPatch.context() as patch:
        all_columns(patch)
        # A leak on every fifth bar needs some times to be met.
        return audited(run_month(tmp_path_factory.mktemp("leaking")), samples=5).findings


@pytest.mark.parametrize("leak", LEAKING_COLUMNS)
def test_a_column_that_looks_ahead_is_named(leaking, leak):
    first = leaking.in_order()[0]
    assert (first.proof, first.stage) == (CHANGED, "features")
    assert set(LEAKING_COLUMNS[leak]) <= names_of(leaking, CHANGED, "features")


def test_no_column_is_named_that_does_not_look_ahead(leaking):
    assert names_of(leaking, CHANGED, "features") == {
        name for names in LEAKING_COLUMNS.values() for name in names
    }
    assert {one.stage for one in leaking.in_order() if one.proof == CHANGED} == {"features"}


# mutation, proof, stage, names that are met there
CASES = {
    "the benchmark joined one bar late": (benchmark_late, UNCHANGED, "features", BENCHMARK),
    "fitted on all data": (
        both_fitted_on_all_data,
        CHANGED,
        "scaler",
        ["scaler centre", "scaler scale", "first moments"],
    ),
    "reward moments observed one row early": (
        moments_one_row_early,
        CHANGED,
        "observation",
        ["reward_moment_a", "reward_moment_b"],
    ),
    "a same-bar fill hidden as the next open": (
        fill_at_the_same_close,
        UNCHANGED,
        "fill",
        ["price"],
    ),
    "an exit at the close before": (exit_at_the_close_before, UNCHANGED, "exit", ["price"]),
    "an order sized and marked at its fill": (
        sized_at_the_fill,
        CHANGED,
        "observation",
        ["position"],
    ),
    "impact statistics of the day itself": (
        impact_of_the_day_itself,
        CHANGED,
        "cost",
        ["impact"],
    ),
}


@pytest.mark.parametrize("leak", CASES)
def test_a_leak_is_caught_and_its_stage_is_named(month, monkeypatch, leak):
    mutate, proof, stage, names = CASES[leak]
    mutate(monkeypatch)
    findings = audited(month("env/impact=square_root"), samples=1).findings
    first = findings.in_order()[0]
    assert (first.proof, first.stage) == (proof, stage)
    assert set(names) <= names_of(findings, proof, stage)
    assert findings.checks["ledger reproduced"].wrong == 0


def test_what_was_fitted_on_later_days_is_not_what_the_fit_alone_gives(month, monkeypatch):
    with monkeypatch.context() as patch:
        both_fitted_on_all_data(patch)
        folder = month()
    findings = audited(folder, samples=1).findings
    assert {"scaler span", "moments span"} <= {one.name for one in findings.in_order()}
    assert all(books.wrong == 0 for books in findings.stages.values())
