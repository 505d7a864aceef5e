"""How far the recent sessions are from those the model was trained on, column by column.

| figure | what |
|---|---|
| PSI | Σ (p − q) ln(p ÷ q) over the deciles of training; p now, q in training |
| KS | largest distance of the two distribution functions, 0 to 1 |

Training is read from the bars, from the model's first to its last train session: the scaler keeps
two moments only, and the bars before the tuning span are there anyway, since features are computed
from their fixed origin. Where they are not, nothing is claimed. No p-value: bars of a day are not
independent, and slow columns wander within any month.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intraday_rl.dataset import Dataset
from intraday_rl.trading.tape import hold_returns

BINS = 10
SMALLEST_SHARE = 1e-4  # an empty bin would make PSI infinite
RETURNS = "return_to_next_fill"
LARGE_PSI = 0.25


@dataclass(frozen=True, slots=True)
class Drift:
    """One column: `psi`, `ks`, and means in training and now."""

    name: str
    psi: float
    ks: float
    mean_then: float
    mean_now: float


def drift_of(
    dataset: Dataset, train_start: str, train_end: str, recent: Sequence[dt.date]
) -> list[Drift]:
    """Every market column and the returns; empty if the bars of training are not there."""
    days = dataset.tape.dates
    first, last = np.datetime64(train_start), np.datetime64(train_end)
    trained = np.flatnonzero((days >= first) & (days <= last) & dataset.warm)
    if first not in days or last not in days or not trained.size:
        return []
    now = dataset.tape.index_of(tuple(recent))
    then_rows, now_rows = (_decisions(dataset, chosen) for chosen in (trained, now))
    found = [
        _drift(name, then_rows[:, column], now_rows[:, column])
        for column, name in enumerate(dataset.table.names)
    ]
    returns = (hold_returns(dataset.tape, chosen) for chosen in (trained, now))
    return [*found, _drift(RETURNS, *returns)]


def population_stability(then: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """PSI over the deciles of `then`; 0 for a column that had one value and keeps it."""
    edges = np.unique(np.quantile(then, np.linspace(0.0, 1.0, BINS + 1)[1:-1]))
    shares = [
        np.bincount(np.searchsorted(edges, sample, side="right"), minlength=edges.size + 1)
        / sample.size
        for sample in (then, now)
    ]
    q, p = (np.maximum(share, SMALLEST_SHARE) for share in shares)
    return float(((p - q) * np.log(p / q)).sum())


def kolmogorov_smirnov(then: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """Largest distance of the two empirical distribution functions."""
    points = np.concatenate([then, now])
    shares = [
        np.searchsorted(np.sort(sample), points, side="right") / sample.size
        for sample in (then, now)
    ]
    return float(np.abs(shares[0] - shares[1]).max())


def write_drift_plot(drift: Sequence[Drift], path: Path) -> None:
    """PSI and KS of every column, the largest PSI on top."""
    from matplotlib.figure import Figure

    ordered = sorted(drift, key=lambda one: one.psi)
    places = np.arange(len(ordered))
    figure = Figure(figsize=(8, 1.2 + 0.32 * len(ordered)), layout="constrained")
    psi, ks = figure.subplots(1, 2, sharey=True)
    psi.barh(places, [one.psi for one in ordered])
    psi.axvline(LARGE_PSI, color="black", linewidth=0.8, linestyle=":")
    psi.set_yticks(places, [one.name for one in ordered])
    psi.set_xlabel("PSI on deciles of training")
    ks.barh(places, [one.ks for one in ordered])
    ks.set_xlabel("KS distance")
    figure.suptitle("recent sessions against training")
    figure.savefig(path, dpi=100)


def _decisions(dataset: Dataset, sessions: NDArray[np.int64]) -> NDArray[np.float64]:
    tape = dataset.tape
    return np.asarray(dataset.table.values[tape.bar[tape.decision_rows(sessions)]], np.float64)


def _drift(name: str, then: NDArray[np.float64], now: NDArray[np.float64]) -> Drift:
    return Drift(
        name=name,
        psi=population_stability(then, now),
        ks=kolmogorov_smirnov(then, now),
        mean_then=float(then.mean()),
        mean_now=float(now.mean()),
    )
