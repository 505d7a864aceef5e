"""Splits three ways: by the vendor, by the shipped table, by what prices did overnight."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from intraday_rl.market.catalogue import Catalogue
from intraday_rl.market.splits import (
    SHIPPED,
    nearest_ratio,
    overnight_moves,
    settled_by_prices,
    split_disagreement,
)
from intraday_rl.market.store import Series, read_parts


def split_findings(series: Series, catalogue: Catalogue) -> list[str]:
    """Every disagreement of the three, one line each."""
    moves = overnight_moves(pd.concat(read_parts(series, catalogue).values()))
    if moves.empty:
        return []
    first, last = moves.index[0], moves.index[-1]
    shipped = SHIPPED.get(series.symbol)
    known = catalogue.splits if catalogue.splits is not None else shipped
    lines = []
    if catalogue.splits is None and shipped is None:
        lines.append(f"{series.vendor} does not say and the shipped table lacks {series.symbol}")
    if catalogue.splits is not None and shipped is not None:
        lines += split_disagreement(catalogue.splits, shipped, first, last)
        if lines and not catalogue.adjusted:
            agreed = settled_by_prices(catalogue.splits, shipped, moves)
            lines.append(
                "reading is refused until data.splits says what is right"
                if agreed is None
                else "the prices of these nights settle it"
            )
            known = known if agreed is None else agreed
    return lines + _against_prices(moves, known or {}, adjusted=catalogue.adjusted)


def _against_prices(moves: pd.Series, splits: Mapping[str, float], *, adjusted: bool) -> list[str]:
    lines = []
    for day, move in moves.items():
        moved = f"{day}: prices moved by {math.exp(move):.3f} overnight"
        ratio = splits.get(str(day))
        jump = nearest_ratio(move)
        if ratio is None and jump is not None:
            lines.append(f"{moved}, close to a split of {jump:g}, and none is known")
        elif ratio is not None and adjusted and jump is not None:
            lines.append(f"{moved} at the split of {ratio:g}:1, though prices should be adjusted")
        elif ratio is not None and not adjusted and abs(move) < abs(move + math.log(ratio)):
            lines.append(f"{moved} at the split of {ratio:g}:1: they may be adjusted already")
    return lines
