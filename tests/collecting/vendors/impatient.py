"""The project's command with short waits; as a program, for the tests that kill it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from yfinance.data import SingletonMeta, YfData

from intraday_rl.collecting.vendors.alpaca import Alpaca
from intraday_rl.collecting.vendors.patience import Patience
from intraday_rl.collecting.vendors.twelvedata import TwelveData
from intraday_rl.collecting.vendors.yahoo import Yahoo
from intraday_rl.entry import main

SHORT = Patience(timeout_seconds=2.0, tries=6, first_wait_seconds=0.01, longest_wait_seconds=0.05)


def impatient(setting: Callable[[object, str, object], None] = setattr) -> None:
    for vendor in (Alpaca, TwelveData, Yahoo):
        setting(vendor, "patience", SHORT)
    setting(TwelveData, "window_seconds", 0.04)


def forget_answers() -> None:
    """yfinance keeps answers, cookies and its session for the process: as if it were a new one."""
    YfData.cache_get.cache_clear()
    SingletonMeta._instances.clear()


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG)  # a key must not be in any library's log, either
    impatient()
    main()
