"""Coverage month by month, and session by session for the heat map."""

from __future__ import annotations

import numpy as np
import pandas as pd

from intraday_rl.collecting.months import bounds, months_between
from intraday_rl.market.bars import Bars
from intraday_rl.market.coverage import bars_by_session, coverage

COLUMNS = (
    "sessions_expected", "sessions_found", "sessions_short", "half_days", "bars_missing",
    "equal_open_share", "zero_volume_share", "unknown_volume_share",
)  # fmt: skip


def months_table(bars: Bars) -> pd.DataFrame:
    """A row a month (index such as 2018-01), from the first to the last session of the bars.

    Shares are of the month's bars, NaN where it has none; see `Coverage` for the counts.
    """
    days = bars.session_index()
    first, last = days[0].date(), days[-1].date()
    rows = {}
    for month in months_between(first, last):
        begin, end = bounds(month)
        span = max(begin, first), min(end, last)
        found = coverage(bars, *span)
        volume = bars.between(*span).frame["volume"]
        rows[month] = {
            "sessions_expected": found.sessions_expected,
            "sessions_found": found.sessions_found,
            "sessions_short": found.sessions_short,
            "half_days": found.half_days,
            "bars_missing": found.bars_missing,
            "equal_open_share": found.equal_open_share if len(volume) else np.nan,
            "zero_volume_share": float((volume == 0).mean()),
            "unknown_volume_share": float(volume.isna().mean()),
        }
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))


def sessions_table(bars: Bars) -> pd.DataFrame:
    """Every session of the exchange from the first to the last of the bars, as `bars_by_session`,
    with `share`: bars found ÷ expected."""
    days = bars.session_index()
    table = bars_by_session(bars, days[0].date(), days[-1].date())
    return table.assign(share=table["found"] / table["expected"])
