"""Returns by month and by weekday, from daily session returns."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from intraday_rl.statistics.arrays import FloatArray, finite_vector, same_length
from intraday_rl.statistics.ratios import sharpe, total_return

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def monthly_returns(sessions: NDArray[np.datetime64], returns: ArrayLike) -> pd.DataFrame:
    """Compounded return per month: a row per year, columns 1 to 12 and `year`; NaN = no session."""
    series = finite_vector("returns", returns)
    same_length(sessions=sessions, returns=series)
    days = pd.DatetimeIndex(sessions)
    years, months = days.year.to_numpy(), days.month.to_numpy()
    rows = np.unique(years)
    table = pd.DataFrame(np.nan, index=pd.Index(rows, name="year"), columns=[*range(1, 13), "year"])
    for year in rows:
        table.loc[year, "year"] = total_return(series[years == year])
        for month in np.unique(months[years == year]):
            inside = (years == year) & (months == month)
            table.loc[year, int(month)] = total_return(series[inside])
    return table


def weekday_returns(sessions: NDArray[np.datetime64], returns: ArrayLike) -> pd.DataFrame:
    """Per weekday that occurs: sessions, mean, share_positive, sharpe (annualised, NaN = none)."""
    series = finite_vector("returns", returns)
    same_length(sessions=sessions, returns=series)
    weekdays = pd.DatetimeIndex(sessions).day_of_week.to_numpy()
    found = np.unique(weekdays)
    return pd.DataFrame(
        [_weekday_row(series[weekdays == day]) for day in found],
        index=pd.Index([WEEKDAYS[day] for day in found], name="weekday"),
        columns=["sessions", "mean", "share_positive", "sharpe"],
    ).astype({"sessions": np.int64})


def _weekday_row(returns: FloatArray) -> dict[str, float]:
    ratio = sharpe(returns)
    return {
        "sessions": len(returns),
        "mean": float(returns.mean()),
        "share_positive": float(np.mean(returns > 0)),
        "sharpe": np.nan if ratio is None else ratio,
    }
