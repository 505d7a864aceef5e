"""The reward step: net return in, reward and updated moments out."""

from __future__ import annotations

from typing import Any

import numpy as np

from intraday_rl.trading.kernel.compile import compiled
from intraday_rl.trading.kernel.layout import (
    DIFFERENTIAL_SHARPE,
    DOWNSIDE_DEVIATION,
    NET_RETURN,
)


@compiled
def differential_sharpe(a: float, b: float, net_return: float, floor: float) -> float:
    """Derivative of the Sharpe ratio's exponential estimate (Moody & Saffell 2001, eq. 14).

    `a`, `b` are the moments before the update; `floor` bounds the variance in the denominator.
    """
    delta_a = net_return - a
    delta_b = net_return * net_return - b
    variance = max(b - a * a, floor)
    # √ and a product: a general power costs more than the rest of the step.
    return (b * delta_a - 0.5 * a * delta_b) / (variance * np.sqrt(variance))


@compiled
def downside_deviation(a: float, b: float, net_return: float, floor: float) -> float:
    """Derivative of the downside deviation ratio; `b` is the mean of min(R, 0)²."""
    variance = max(b, floor)
    deviation = np.sqrt(variance)
    gain = net_return - 0.5 * a
    if net_return > 0.0:
        return gain / deviation
    return (variance * gain - 0.5 * a * net_return * net_return) / (variance * deviation)


@compiled
def reward_step(book: Any, account: Any, entry: Any, net_return: float) -> float:
    """Write the reward of `net_return` into `entry`, update the account's moments, return it."""
    entry.dsr_a = np.nan
    entry.dsr_b = np.nan
    entry.dsr_raw = np.nan
    entry.dsr_floored = False
    entry.dsr_clipped = False
    if book.reward == NET_RETURN:
        entry.reward = net_return
        return net_return
    if book.reward != DIFFERENTIAL_SHARPE and book.reward != DOWNSIDE_DEVIATION:
        entry.reward = np.log1p(net_return)
        return entry.reward
    a, b = account.moment_a, account.moment_b
    if book.reward == DIFFERENTIAL_SHARPE:
        raw = differential_sharpe(a, b, net_return, book.variance_floor)
        second = net_return * net_return
        entry.dsr_a = a
        entry.dsr_b = b
        entry.dsr_raw = raw
        entry.dsr_floored = b - a * a < book.variance_floor
        entry.dsr_clipped = abs(raw) > book.clip
    else:
        raw = downside_deviation(a, b, net_return, book.variance_floor)
        second = min(net_return, 0.0) ** 2
    # What the next observation may show: the moments before this reward, which contains the
    # price of the next fill (domain: knowledge times).
    account.seen_a = a
    account.seen_b = b
    account.moment_a = a + book.eta * (net_return - a)
    account.moment_b = b + book.eta * (second - b)
    entry.reward = min(max(raw, -book.clip), book.clip)
    return entry.reward
