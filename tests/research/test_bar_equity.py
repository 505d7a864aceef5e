"""Drawdowns are measured bar by bar, of the average over seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from intraday_rl.records import read_json
from intraday_rl.research.bar_equity import bar_equity
from intraday_rl.trading.ledger import read_ledger


def ledger(rows):
    columns = ["seed", "session", "step", "equity_before", "equity_after"]
    return pd.DataFrame(rows, columns=columns)


def test_one_seed_has_its_own_equity():
    rows = [(0, "a", 0, 100, 90), (0, "a", 1, 90, 110), (0, "b", 0, 110, 99), (0, "b", 1, 99, 121)]
    path = bar_equity(ledger(rows), np.array([0.1, 0.1]), {0: True})
    assert path.tolist() == pytest.approx([1.0, 0.9, 1.1, 0.99, 1.21])


def test_seeds_are_weighted_equally_anew_each_session_and_an_abstained_one_stays_level():
    rows = [
        (0, "a", 0, 100, 80),
        (0, "a", 1, 80, 120),
        (1, "a", 0, 100, 200),
        (1, "a", 1, 200, 100),
    ]
    both = bar_equity(ledger(rows), np.array([0.1]), {0: True, 1: True})
    assert both.tolist() == pytest.approx([1.0, 1.4, 1.1])
    one = bar_equity(ledger(rows), np.array([0.1]), {0: True, 1: False})
    assert one.tolist() == pytest.approx([1.0, 0.9, 1.1])


@pytest.mark.slow("truth")
def test_the_reported_drawdown_is_that_of_the_ledger_not_of_session_ends(held):
    _, folder = held
    for path in folder.path.glob("folds/*/window.json"):
        window = read_json(path)
        account = read_ledger(path.parent / "ledger.parquet")
        equity = np.concatenate([[100_000.0], account["equity_after"]])
        deepest = float((1.0 - equity / np.maximum.accumulate(equity)).max())
        assert window["test"]["raw"]["max_drawdown"] == pytest.approx(deepest)
        assert window["baselines"]["hold"]["max_drawdown"] == pytest.approx(deepest)
