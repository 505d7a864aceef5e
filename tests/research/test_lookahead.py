"""No number looks ahead: scrambling the future changes nothing known before, and the next open
does change the fill."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from intraday_rl.config import compose_plan
from intraday_rl.dataset import Split, open_dataset, open_fold
from intraday_rl.loading import resolve
from intraday_rl.market.calendar import nanoseconds
from intraday_rl.research.audit.checks import known_at_fit
from intraday_rl.research.audit.findings import Findings
from intraday_rl.research.audit.knowledge import STAGES, at_close
from intraday_rl.research.audit.perturb import nudged, scrambled_market, with_benchmark, with_symbol
from intraday_rl.research.audit.playback import Player, Reader
from intraday_rl.research.audit.prove import Proof
from intraday_rl.research.audit.sample import Time

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
# A plain day, a half day and days around both kinds of clock changes.
DAYS = {"2021-11-26", "2021-11-08", "2021-11-05", "2021-12-15", "2021-09-14", "2021-05-13"}


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    plan = compose_plan([*OVERRIDES, f"paths.outputs={tmp_path_factory.mktemp('o')}"])
    resolved = resolve(plan)
    dataset = open_dataset(plan, resolved.market)
    return [open_fold(dataset, window) for window in resolved.windows]


def proof_of(fold, split=Split.test):
    return Proof.of(fold, split, [Player("reader", Reader(len(fold.observation_names)))])


def times_of(fold, split):
    tape = fold.dataset.tape
    times = []
    for day in fold.dates(split):
        if str(day) in DAYS:
            session = int(tape.index_of((day,))[0])
            first = int(tape.sessions[session]["first_row"])
            last = first + int(tape.sessions[session]["decisions"])
            times += [Time(row, session, row == last, "chosen") for row in (first, first + 5, last)]
    return times


def at(fold, session, step):
    row = int(fold.dataset.tape.sessions[session]["first_row"]) + step
    return Time(row, session, False, "chosen")


def entries(played):
    return played.walk.entries


@pytest.mark.parametrize("split", [Split.test, Split.validation])
@pytest.mark.parametrize("fold_number", [0, 1])
def test_scrambling_all_prices_after_t_changes_nothing_known_by_t(folds, split, fold_number):
    fold = folds[fold_number]
    proof, findings = proof_of(fold, split), Findings()
    times = times_of(fold, split)
    for number, time in enumerate(times):
        proof.scramble(time, number, findings)
    assert findings.in_order() == []
    assert times or split is Split.validation
    assert all(findings.stages[stage].asked > 0 for stage in STAGES) or not times


def test_scrambled_prices_do_change_what_comes_after(folds):
    proof = proof_of(folds[0])
    time = times_of(folds[0], Split.test)[1]
    end = proof.fold.dataset.tape.row_end[time.row].astype(np.int64)
    other = proof.fold_on(scrambled_market(proof.fold.dataset.market, int(at_close(end)), 3))
    again = entries(proof.again(other, proof.players[0], time))
    assert not np.array_equal(
        entries(proof.played[0])["equity_after"][: again.size], again["equity_after"]
    )


def test_perturbing_the_next_open_changes_the_fill_and_nothing_seen_before(folds):
    fold = folds[0]
    proof, market = proof_of(fold), fold.dataset.market
    session = int(fold.dataset.tape.index_of((fold.dates(Split.test)[3],))[0])
    time = at(fold, session, 4)
    bar = int(fold.dataset.tape.bar[time.row])
    moved = with_symbol(market, nudged(market.symbol, bar + 1, ("open",), 1.001))
    original = entries(proof.played[0])
    other = entries(proof.again(proof.fold_on(moved), proof.players[0], time))
    place = int(np.flatnonzero(original["row"] == time.row)[0])
    assert other["price"][place] == pytest.approx(original["price"][place] * 1.001)
    assert other["action"][place] == original["action"][place]
    assert other["reward"][place - 1] != original["reward"][place - 1]
    before = slice(0, place - 1)
    assert np.array_equal(other["reward"][before], original["reward"][before], equal_nan=True)


def test_perturbing_the_benchmarks_bar_changes_the_features_of_that_row(folds):
    fold = folds[0]
    market, tape = fold.dataset.market, fold.dataset.tape
    row = int(tape.sessions[100]["first_row"]) + 7
    bar = int(tape.bar[row])
    changed = nudged(market.benchmark, bar, ("close",), 1.002)
    other = proof_of(fold).fold_on(with_benchmark(market, changed)).market_columns
    assert not np.array_equal(other[row], fold.market_columns[row])
    assert np.array_equal(other[:row], fold.market_columns[:row])


def test_the_scaler_and_first_moments_come_from_train_decisions_alone(folds):
    for fold in folds:
        frame = fold.dataset.market.symbol.frame
        last = pd.Timestamp(fold.window.fit[-1])
        end = nanoseconds(frame.loc[frame["session"] == last, "bar_end"])[-1]
        later = scrambled_market(fold.dataset.market, int(at_close(end)), 1)
        plan = fold.dataset.plan
        for other in (open_fold(open_dataset(plan, later), fold.window), known_at_fit(fold)):
            assert other.scaler.as_dict() == fold.scaler.as_dict()
            assert other.moments == fold.moments
        fitted = set(fold.dates(Split.train))
        assert not fitted & {*fold.window.validation.sessions, *fold.window.test.sessions}
        assert fold.dataset.warm[fold.fit_sessions].all()
