"""Plots of what the policy did: costs, actions, times of day."""

from __future__ import annotations

import numpy as np
import pandas as pd

from intraday_rl.research.evaluation import ACTION_BINS
from intraday_rl.research.report.evidence import FoldEvidence
from intraday_rl.research.report.facts import cost_sums
from intraday_rl.research.report.figures import Plot
from intraday_rl.research.report.numbers import dollars
from intraday_rl.trading.ledger import COSTS


def cost_waterfall(folds: list[FoldEvidence]) -> Plot:
    """From gross to net, raw policy."""
    sums = cost_sums(folds, as_traded=False)
    values = [sums["gross_pnl"], *(-sums[name] for name in COSTS), sums["net_pnl"]]
    data = {
        "type": "waterfall",
        "x": ["gross", *COSTS, "net"],
        "y": [round(value, 2) for value in values],
        "measure": ["absolute", *["relative"] * len(COSTS), "total"],
        "increasing": {"marker": {"color": "var(--agent)"}},
        "decreasing": {"marker": {"color": "var(--hold)"}},
        "totals": {"marker": {"color": "var(--agent)"}},
        "connector": {"line": {"color": "var(--grid)"}},
        "text": [dollars(value) for value in values],
        "textposition": "outside",
        "cliponaxis": False,
        "hovertemplate": "%{x}: %{text}<extra></extra>",
    }
    caption = (
        "US dollars of one account per window, mean over seeds, summed over the windows; the raw "
        "policy, as if no seed had abstained."
    )
    layout = {"yaxis": {"tickformat": "$~s"}, "showlegend": False}
    return Plot("costs", "What the costs took", caption, [data], layout)


def action_histogram(folds: list[FoldEvidence]) -> Plot:
    """All raw actions of the test."""
    counts = np.sum([f.summary.content["actions"]["counts"] for f in folds if f.results], axis=0)
    centres = (ACTION_BINS[1:] + ACTION_BINS[:-1]) / 2
    shares = 100.0 * counts / max(int(counts.sum()), 1)
    data = {
        "type": "bar",
        "x": [round(float(centre), 3) for centre in centres],
        "y": [round(float(share), 3) for share in shares],
        "marker": {"color": "var(--agent)"},
        "hovertemplate": "action %{x}: %{y:.1f} %<extra></extra>",
    }
    layout = {
        "xaxis": {"title": {"text": "action: −1 short, 0 flat, 1 long"}, "range": [-1.05, 1.05]},
        "yaxis": {"ticksuffix": " %", "title": {"text": "decisions"}},
        "bargap": 0.08,
        "showlegend": False,
    }
    caption = "Raw actions of the policy over all test decisions, before the no-trade band."
    return Plot("actions", "What the policy asked for", caption, [data], layout)


def actions_by_time(by_time: pd.DataFrame) -> Plot:
    """Share of each action by New York time."""
    bins = [name for name in by_time.columns if str(name).startswith("bin_")]
    centres = (ACTION_BINS[1:] + ACTION_BINS[:-1]) / 2
    data = {
        "type": "heatmap",
        "x": [str(time) for time in by_time.index],
        "y": [round(float(centre), 3) for centre in centres],
        "z": [[round(100.0 * float(v), 2) for v in by_time[name]] for name in bins],
        "colorscale": "sequential",
        "zmin": 0,
        "colorbar": {"ticksuffix": " %", "thickness": 10, "outlinewidth": 0},
        "hovertemplate": "%{x} action %{y}: %{z:.1f} %<extra></extra>",
    }
    layout = {
        "xaxis": {"type": "category", "title": {"text": "New York time"}, "nticks": 8},
        "yaxis": {"title": {"text": "action"}},
    }
    caption = "Share of the decisions at each time of day that fall in each range of actions."
    return Plot("actions_by_time", "Actions by time of day", caption, [data], layout)


def target_by_time(by_time: pd.DataFrame) -> Plot:
    """Mean target and share in the market by New York time."""
    times = [str(time) for time in by_time.index]
    shares = (
        ("mean target", by_time["mean_target"], "var(--agent)", "solid"),
        ("share long", by_time["long"], "var(--hold)", "dash"),
        ("share short", by_time["short"], "var(--overnight)", "dot"),
    )
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": times,
            "y": [round(float(value), 4) for value in values],
            "line": {"color": color, "dash": dash, "width": 2},
            "marker": {"size": 4},
        }
        for name, values, color, dash in shares
    ]
    layout = {
        "xaxis": {"type": "category", "title": {"text": "New York time"}, "nticks": 8},
        "yaxis": {"title": {"text": "fraction"}},
    }
    caption = "Mean target as a fraction of equity, and how often the target is long or short."
    return Plot("target_by_time", "Mean target by time of day", caption, data, layout)
