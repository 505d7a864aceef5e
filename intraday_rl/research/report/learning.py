"""Plots of the training: validation Sharpe and losses by decisions."""

from __future__ import annotations

from typing import Any

from intraday_rl.research.report.evidence import FoldEvidence
from intraday_rl.research.report.figures import Plot, capital

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_FOLD_COLORS = 6


def learning(folds: list[FoldEvidence]) -> list[Plot]:
    """Validation Sharpe and every logged loss by decisions; none for agents that do not learn."""
    scores = [
        (_series_name(fold, result), number, result["seed"],
         [point["step"] for point in result["checkpoints"]],
         [point["sharpe"] for point in result["checkpoints"]], result["checkpoint"])
        for number, fold in enumerate(folds)
        for result in fold.results
        if result["checkpoints"]
    ]  # fmt: skip
    if not scores:
        return []
    data = []
    for label, number, seed, steps, values, chosen in scores:
        data.append(_training_line(label, number, seed, steps, values))
        if chosen:
            data.append(_chosen(number, chosen))
    caption = (
        "Sharpe on the first validation half while training; the ring is the checkpoint that was "
        "kept. The highest of many looks flatters: the second half scores it anew, with its "
        "interval in the table of results."
    )
    layout = {"xaxis": {"title": {"text": "decisions"}}, "yaxis": {"title": {"text": "Sharpe"}}}
    plots = [Plot("learning", "Validation while learning", caption, data, layout)]
    names = sorted({name for f in folds for r in f.results for _, name, _ in r["curve"]})
    return plots + [_loss(name, folds) for name in names]


def _loss(name: str, folds: list[FoldEvidence]) -> Plot:
    data = []
    for number, fold in enumerate(folds):
        for result in fold.results:
            points = [(step, value) for step, key, value in result["curve"] if key == name]
            steps, values = [step for step, _ in points], [value for _, value in points]
            data.append(
                _training_line(_series_name(fold, result), number, result["seed"], steps, values)
            )
    label = name.replace("_", " ")
    layout = {"xaxis": {"title": {"text": "decisions"}}, "yaxis": {"title": {"text": label}}}
    caption = f"{capital(label)} while training, mean since the point before."
    return Plot(f"loss_{name}", capital(label), caption, data, layout)


def _training_line(
    label: str, number: int, seed: int, steps: list[int], values: list[float]
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(steps) < 60 else "lines",
        "name": label,
        "x": steps,
        "y": [round(value, 6) for value in values],
        "line": {
            "color": f"var(--fold-{number % _FOLD_COLORS})",
            "dash": _DASHES[seed % len(_DASHES)],
            "width": 1.6,
        },
        "marker": {"size": 4},
    }


def _chosen(number: int, checkpoint: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [checkpoint["step"]],
        "y": [round(checkpoint["sharpe"], 6)],
        "showlegend": False,
        "hovertemplate": "kept: %{x} decisions, %{y:.2f}<extra></extra>",
        "marker": {
            "size": 12,
            "symbol": "circle-open",
            "line": {"width": 2},
            "color": f"var(--fold-{number % _FOLD_COLORS})",
        },
    }


def _series_name(fold: FoldEvidence, result: dict[str, Any]) -> str:
    return f"{fold.name[:10]} seed {result['seed']}"
