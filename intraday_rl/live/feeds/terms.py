"""How a day's traded prices become prices as the history counts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from intraday_rl.errors import DataError
from intraday_rl.market.bars import Bars
from intraday_rl.market.calendar import nanoseconds
from intraday_rl.market.splits import known_splits, split_factors


@dataclass(frozen=True, slots=True)
class DayTerms:
    """The split factor of one symbol's day: adjusted price = traded price / `split_factor`.

    `split_factor_known` as of `Bars`. 1.0 where the day trades as the history's last session did.
    """

    split_factor: float = 1.0
    split_factor_known: bool = True

    @classmethod
    def after(cls, history: Bars, day: date, declared: Mapping[str, float] | None) -> DayTerms:
        """Of a day that follows `history`: its last factor, and what was split since.

        `declared`: as `data.splits`, date: ratio; None = the shipped table. So a split before
        the day's open leaves no jump behind the history's last close, whatever session its
        prices are adjusted to. Raises `DataError` if the history is empty or not over.
        """
        if history.frame.empty:
            raise DataError(f"{history.symbol}: no history before {day}; give bars of days before")
        last = history.session_index()[-1].date()
        if last >= day:
            raise DataError(f"{history.symbol}: the history reaches to {last}, must end by {day}")
        session = nanoseconds(pd.DatetimeIndex([pd.Timestamp(day)]))
        splits = known_splits(history.symbol, declared) or {}
        since = split_factors(session, splits, last, prices_are_traded=True)
        before = float(history.frame["split_factor"].iloc[-1])
        return cls(before * float(since[0]), history.split_factor_known)
