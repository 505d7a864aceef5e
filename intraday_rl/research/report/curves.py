"""Plots of the stitched account through time: equity and drawdown beside the baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intraday_rl.research.report.evidence import FoldEvidence
from intraday_rl.research.report.figures import Plot
from intraday_rl.statistics.drawdowns import drawdown_curve, equity_of_returns

FloatArray = NDArray[np.float64]
_Curve = Callable[[FloatArray], FloatArray]


def equity(folds: list[FoldEvidence]) -> Plot:
    """Growth of the stitched account beside its baselines."""
    layout = {"yaxis": {"ticksuffix": " %", "title": {"text": "growth"}}, **_marks(folds)}
    caption = (
        "Growth after all costs over the test windows, one after the other. Solid: mean over "
        "seeds, as traded. Band: lowest to highest seed. Hold pays the same costs; overnight buy "
        "and hold pays none and keeps the nights. A gap is a window that failed."
    )
    return Plot(
        "equity", "Equity on days the agent never saw", caption, _curves(folds, _growth), layout
    )


def drawdown(folds: list[FoldEvidence]) -> Plot:
    """Fall below the highest close so far."""
    layout = {
        "yaxis": {"ticksuffix": " %", "title": {"text": "below peak"}, "rangemode": "tozero"},
        **_marks(folds),
    }
    caption = "How far each curve stands below its own highest close so far, on the same days."
    return Plot("drawdown", "Drawdown", caption, _curves(folds, _fall), layout)


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    returns: list[FloatArray | None]  # one per fold; None where it does not exist
    color: str
    dash: str
    width: float


def _lines(folds: list[FoldEvidence]) -> list[_Line]:
    summaries = [fold.summary for fold in folds]
    flat: list[FloatArray | None] = [np.zeros(len(fold.days)) for fold in folds]
    lines = [
        _Line("flat", flat, "var(--flat)", "dot", 1.2),
        _Line("random", [s.random for s in summaries], "var(--flat)", "dashdot", 1.0),
        _Line("overnight buy and hold, no costs", [s.overnight for s in summaries],
              "var(--overnight)", "dashdot", 1.4),
        _Line("hold, open to cutoff", [s.hold for s in summaries], "var(--hold)", "dash", 1.6),
    ]  # fmt: skip
    raw, traded = [s.raw for s in summaries], [s.traded for s in summaries]
    differ = any(
        r is not None and t is not None and not np.array_equal(r, t)
        for r, t in zip(raw, traded, strict=True)
    )
    if differ:
        lines.append(_Line("agent, if traded (raw)", raw, "var(--agent)", "dot", 1.4))
    if any(series is not None for series in traded):
        lines.append(_Line("agent, as traded", traded, "var(--agent)", "solid", 2.6))
    return lines


def _curves(folds: list[FoldEvidence], curve: _Curve) -> list[dict[str, Any]]:
    days = _days(folds)
    data = _band(folds, days, curve)
    for line in _lines(folds):
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": line.name,
                "x": days,
                "y": _stitched(folds, line.returns, curve),
                "connectgaps": False,
                "line": {"color": line.color, "dash": line.dash, "width": line.width},
                "hovertemplate": "%{y:.1f} %",
            }
        )
    return data


def _band(folds: list[FoldEvidence], days: list[str], curve: _Curve) -> list[dict[str, Any]]:
    """Lowest to highest seed, over the folds that all seeds finished."""
    by_fold = [fold.seeds_as_traded() if fold.summary.traded is not None else {} for fold in folds]
    seeds = sorted(set().union(*by_fold))
    if len(seeds) < 2:
        return []
    curves = np.array(
        [
            [np.nan if value is None else value
             for value in _stitched(folds, [found.get(seed) for found in by_fold], curve)]
            for seed in seeds
        ]
    )  # fmt: skip
    known = np.isfinite(curves).all(axis=0)
    edges = []
    for name, values in (("lowest seed", curves.min(axis=0)), ("highest seed", curves.max(axis=0))):
        edges.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": days,
                "y": [float(v) if ok else None for v, ok in zip(values, known, strict=True)],
                "connectgaps": False,
                "line": {"width": 0, "color": "var(--agent)"},
                "showlegend": False,
                "hoverinfo": "skip",
            }
        )
    edges[1] |= {
        "fill": "tonexty",
        "fillcolor": "var(--band)",
        "name": f"lowest to highest of {len(seeds)} seeds",
        "showlegend": True,
    }
    return edges


def _days(folds: list[FoldEvidence]) -> list[str]:
    """The session dates, with one point before the first for the start of the account."""
    days = [day for fold in folds for day in fold.days]
    if not days:
        return []
    start = np.datetime64(days[0], "D") - np.timedelta64(1, "D")
    return [str(start), *days]


def _stitched(
    folds: list[FoldEvidence], returns: list[FloatArray | None], curve: _Curve
) -> list[float | None]:
    """Percentages at every close; None through a fold that has no such series."""
    if not any(fold.days for fold in folds):
        return []
    series = [
        np.zeros(len(fold.days)) if found is None else found
        for fold, found in zip(folds, returns, strict=True)
    ]
    values = 100.0 * curve(np.concatenate(series))
    known = np.concatenate(
        [[returns[0] is not None]]
        + [
            np.full(len(fold.days), found is not None)
            for fold, found in zip(folds, returns, strict=True)
        ]
    )
    return [round(float(v), 3) if ok else None for v, ok in zip(values, known, strict=True)]


def _growth(returns: FloatArray) -> FloatArray:
    return equity_of_returns(returns) - 1.0


def _fall(returns: FloatArray) -> FloatArray:
    return -drawdown_curve(equity_of_returns(returns))


def _marks(folds: list[FoldEvidence]) -> dict[str, Any]:
    """A line where a test window begins, a shade and a word over one that failed."""
    shapes: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for number, fold in enumerate(folds):
        if not fold.days:
            continue
        if number:
            shapes.append(
                {
                    "type": "line", "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
                    "x0": fold.days[0], "x1": fold.days[0],
                    "line": {"color": "var(--edge)", "width": 1, "dash": "dot"},
                }
            )  # fmt: skip
        if fold.summary.traded is None:
            shapes.append(
                {
                    "type": "rect", "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
                    "x0": fold.days[0], "x1": fold.days[-1],
                    "fillcolor": "var(--shade)", "line": {"width": 0},
                }
            )  # fmt: skip
            notes.append(
                {
                    "x": fold.days[len(fold.days) // 2], "yref": "paper", "y": 0.98,
                    "text": "failed", "showarrow": False,
                }
            )  # fmt: skip
    return {"shapes": shapes, "annotations": notes, "hovermode": "x unified"}
