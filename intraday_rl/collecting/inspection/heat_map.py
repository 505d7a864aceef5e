"""Coverage as a picture: a row a month, a cell a day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

# Share of a session's bars that are there, from .. to below, and how it is drawn: dark is bad, so
# that a single hole is seen at once, also in print.
_STEPS = (
    (0.0, "absent", "#67001f"),
    (1e-9, "below 90 %", "#d6604d"),
    (0.9, "bars missing", "#f4a582"),
    (1.0, "whole", "#cfe3f2"),
)


def write_coverage_map(sessions: pd.DataFrame, title: str, path: Path) -> None:
    """A PNG of `sessions_table`; days without a session stay white, half days carry a dot."""
    days = pd.DatetimeIndex(sessions.index)
    months = days.to_period("M")
    rows = pd.period_range(months[0], months[-1], freq="M")
    grid = np.full((len(rows), 31), np.nan)
    at = np.asarray((months - rows[0]).map(lambda offset: offset.n)), days.day.to_numpy() - 1
    grid[at] = np.minimum(sessions["share"].to_numpy(), 1.0)
    figure = Figure(figsize=(8.6, 1.4 + 0.13 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    colours = ListedColormap([colour for _, _, colour in _STEPS])
    edges = [low for low, _, _ in _STEPS]
    norm = BoundaryNorm([*edges[:1], *edges[1:], 1.0 + 1e-9], colours.N)
    axis.pcolormesh(
        np.arange(32) + 0.5, np.arange(len(rows) + 1), grid, cmap=colours, norm=norm,
        edgecolors="white", linewidth=0.4,
    )  # fmt: skip
    half = sessions["half_day"].to_numpy()
    axis.plot(at[1][half] + 1, at[0][half] + 0.5, ".", color="black", markersize=3)
    axis.set_ylim(len(rows), 0)
    step = max(1, len(rows) // 24)
    axis.set_yticks(np.arange(0, len(rows), step) + 0.5, [str(row) for row in rows[::step]])
    axis.set_xticks(range(1, 32, 5))
    axis.set_xlabel("day of the month (dot: half day)")
    axis.set_title(title, fontsize=10)
    handles = [Patch(color=colour, label=label) for _, label, colour in _STEPS]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(_STEPS), fontsize=8)
    figure.savefig(path, dpi=120)
