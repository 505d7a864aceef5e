"""What an order and a holding period cost. The only cost functions of the project."""

from __future__ import annotations

from typing import Any

import numpy as np

from intraday_rl.trading.kernel.compile import compiled


@compiled
def fill_price(side: Any, direction: float, price: float) -> float:
    """Reference price moved against the order; `direction` is +1 to buy, −1 to sell."""
    return price + direction * (price * side.slippage_share + side.slippage_usd)


@compiled
def commission(book: Any, side: Any, shares: float, price: float) -> float:
    """USD for an order of `shares` > 0."""
    value = shares * price
    charged = shares * side.commission_usd + value * side.commission_share
    charged = min(max(charged, side.commission_minimum), book.commission_maximum_share * value)
    return charged + shares * book.commission_pass_through_usd


@compiled
def sell_fees(session: Any, shares: float, price: float) -> float:
    """USD of SEC §31 and FINRA TAF for a sale of `shares` > 0."""
    return session.sec_rate * shares * price + min(session.taf_rate * shares, session.taf_cap)


@compiled
def impact(side: Any, session: Any, shares: float, price: float) -> float:
    """USD of square-root market impact for an order of `shares` > 0."""
    if side.impact == 0.0:
        return 0.0
    participation = shares / session.daily_volume
    return side.impact * session.daily_volatility * np.sqrt(participation) * shares * price


@compiled
def financing(book: Any, shares: float, price: float, equity: float, minutes: float) -> float:
    """USD of interest and stock borrowing for holding `shares` over `minutes`."""
    value = shares * price
    borrowed = max(0.0, value - equity)
    lent = max(0.0, -value)
    return (borrowed * book.financing_rate + lent * book.borrow_rate) * minutes


@compiled
def settle_order(book: Any, session: Any, entry: Any, shares: float, price: float) -> float:
    """Fill an order of signed `shares` at reference `price` into `entry`; returns its USD cost."""
    entry.shares_traded = shares
    entry.price = price
    entry.fill_price = price
    entry.commission = 0.0
    entry.fees = 0.0
    entry.slippage = 0.0
    entry.impact = 0.0
    if shares == 0.0:
        return 0.0
    size = abs(shares)
    if shares > 0.0:
        side = book.buy
        entry.fill_price = fill_price(side, 1.0, price)
    else:
        side = book.sell
        entry.fill_price = fill_price(side, -1.0, price)
        entry.fees = sell_fees(session, size, price)
    entry.commission = commission(book, side, size, price)
    entry.slippage = size * abs(entry.fill_price - price)
    entry.impact = impact(side, session, size, price)
    return entry.commission + entry.fees + entry.slippage + entry.impact
