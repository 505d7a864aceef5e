"""σ_day and ADV of the completed sessions before each session, for the square-root law."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intraday_rl.market.bars import Bars


def impact_statistics(
    bars: Bars, window_sessions: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(σ_day, ADV in traded shares) per session, NaN where the window is not complete.

    σ_day is the standard deviation (ddof 1) of close-to-close log returns of the adjusted price;
    a volume column follows the price convention of its file, so volume ÷ split factor was traded.
    A session's own prices never enter its own row.
    """
    frame = bars.frame
    closes = frame.groupby("session", sort=True)["close"].last()
    traded = (frame["volume"] / frame["split_factor"]).groupby(frame["session"], sort=True)
    volume = traded.sum(min_count=1).where(traded.count() == traded.size())
    returns = np.log(closes).diff().to_numpy()
    size = closes.size
    volatility = np.full(size, np.nan)
    average = np.full(size, np.nan)
    for session in range(window_sessions + 1, size):
        window = slice(session - window_sessions, session)
        volatility[session] = returns[window].std(ddof=1)
        average[session] = volume.to_numpy()[window].mean()
    return volatility, average
