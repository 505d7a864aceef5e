"""The cost surface as a picture and as a table on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table


def write_heat_map(table: pd.DataFrame, path: Path) -> None:
    """Net Sharpe over slippage and commission, a panel per fold, at the lowest impact."""
    lowest = table[table["impact_coefficient"] == table["impact_coefficient"].min()]
    folds = list(dict.fromkeys(lowest["fold"]))
    bound = max(float(lowest["sharpe"].abs().max()), 1e-9)
    figure = Figure(figsize=(4.6 * len(folds) + 1.2, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(folds), squeeze=False, sharey=True)[0]
    for axis, fold in zip(axes, folds, strict=True):
        grid = lowest[lowest["fold"] == fold].pivot_table(
            index="commission_scale", columns="slippage_bps", values="sharpe"
        )
        image = axis.pcolormesh(
            grid.columns, grid.index, grid.to_numpy(), cmap="RdBu", vmin=-bound, vmax=bound
        )
        if min(grid.shape) > 1:  # a line of zeros needs a plane to lie in
            axis.contour(grid.columns, grid.index, grid.to_numpy(), levels=[0.0], colors="black")
        axis.set_title(fold, fontsize=9)
        axis.set_xlabel("slippage, bp a side")
    axes[0].set_ylabel("commission, multiple of the trained one")
    figure.colorbar(image, ax=axes, label="net Sharpe (black line: 0)")
    figure.suptitle("Frozen policy under other costs", fontsize=11)
    figure.savefig(path, dpi=110)


def print_surface(table: pd.DataFrame, content: dict[str, Any], place: Path) -> None:
    """Break-even per fold and what the surface does not say."""
    console = Console()
    shown = Table(title=f"cost surface of {content['run_key']}: {content['points']} points a fold")
    for name in ("fold", "seeds", "break-even slippage, bp a side", "Sharpe without slippage"):
        shown.add_column(name, justify="left" if name == "fold" else "right")
    free = table[(table["slippage_bps"] == 0) & (table["commission_scale"] == 1)]
    for fold, facts in content["folds"].items():
        sharpe = free.loc[free["fold"] == fold, "sharpe"]
        shown.add_row(
            fold,
            str(facts["seeds"]),
            f"{facts['break_even_slippage_bps']:.2f}",
            f"{sharpe.iloc[0]:.2f}" if len(sharpe) else "-",
        )
    console.print(shown)
    console.print(f"policy {content['policy']}; impact {content['impact']}", highlight=False)
    console.print(f"table and heat map: {place}", highlight=False, soft_wrap=True)
