"""Equity and drawdown of a fold as PNG files: the agent with its seeds, beside holding."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from intraday_rl.research.fold_summary import FoldSummary
from intraday_rl.statistics.drawdowns import drawdown_curve, equity_of_returns

EQUITY_FILE, DRAWDOWN_FILE = "equity.png", "drawdown.png"
_SIZE_INCHES = (9.0, 4.5)
_DOTS_PER_INCH = 120
# Okabe and Ito's palette: told apart with any colour vision; dashes tell them apart in grey.
_BLUE, _ORANGE, _PURPLE, _GREY = "#0072B2", "#D55E00", "#AA4499", "#767676"

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Line:
    label: str
    returns: FloatArray
    color: str
    style: str
    width: float = 1.3


def write_fold_plots(
    folder: Path, summary: FoldSummary, finished: list[dict[str, Any]]
) -> list[Path]:
    """Write `equity.png` and `drawdown.png` into the fold's folder; returns their paths.

    | drawn               | from                                                             |
    |---------------------|------------------------------------------------------------------|
    | agent               | mean daily net return over seeds, as traded, compounded          |
    | agent, if traded    | the same without abstention, where a seed abstained              |
    | band                | lowest to highest seed as traded at each close, from two seeds on |
    | hold, overnight     | the same days; overnight is close to close, without costs        |
    | flat                | nothing gained, nothing lost                                     |

    A failed fold has no agent line: its plots say so and show the baselines.
    """
    folder.mkdir(parents=True, exist_ok=True)
    days = _days(summary)
    paths = []
    for name, title, curve in (
        (EQUITY_FILE, "growth of equity", _growth),
        (DRAWDOWN_FILE, "fall below the highest close so far", _fall),
    ):
        figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        _draw_band(axes, days, [curve(series) for series in _seeds(summary, finished)])
        for line in _lines(summary):
            axes.plot(
                days,
                curve(line.returns),
                color=line.color,
                linestyle=line.style,
                linewidth=line.width,
                label=line.label,
            )
        _finish(axes, summary, title)
        path = folder / name
        temporary = path.with_suffix(".partial")
        figure.savefig(temporary, format="png")
        temporary.replace(path)
        paths.append(path)
    return paths


def _days(summary: FoldSummary) -> NDArray[np.datetime64]:
    """Test sessions, with the start of the curve one day before the first."""
    test = summary.window.test
    if test is None or not test.sessions:
        return np.zeros(1, "datetime64[D]")
    sessions = np.array(test.sessions, "datetime64[D]")
    return np.concatenate([sessions[:1] - np.timedelta64(1, "D"), sessions])


def _seeds(summary: FoldSummary, finished: list[dict[str, Any]]) -> list[FloatArray]:
    """Daily returns as traded of each seed; none when the fold has no result."""
    if summary.traded is None:
        return []
    return [
        np.asarray(result["daily_returns"], float) * (0.0 if result["abstained"] else 1.0)
        for result in finished
    ]


def _lines(summary: FoldSummary) -> list[_Line]:
    lines = [
        _Line("flat", np.zeros(summary.hold.size), _GREY, ":", 1.0),
        _Line("overnight buy and hold, no costs", summary.overnight, _PURPLE, "-."),
        _Line("hold, open to cutoff", summary.hold, _ORANGE, "--"),
    ]
    if summary.traded is not None and summary.raw is not None:
        if not np.array_equal(summary.raw, summary.traded):
            lines.append(_Line("agent, if traded (raw)", summary.raw, _BLUE, ":"))
        lines.append(_Line("agent, as traded", summary.traded, _BLUE, "-", 2.0))
    return lines


def _growth(returns: FloatArray) -> FloatArray:
    return equity_of_returns(returns) - 1.0


def _fall(returns: FloatArray) -> FloatArray:
    return -drawdown_curve(equity_of_returns(returns))


def _draw_band(axes: Axes, days: NDArray[np.datetime64], curves: list[FloatArray]) -> None:
    if len(curves) < 2:
        return
    together = np.array(curves)
    label = f"lowest to highest of {len(curves)} seeds"
    axes.fill_between(
        days, together.min(axis=0), together.max(axis=0), color=_BLUE, alpha=0.18, lw=0, label=label
    )


def _finish(axes: Axes, summary: FoldSummary, title: str) -> None:
    content = summary.content
    note = ", synthetic bars" if content["synthetic"] else ""
    axes.set_title(
        f"{content['symbol']} {content['agent']}, test {summary.window.name}: {title}, "
        f"net of costs{note}",
        loc="left",
        fontsize=10,
        parse_math=False,
    )
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(visible=True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="best", fontsize=8, framealpha=0.85)
    if summary.traded is None:
        axes.text(
            0.5,
            0.5,
            "this fold failed: no result",
            transform=axes.transAxes,
            ha="center",
            fontsize=14,
            color=_ORANGE,
        )
