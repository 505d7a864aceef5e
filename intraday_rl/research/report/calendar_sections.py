"""The tables by month and by weekday, as traded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from intraday_rl.research.fit import fold_generator
from intraday_rl.research.fold_summary import SUMMARY_SEED
from intraday_rl.research.report.evidence import mean_interval
from intraday_rl.research.report.numbers import (
    NOTHING,
    count,
    number,
    percent,
    with_interval,
)
from intraday_rl.research.report.tables import Table
from intraday_rl.statistics.calendar_tables import WEEKDAYS, monthly_returns, weekday_returns

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def monthly(verdict: dict[str, Any]) -> Table:
    """Return by month, as traded."""
    table = monthly_returns(_dates(verdict), verdict["daily_returns"]["as_traded"])
    rows = [
        [
            str(year),
            *(NOTHING if pd.isna(value) else number(100.0 * float(value), 1) for value in values),
        ]
        for year, values in zip(table.index, table.to_numpy(), strict=True)
    ]
    note = "Realised net returns, compounded, as traded; – means no test session in that month."
    return Table("Net return by month, in %", ["year", *MONTHS, "year"], rows, note)


def weekday(verdict: dict[str, Any]) -> Table:
    """Daily return by weekday, as traded, with intervals."""
    returns = np.asarray(verdict["daily_returns"]["as_traded"], float)
    days = _dates(verdict)
    table = weekday_returns(days, returns)
    generator = fold_generator(SUMMARY_SEED, "report weekdays")
    of_session = pd.DatetimeIndex(days).day_of_week.to_numpy()
    rows = []
    for name, values in table.iterrows():
        chosen = returns[of_session == WEEKDAYS.index(str(name))]
        rows.append(
            [
                str(name),
                count(float(values["sessions"])),
                with_interval(mean_interval(chosen, generator), "bp"),
                percent(float(values["share_positive"])),
            ]
        )
    columns = ["weekday", "sessions", "mean a day", "days with a gain"]
    note = "Five weekdays are five looks at the same days: one interval off zero is no discovery."
    return Table("Net return by weekday", columns, rows, note)


def _dates(verdict: dict[str, Any]) -> Any:
    return np.array(verdict["dates"], "datetime64[D]")


def _in_percent(value: float) -> str:
    return NOTHING if pd.isna(value) else number(100.0 * float(value), 1)
