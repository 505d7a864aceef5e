"""Sweeps whose truth is known: noise, one planted edge, equal policies, fifty bands."""

from __future__ import annotations

import numpy as np
import pytest

from intraday_rl.statistics.overfitting import overfitting
from intraday_rl.statistics.probabilistic import deflated_sharpe, probabilistic_sharpe_of
from intraday_rl.statistics.ratios import sharpe_daily_rows
from intraday_rl.statistics.trials import effective_trials

pytestmark = pytest.mark.slow("statistics")

SESSIONS = 750


def _deflated_of_the_best(returns: np.ndarray) -> float:
    sharpes = sharpe_daily_rows(returns.T)
    result = deflated_sharpe(returns[:, np.argmax(sharpes)], sharpes)
    if result is None:  # the best never traded: there is nothing to believe
        return 0.0
    assert result.trials == returns.shape[1]
    return result.probability


def _probability_of_overfitting(returns: np.ndarray) -> float:
    result = overfitting(returns)
    assert result is not None
    return result.probability


def test_noise_sweeps_are_rarely_believed_and_overfit_every_other_time():
    generator = np.random.default_rng(2024)
    sweeps = [generator.normal(0, 0.01, (SESSIONS, 50)) for _ in range(200)]
    believed = np.mean([_deflated_of_the_best(sweep) > 0.95 for sweep in sweeps])
    overfit = np.mean([_probability_of_overfitting(sweep) for sweep in sweeps])
    print(f"deflated Sharpe > 0.95 in {believed:.1%} of noise sweeps, mean PBO {overfit:.3f}")
    assert believed <= 0.05
    assert abs(overfit - 0.5) <= 0.1


def test_a_planted_edge_is_found_and_is_no_overfitting():
    found = 0
    for seed in range(20):
        returns = np.random.default_rng(seed).normal(0, 0.01, (SESSIONS, 50))
        planted = seed % 50
        returns[:, planted] += 0.25 * 0.01
        first = int(np.argmax(sharpe_daily_rows(returns.T))) == planted
        found += first and _probability_of_overfitting(returns) < 0.05
    print(f"planted edge ranked first with PBO < 0.05 in {found} of 20 sweeps")
    assert found >= 18


def test_equal_policies_overfit_every_other_time_in_each_cost_world():
    generator = np.random.default_rng(7)
    cheap, dear, mixed = [], [], []
    for _ in range(100):
        gross = generator.normal(0.0005, 0.01, (SESSIONS, 4))
        # What a world costs a policy depends on its day's turnover, equal in law for all four.
        turnover = generator.uniform(0, 4, (SESSIONS, 4))
        worlds = [gross - bps * 1e-4 * turnover for bps in (1.0, 5.0)]
        cheap.append(_probability_of_overfitting(worlds[0]))
        dear.append(_probability_of_overfitting(worlds[1]))
        mixed.append(_probability_of_overfitting(np.hstack(worlds)))
    print(f"mean PBO {np.mean(cheap):.3f}, {np.mean(dear):.3f}, mixed {np.mean(mixed):.3f}")
    assert abs(np.mean(cheap) - 0.5) <= 0.1
    assert abs(np.mean(dear) - 0.5) <= 0.1
    # Worlds taken as trials would flatter: the cheap world always wins, and always did.
    assert np.mean(mixed) < 0.4


def test_fifty_no_trade_bands_on_noise_are_fifty_trials():
    generator = np.random.default_rng(3)
    believed, naive, overfit, effective = [], [], [], []
    for _ in range(100):
        wanted = generator.normal(size=(SESSIONS, 24))
        moves = generator.normal(0, 0.002, (SESSIONS, 24))
        returns = np.column_stack([_banded(wanted, moves, band) for band in np.linspace(0, 1, 50)])
        best = returns[:, np.argmax(sharpe_daily_rows(returns.T))]
        believed.append(_deflated_of_the_best(returns) > 0.95)
        naive.append((probabilistic_sharpe_of(best) or 0.0) > 0.95)
        overfit.append(_probability_of_overfitting(returns))
        effective.append(effective_trials(returns).number)
    print(f"bands: deflated {np.mean(believed):.1%}, as one trial {np.mean(naive):.1%}")
    print(f"mean PBO {np.mean(overfit):.3f}, effective number {np.mean(effective):.1f}")
    assert np.mean(believed) <= 0.05 < np.mean(naive)
    assert abs(np.mean(overfit) - 0.5) <= 0.1
    assert 1 < np.mean(effective) < 50


def _banded(wanted: np.ndarray, moves: np.ndarray, band: float) -> np.ndarray:
    """Daily returns of following a noise target free of cost, ignoring small changes of it."""
    held = np.zeros(len(wanted))
    daily = np.zeros(len(wanted))
    for step in range(wanted.shape[1]):
        target = np.clip(wanted[:, step], -1, 1)
        held = np.where(np.abs(target - held) > band, target, held)
        daily += held * moves[:, step]
    return daily
