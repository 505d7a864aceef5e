"""Plots of a sweep's report: growth of best, chosen and hold, scores and tests, PBO's logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intraday_rl.research.report.figures import Plot
from intraday_rl.research.sweep.judging import Judged
from intraday_rl.statistics.drawdowns import equity_of_returns

_BINS = 40


def of_world(key: str, judged: Judged) -> list[Plot]:
    """Every plot that a world has the numbers for; `key` makes their names distinct."""
    found = [_growth(key, judged), _scores(key, judged), _logits(key, judged)]
    return [plot for plot in found if plot is not None]


def _growth(key: str, judged: Judged) -> Plot | None:
    world = judged.world
    if judged.best is None or not world.days:
        return None
    start = np.datetime64(world.days[0], "D") - np.timedelta64(1, "D")
    days = [str(start), *world.days]
    lines: list[tuple[str, NDArray[np.float64], str, str, float]] = []
    if world.hold is not None:
        lines.append(("hold, open to cutoff", world.hold, "var(--hold)", "dash", 1.6))
    if judged.chosen is not None and judged.content["trials"]["with_series"] > 1:
        lines.append(
            ("chosen before each window", judged.chosen.traded, "var(--fold-2)", "solid", 2.2)
        )
    lines.append(("best in hindsight", judged.best.traded, "var(--agent)", "dot", 2.2))
    if not np.array_equal(judged.best.raw, judged.best.traded):
        lines.append(("the same, if traded (raw)", judged.best.raw, "var(--flat)", "dashdot", 1.4))
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": days,
            "y": [round(100.0 * (float(v) - 1.0), 3) for v in equity_of_returns(returns)],
            "line": {"color": color, "dash": dash, "width": width},
            "hovertemplate": "%{y:.1f} %",
        }
        for name, returns, color, dash, width in lines
    ]
    caption = (
        "Growth after all costs over the test windows, mean over seeds, as traded. The best was "
        "picked after the tests were seen and flatters by construction; the chosen could have "
        "been followed."
    )
    layout = {"yaxis": {"ticksuffix": " %", "title": {"text": "growth"}}}
    return Plot(f"{key}-growth", "Best, chosen and holding", caption, data, layout)


def _scores(key: str, judged: Judged) -> Plot | None:
    rows = [row for row in judged.content["ranking"] if row["validation_score"] is not None]
    if len(rows) < 2 or all(row["test_sharpe"] is None for row in rows):
        return None
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [round(row["validation_score"], 4) for row in rows],
            "y": [round(row["test_sharpe"] or 0.0, 4) for row in rows],
            "text": [row["name"] for row in rows],
            "marker": {"color": "var(--agent)", "size": 9},
            "hovertemplate": "%{text}<br>validation %{x:.2f}, test %{y:.2f}<extra></extra>",
            "showlegend": False,
        }
    ]
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "mean validation score"}},
        "yaxis": {"title": {"text": "test Sharpe ratio, as traded"}},
    }
    caption = (
        "One point per configuration. If validation told anything about the tests, the points "
        "would rise from left to right."
    )
    return Plot(f"{key}-scores", "Validation against test", caption, data, layout)


def _logits(key: str, judged: Judged) -> Plot | None:
    found = judged.overfitting
    if found is None:
        return None
    # A winner in the very middle is no better than the median: it belongs to the left.
    logits = np.where(found.logits == 0, np.nextafter(0.0, -1.0), found.logits)
    reach = max(float(np.abs(logits).max()), 1.0)
    counts, edges = np.histogram(logits, np.linspace(-reach, reach, _BINS + 1))
    centres = (edges[:-1] + edges[1:]) / 2
    worse = centres < 0
    share = counts / counts.sum()
    data = [
        {
            "type": "bar",
            "name": name,
            "x": [round(float(x), 4) for x in centres[kept]],
            "y": [round(100.0 * float(y), 3) for y in share[kept]],
            "width": float(edges[1] - edges[0]),
            "marker": {"color": color},
            "hovertemplate": "%{y:.1f} % of splits<extra></extra>",
        }
        for name, kept, color in (
            ("lower half afterwards", worse, "var(--hold)"),
            ("upper half afterwards", ~worse, "var(--agent)"),
        )
    ]
    layout: dict[str, Any] = {
        "barmode": "overlay",
        "xaxis": {"title": {"text": "logit of the winner's rank on the other half"}},
        "yaxis": {"ticksuffix": " %", "title": {"text": "share of splits"}},
    }
    caption = (
        f"Over {len(found.logits):,} ways to cut the test days in two halves: where the winner of "
        f"one half ranks on the other. Left of zero is the lower half of the {found.trials} "
        "configurations; the share there is the PBO. Zero itself counts as lower half."
    )
    return Plot(f"{key}-logits", "Does the winner win again?", caption, data, layout)
