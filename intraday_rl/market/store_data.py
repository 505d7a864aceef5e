"""What a user may say about bars from the store; `store.py` reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from intraday_rl.errors import ConfigError, check_range
from intraday_rl.market.calendar import FULL_SESSION_MINUTES
from intraday_rl.market.files import OnBadSession
from intraday_rl.market.offsets import parse_date
from intraday_rl.market.splits import check_splits

VENDOR = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(slots=True, kw_only=True)
class StoreData:
    """Bars of the symbol, and of its benchmark, that were downloaded or imported.

    | field | unit | meaning |
    |---|---|---|
    | `store` | | folder of the store; null = `bars` below `paths.state` |
    | `vendor` | | whose bars; null = of the only vendor that has the symbol |
    | `stored_minutes` | minutes | bar length of the series read; null = the only fitting one |
    | `bar_minutes` | minutes | the bar that is traded: a multiple of the stored one |
    | `start` | ISO date | first session read; null = the first there is |
    | `end` | ISO date | last session read, included; null = the last there is |
    | `splits` | date: ratio | of the symbol; {} = none; null = the vendor's or the shipped table |
    | `adjusted_through` | date | later splits do not enter; null = the last session or as stored |
    | `max_missing_bars` | traded bars | a session that misses more is bad |
    | `on_bad_session` | refuse, drop | the benchmark's sessions are only reported |

    The benchmark is read from the same vendor and bar length; without one in the store the symbol
    is its own.
    """

    store: str | None = None
    vendor: str | None = None
    stored_minutes: int | None = None
    bar_minutes: int = 15
    start: str | None = None
    end: str | None = None
    splits: Any = None  # date -> ratio; not typed, so that {} is not taken for "not given"
    adjusted_through: str | None = None
    max_missing_bars: int = 4
    on_bad_session: OnBadSession = OnBadSession.refuse

    def __post_init__(self) -> None:
        if self.store is not None and not (self.store.strip() and self.store.isprintable()):
            raise ConfigError("store", repr(self.store), "must name a folder")
        if self.vendor is not None and not VENDOR.fullmatch(self.vendor):
            raise ConfigError("vendor", self.vendor, "must be a name such as alpaca or imported")
        if self.stored_minutes is not None:
            check_range("stored_minutes", self.stored_minutes, 1, FULL_SESSION_MINUTES)
        check_range("bar_minutes", self.bar_minutes, 1, FULL_SESSION_MINUTES)
        check_range("max_missing_bars", self.max_missing_bars, 0, FULL_SESSION_MINUTES)
        dates = [
            None if text is None else parse_date(key, text)
            for key, text in (("start", self.start), ("end", self.end))
        ]
        if dates[0] and dates[1] and dates[0] > dates[1]:
            raise ConfigError("end", self.end, f"must not lie before start={self.start}")
        check_splits(self.splits, self.adjusted_through)
