"""From action to accepted target to shares."""

from __future__ import annotations

from typing import Any

import numpy as np

from intraday_rl.trading.kernel.compile import compiled


@compiled
def accepted_target(book: Any, last: float, action: float) -> float:
    """Target fraction after clip, band or threshold; `last` is the last accepted one."""
    if book.long_flat:
        if action > book.threshold:
            return book.max_position
        if action < -book.threshold:
            return 0.0
        return last
    wanted = min(max(action, book.lowest_action), 1.0) * book.max_position
    if wanted == 0.0:
        return 0.0  # without the sign that a clipped -0.0 would carry into the ledger
    if abs(wanted - last) < book.no_trade_band:
        return last
    return wanted


@compiled
def shares_for(book: Any, target: float, session_equity: float, close: float) -> float:
    """Signed shares of a target fraction at the decision's close, in whole lots, cut towards 0."""
    shares = target * session_equity / close
    if book.lot_size == 0.0:
        return shares
    return np.trunc(shares / book.lot_size) * book.lot_size + 0.0
