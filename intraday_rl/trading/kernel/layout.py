"""The records that the compiled functions share: field names instead of column numbers.

All prices are *traded* prices in USD (adjusted price · split factor), all times minutes since the
session's open, all money USD.
"""

from __future__ import annotations

import numpy as np

SESSION = np.dtype(
    [
        ("first_row", "i8"),  # index of the session's first decision in the rows
        ("decisions", "i8"),  # number of decisions; the exit is the row after the last one
        ("cutoff_minute", "f8"),
        ("sec_rate", "f8"),  # USD per USD sold
        ("taf_rate", "f8"),  # USD per share sold
        ("taf_cap", "f8"),  # USD per order
        ("daily_volatility", "f8"),  # of the completed sessions before; NaN = unknown
        ("daily_volume", "f8"),  # shares, of the completed sessions before; NaN = unknown
    ],
    align=True,
)

ROW = np.dtype(
    [
        ("close", "f8"),  # close of the bar at whose end the decision is taken
        ("price", "f8"),  # reference price of the fill (of the exit, on exit rows)
        ("decision_minute", "f8"),  # bar_end
        ("fill_minute", "f8"),
    ],
    align=True,
)

ACCOUNT = np.dtype(
    [
        ("random_state", "u8"),
        ("draw", "i8"),  # sessions opened so far in a sequential walk
        ("session", "i8"),
        ("step", "i8"),
        ("shares", "f8"),
        ("equity", "f8"),
        ("session_equity", "f8"),  # at the session's start
        ("target", "f8"),  # last accepted fraction
        ("entry_price", "f8"),  # average entry fill
        ("entry_minute", "f8"),  # of the last fill from flat or reversal
        ("moment_a", "f8"),
        ("moment_b", "f8"),
        ("seen_a", "f8"),  # moments that the next observation may show
        ("seen_b", "f8"),
        ("finished", "b1"),  # a sequential walk is over
        ("ruined", "b1"),
    ],
    align=True,
)

ENTRY = np.dtype(
    [
        ("row", "i8"),  # into the rows; -1 = nothing happened
        ("session", "i8"),
        ("step", "i8"),
        ("price", "f8"),
        ("action", "f8"),
        ("target", "f8"),
        ("shares_before", "f8"),
        ("shares_traded", "f8"),
        ("shares_after", "f8"),
        ("fill_price", "f8"),
        ("commission", "f8"),
        ("fees", "f8"),
        ("slippage", "f8"),
        ("impact", "f8"),
        ("financing", "f8"),
        ("gross_pnl", "f8"),
        ("net_pnl", "f8"),
        ("equity_before", "f8"),
        ("equity_after", "f8"),
        ("net_return", "f8"),
        ("reward", "f8"),
        ("dsr_a", "f8"),
        ("dsr_b", "f8"),
        ("dsr_raw", "f8"),
        ("dsr_floored", "b1"),
        ("dsr_clipped", "b1"),
        ("forced_exit", "b1"),
    ],
    align=True,
)

SIDE = np.dtype(
    [
        ("slippage_share", "f8"),  # of the price
        ("slippage_usd", "f8"),  # per share
        ("commission_usd", "f8"),  # per share
        ("commission_share", "f8"),  # of the order's value
        ("commission_minimum", "f8"),  # USD per order
        ("impact", "f8"),  # Y of the square-root law
    ],
    align=True,
)

BOOK = np.dtype(
    [
        ("buy", SIDE),
        ("sell", SIDE),
        ("commission_maximum_share", "f8"),  # of the order's value; inf = none
        ("commission_pass_through_usd", "f8"),  # per share
        ("financing_rate", "f8"),  # per minute
        ("borrow_rate", "f8"),  # per minute
        ("long_flat", "b1"),
        ("lowest_action", "f8"),
        ("max_position", "f8"),
        ("no_trade_band", "f8"),
        ("threshold", "f8"),
        ("lot_size", "f8"),
        ("reward", "i8"),
        ("eta", "f8"),
        ("variance_floor", "f8"),
        ("clip", "f8"),
        ("first_a", "f8"),
        ("first_b", "f8"),
        ("initial_equity", "f8"),
        ("ruin_equity", "f8"),
        ("sequential", "b1"),  # evaluation: sessions in order, equity compounds
        ("market_columns", "i8"),
        ("position_column", "i8"),  # -1 = not observed, as for the columns below
        ("unrealised_column", "i8"),
        ("minutes_held_column", "i8"),
        ("moments_column", "i8"),  # two columns
        ("unrealised_scale", "f8"),
        ("moment_a_scale", "f8"),
        ("moment_b_scale", "f8"),
        ("observation_clip", "f8"),
    ],
    align=True,
)

DIFFERENTIAL_SHARPE, DOWNSIDE_DEVIATION, NET_RETURN, LOG_RETURN = range(4)
