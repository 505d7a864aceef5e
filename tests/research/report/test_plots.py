"""The PNGs of a fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib._pylab_helpers import Gcf

from intraday_rl.research.plots import write_fold_plots
from intraday_rl.research.report import curves, evidence

MakeRun = Callable[..., Any]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.slow("truth")
@pytest.mark.parametrize(
    ("kind", "seeds"),
    [("plain", (0,)), ("abstained", (0, 1)), ("no_trades", (0, 1)), ("failed", (0,)),
     ("failed", (0, 1))],
)  # fmt: skip
def test_every_kind_of_fold_gets_equity_and_drawdown(
    tmp_path: Path, make_run: MakeRun, kind: str, seeds: tuple[int, ...]
) -> None:
    run = make_run(tmp_path, kinds=(kind,), seeds=seeds)
    paths = write_fold_plots(tmp_path / "fold", run.folds[0], run.results[0])
    assert [path.name for path in paths] == ["equity.png", "drawdown.png"]
    assert all(path.read_bytes().startswith(PNG) for path in paths)
    assert sorted(path.name for path in (tmp_path / "fold").iterdir()) == [
        "drawdown.png",
        "equity.png",
    ]


def test_constant_series_and_dollar_signs_are_drawn(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run(tmp_path, kinds=("no_trades",), symbol="A$B$C_^{")
    still = replace(run.folds[0], hold=np.zeros(40), overnight=np.zeros(40))
    assert len(write_fold_plots(tmp_path, still, run.results[0])) == 2


def test_plots_leave_no_global_figure_behind(tmp_path: Path, make_run: MakeRun) -> None:
    before = list(Gcf.get_all_fig_managers())
    run = make_run(tmp_path, kinds=("plain",))
    write_fold_plots(tmp_path, run.folds[0], run.results[0])
    assert list(Gcf.get_all_fig_managers()) == before


def test_the_report_leaves_a_gap_where_a_window_failed(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run(tmp_path, kinds=("plain", "failed"))
    plot = curves.equity(evidence.gather(run.folder, run.folds))
    agent = next(trace for trace in plot.data if trace["name"] == "agent, as traded")
    hold = next(trace for trace in plot.data if trace["name"].startswith("hold"))
    assert len(agent["x"]) == len(agent["y"]) == 81
    assert None not in agent["y"][:41]
    assert set(agent["y"][41:]) == {None}
    assert None not in hold["y"]


def test_the_band_spans_the_seeds_as_traded(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run(tmp_path)
    plot = curves.equity(evidence.gather(run.folder, run.folds))
    low, high = plot.data[0], plot.data[1]
    ends = [
        100 * (np.prod([1 + r for fold in run.results for r in fold[seed]["daily_returns"]]) - 1)
        for seed in (0, 1)
    ]
    assert [low["y"][-1], high["y"][-1]] == pytest.approx(sorted(ends), abs=1e-3)
