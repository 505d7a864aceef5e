"""A finished run under other costs: every axis of the surface does what it says."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from intraday_rl.config import compose_plan, reload, saved
from intraday_rl.outcome import Context
from intraday_rl.research import cost_surface

FREE = ["task.slippage_bps=[0]", "task.commission_scales=[0]", "task.impact_coefficients=[0]"]


@pytest.fixture(scope="module")
def surface(held) -> Callable[[str], pd.DataFrame]:
    """The surface of one finished run over one axis, the other costs at nothing."""

    def over(axis: str) -> pd.DataFrame:
        _, folder = held
        chosen = [text for text in FREE if text.partition("=")[0] != axis.partition("=")[0]]
        plan = compose_plan(["task=cost_surface", f"task.run={folder.path}", *chosen, axis])
        cost_surface.run(plan, Context(saved(plan), [], reload))
        return pd.read_parquet(folder.path / "cost_surface" / "surface.parquet")

    return over


@pytest.mark.slow("truth")
@pytest.mark.parametrize(
    ("axis", "column"),
    [
        ("task.slippage_bps=[0,1,2]", "slippage_bps"),
        ("task.commission_scales=[0,1,2]", "commission_scale"),
        ("task.impact_coefficients=[0,1,2]", "impact_coefficient"),
    ],
)
def test_every_axis_of_the_surface_costs_money(surface, axis, column):
    table = surface(axis)
    for _, fold in table.groupby("fold"):
        assert fold[column].tolist() == [0.0, 1.0, 2.0]
        assert fold["total_return"].is_monotonic_decreasing
        assert fold["total_return"].is_unique
