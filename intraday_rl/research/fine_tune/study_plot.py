"""Both accounts of a study as a picture: the model left as it was, and the one that was tuned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def write_study_plot(content: dict[str, Any], path: Path) -> None:
    """A PNG: equity of both accounts after costs, and a mark where a challenger took office."""
    days = pd.to_datetime(content["dates"])
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for name, colour in (("frozen", "#666666"), ("adapted", "#1f77b4")):
        equity = 100 * np.cumprod(1 + np.array(content["daily_returns"][name]))
        axis.plot(days, equity, label=name, color=colour, linewidth=1.4)
    taken = [one["first_session"] for one in content["rounds"] if one["adapted"]]
    for number, day in enumerate(np.array(taken, "datetime64[D]")):
        label = "challenger took office" if number == 0 else None
        axis.axvline(day, color="#1f77b4", alpha=0.3, linewidth=0.8, label=label)
    axis.set_ylabel("equity after costs, start = 100")
    difference = content["difference"]
    bounds = "no interval"
    if difference["low_bps"] is not None:
        bounds = (
            f"{difference['confidence']:.0%} interval {difference['low_bps']:+.2f} to "
            f"{difference['high_bps']:+.2f}"
        )
    synthetic = ", synthetic bars" if content["synthetic"] else ""
    axis.set_title(
        f"{content['symbol']}{synthetic}: adapted - frozen {difference['mean_bps']:+.2f} bps a "
        f"day, {bounds}",
        fontsize=10,
    )
    axis.legend(loc="best", fontsize=8)
    figure.savefig(path, dpi=110)
