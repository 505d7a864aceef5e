"""Yahoo Finance: recent bars without a key, adjusted for splits (`yfinance`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, ClassVar, TypeVar

import pandas as pd
import yfinance
from curl_cffi import requests
from yfinance.exceptions import (
    YFException,
    YFPricesMissingError,
    YFRateLimitError,
    YFTzMissingError,
)

from intraday_rl.collecting.vendors.answers import NOT_UNDERSTOOD, no_bars
from intraday_rl.collecting.vendors.patience import Passing, Patience, patiently
from intraday_rl.collecting.vendors.vendor import VendorError
from intraday_rl.errors import one_line_of
from intraday_rl.market.files import Prices

VENDOR = "yfinance"
Answer = TypeVar("Answer")

# Bar length: Yahoo's name for it, and how many days back it has it. One day less than it says is
# asked for: its days end at this moment, ours at midnight.
INTERVALS = {
    1: ("1m", 30), 2: ("2m", 60), 5: ("5m", 60), 15: ("15m", 60), 30: ("30m", 60),
    60: ("60m", 730), 90: ("90m", 60),
}  # fmt: skip
DAYS_AT_ONCE = 7  # of minutes, it gives 8 in one answer

NAMES = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume"}
SERVER_ERROR = 500
CHART = "/v8/finance/chart/"
NOTHING_THERE = "Data doesn't exist"


class Yahoo:
    """Through `Ticker.history`: open, high, low, close as Yahoo adjusts them for splits."""

    prices = Prices.adjusted
    limits = (
        "no key: the last 60 days of 2- to 30- and 90-minute bars (30 days of 1, 730 days of 60), "
        "adjusted for splits (as of 2026-11)"
    )
    patience: ClassVar[Patience] = Patience()

    def __init__(self) -> None:
        # Otherwise a failure is logged and an empty frame returned: a hole that looks like data.
        yfinance.config.debug.hide_exceptions = False
        self._session = _Session(self.patience)

    def earliest(self, bar_minutes: int, today: date) -> date | None:
        if bar_minutes not in INTERVALS:
            known = ", ".join(map(str, INTERVALS))
            raise VendorError(
                f"{VENDOR}: no bars of {bar_minutes} minutes; task.bar_minutes may be {known}"
            )
        return today - timedelta(days=INTERVALS[bar_minutes][1] - 1)

    def bars(self, symbol: str, first: date, last: date, bar_minutes: int) -> pd.DataFrame:
        interval = INTERVALS[bar_minutes][0]
        days = DAYS_AT_ONCE if bar_minutes == 1 else (last - first).days + 1
        found = []
        while first <= last:
            through = min(last, first + timedelta(days=days - 1))
            found.append(_bars_of(self._history(symbol, first, through, interval)))
            first = through + timedelta(days=1)
        found = [frame for frame in found if not frame.empty]
        return pd.concat(found) if found else no_bars()

    def splits(self, symbol: str, first: date, last: date) -> Mapping[str, float]:
        history = self._history(symbol, first, last, "1d")
        if history is None:
            return {}
        happened = history["Stock Splits"][history["Stock Splits"] != 0]
        days = pd.DatetimeIndex(happened.index).strftime("%Y-%m-%d")
        return dict(zip(days, map(float, happened), strict=True))

    def _history(self, symbol: str, first: date, last: date, interval: str) -> pd.DataFrame | None:
        """What Yahoo has of these days; None if nothing."""

        def ask() -> pd.DataFrame | None:
            try:
                return yfinance.Ticker(symbol, session=self._session).history(
                    start=first, end=last + timedelta(days=1), interval=interval,
                    auto_adjust=False, prepost=False, actions=True,
                    timeout=self.patience.timeout_seconds,
                )  # fmt: skip
            except YFPricesMissingError as error:
                reason = error.yahoo_reason
                if reason is None or reason.startswith(NOTHING_THERE):
                    return None
                raise VendorError(f"{VENDOR}: {symbol}: {one_line_of(reason)}") from None

        return patiently(VENDOR, self.patience, lambda: _asked(symbol, ask))


class _Session(requests.Session):  # type: ignore[misc, unused-ignore]
    """The browser that yfinance is to Yahoo, with a time-out; a failure is no chart.

    yfinance remembers an answer for the rest of the process, whatever its status.
    """

    def __init__(self, patience: Patience) -> None:
        super().__init__(impersonate="chrome")
        self.patience = patience

    def request(self, method: str, url: str, **options: Any) -> Any:
        options["timeout"] = self.patience.timeout_seconds
        response = super().request(method, url, **options)
        if CHART in url and response.status_code >= SERVER_ERROR:
            raise Passing(f"status {response.status_code}")
        if CHART in url and response.status_code < 400:
            try:
                response.json()
            except ValueError:
                raise Passing("an answer that is cut off or no JSON") from None
        return response


def _asked(symbol: str, ask: Callable[[], Answer]) -> Answer:
    """What `ask` returns; failures of the line as `Passing`, of the answer as `VendorError`."""
    try:
        return ask()
    except YFRateLimitError:
        failure: Exception = Passing("too many requests")
    except YFTzMissingError:
        failure = VendorError(f"{VENDOR}: symbol={symbol} is not known to Yahoo; check it")
    except YFException as error:
        failure = VendorError(f"{VENDOR}: {symbol}: {one_line_of(error)}")
    except requests.RequestsError as error:
        failure = Passing(f"no whole answer ({type(error).__name__})")
    except NOT_UNDERSTOOD as error:
        what = type(error).__name__
        failure = VendorError(f"{VENDOR}: {symbol}: an answer that is not understood ({what})")
    raise failure


def _bars_of(history: pd.DataFrame | None) -> pd.DataFrame:
    """Yahoo's columns in ours; a bar without prices is a minute without a trade."""
    if history is None:
        return no_bars()
    frame = history[list(NAMES)].rename(columns=NAMES)
    frame.insert(0, "timestamp", pd.DatetimeIndex(history.index))
    return frame.dropna(subset=["open", "high", "low", "close"]).reset_index(drop=True)
