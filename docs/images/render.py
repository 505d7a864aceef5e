"""Draw `equity.png` from a finished run: `python docs/images/render.py outputs/runs/<key>`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter

LINES = (
    ("as_traded", "agent, as traded", "#0072b2", "-", 1.8),
    ("raw", "agent, raw policy (abstention ignored)", "#0072b2", ":", 1.0),
    ("hold", "hold, open to cutoff", "#d55e00", "-", 1.2),
)


def main(run: Path) -> None:
    """One figure: growth since the first test day, net of all costs, with the fold borders."""
    verdict = json.loads((run / "verdict.json").read_text("utf-8"))
    days = np.array(verdict["dates"], "datetime64[D]")
    figure, axes = plt.subplots(figsize=(9.0, 4.2), dpi=110, layout="constrained")
    for name, label, colour, style, width in LINES:
        equity = np.cumprod(1.0 + np.array(verdict["daily_returns"][name]))
        axes.plot(days, equity, color=colour, ls=style, lw=width, label=label)
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"×{value:g}"))
    low, high = axes.get_ylim()
    for name, fold in verdict["folds"].items():
        start = np.datetime64(name.split("_")[0])
        axes.axvline(start, color="#555555", lw=0.8, ls="--")
        text = f"test from {start}\n{fold['verdict']}"
        axes.annotate(text, (start, high), (4, -4), textcoords="offset points",
                      va="top", fontsize=8, color="#333333")  # fmt: skip
    axes.set_ylim(low, high)
    axes.axhline(1.0, color="#555555", lw=0.6)
    axes.set_ylabel("equity since the first test day (log scale)")
    kind = "SYNTHETIC bars, not a market" if verdict["synthetic"] else verdict["data_source"]
    axes.set_title(
        f"{verdict['symbol']} {verdict['agent']} ({verdict['reward']}), {kind}: "
        "test years only, net of all costs",
        loc="left",
        fontsize=10,
    )
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, 0.86), fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(__file__).parent / "equity.png", metadata={"Software": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
