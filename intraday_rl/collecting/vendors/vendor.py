"""What a download asks of a vendor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Protocol

import pandas as pd

from intraday_rl.errors import IntradayRLError
from intraday_rl.market.files import Prices


class VendorError(IntradayRLError):
    """A vendor refused, failed or answered with what is no bar; the message never holds a key."""

    exit_code = 3


class Vendor(Protocol):
    """One source of bars and splits, through its own client library.

    | member | meaning |
    |---|---|
    | `prices` | what its prices are |
    | `limits` | what it gives on which plan, in one line that a download prints |
    """

    prices: Prices
    limits: str

    def earliest(self, bar_minutes: int, today: date) -> date | None:
        """First day it has bars of this length for; None = not known. `VendorError` if it has no
        bars of this length at all."""
        ...

    def bars(self, symbol: str, first: date, last: date, bar_minutes: int) -> pd.DataFrame:
        """All bars of the days from `first` to `last`, pages gathered, rate limits waited for.

        Columns `timestamp` (the bar's start, with a zone), `open, high, low, close, volume`; empty
        when the vendor has none. Raises `VendorError` rather than return a part of the answer.
        """
        ...

    def splits(self, symbol: str, first: date, last: date) -> Mapping[str, float] | None:
        """date: new shares for one old share; {} = none happened; None = it does not say."""
        ...
