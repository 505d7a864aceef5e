"""Twelve Data: bars as they were traded, page by page at the pace of its plan (`twelvedata`)."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import cached_property
from typing import Any, ClassVar

import pandas as pd
import requests
from twelvedata import TDClient
from twelvedata.http_client import DefaultHttpClient

from intraday_rl.collecting.vendors.answers import (
    NOT_UNDERSTOOD,
    bars_of,
    no_bars,
    splits_between,
)
from intraday_rl.collecting.vendors.patience import Passing, Patience
from intraday_rl.collecting.vendors.session import (
    SERVER_ERROR,
    TOO_MANY,
    PatientSession,
    is_json,
)
from intraday_rl.collecting.vendors.vendor import VendorError
from intraday_rl.market.calendar import sessions
from intraday_rl.market.files import Prices
from intraday_rl.vendor_keys import keys_of, without_keys

logger = logging.getLogger(__name__)

VENDOR = "twelvedata"
KEY = "TWELVEDATA_API_KEY"
ADDRESS, ITS_OWN_ADDRESS = "INTRADAY_RL_TWELVEDATA_URL", "https://api.twelvedata.com"

INTERVALS = {1: "1min", 5: "5min", 15: "15min", 30: "30min", 45: "45min", 60: "1h", 120: "2h"}
FIRST_MINUTE = date(2020, 2, 10)
PAGE_ROWS = 5000
COUNTRY = "United States"  # the same letters may name another fund elsewhere

NAMES = {name: name for name in ("open", "high", "low", "close", "volume")}
# Its pages disagree on which of `from_factor` and `to_factor` is the new share; the words do not.
SPLIT = re.compile(r"([\d.]+)-for-([\d.]+)")


class Refused(Exception):
    """An error of Twelve Data's own: its code and its words."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


class TwelveData:
    """Through the client's time series; paced, since a call above the plan's limit is lost.

    | setting | unit | meaning |
    |---|---|---|
    | `calls` in `window_seconds` | | what the free plan allows; the count begins anew after it |
    """

    prices = Prices.traded
    limits = (
        "free plan: 8 calls a minute and 800 a day, so about three minutes for a year of one "
        "symbol's 1-minute bars, which begin 2020-02-10; splits need a paid plan (as of 2026-11)"
    )
    patience: ClassVar[Patience] = Patience()
    calls: ClassVar[int] = 8
    window_seconds: ClassVar[float] = 60.0

    def earliest(self, bar_minutes: int, today: date) -> date | None:
        if bar_minutes not in INTERVALS:
            known = ", ".join(map(str, INTERVALS))
            raise VendorError(
                f"{VENDOR}: no bars of {bar_minutes} minutes; task.bar_minutes may be {known} "
                "(from 1, any length can be traded)"
            )
        return FIRST_MINUTE if bar_minutes == 1 else None

    def bars(self, symbol: str, first: date, last: date, bar_minutes: int) -> pd.DataFrame:
        opens = sessions(first, last)["open"]
        end = pd.Timestamp(last + timedelta(days=1), tz="UTC")
        pages: list[pd.DataFrame] = []
        while not opens.empty:
            page = self._page(symbol, first, end, bar_minutes)
            if page.empty or (oldest := page["timestamp"].min()) >= end:
                break  # nothing is older
            pages.append(page)
            if oldest <= opens.iloc[0]:
                break
            end = oldest
        return pd.concat(pages) if pages else no_bars()

    def splits(self, symbol: str, first: date, last: date) -> Mapping[str, float] | None:
        def ask() -> list[tuple[str, float]]:
            asked = self._client.get_splits(
                symbol=symbol, country=COUNTRY, range="full",
                start_date=str(first), end_date=str(last),
            )  # fmt: skip
            return [(str(date.fromisoformat(one["date"])), _ratio(one["description"]))
                    for one in asked.as_json()]  # fmt: skip

        try:
            found = self._asked(symbol, ask)
        except Refused as refusal:
            if refusal.code not in (402, 403):
                raise self._error(symbol, refusal) from None
            logger.info("%s: the splits of %s need a paid plan; not asked", VENDOR, symbol)
            return None
        return splits_between(VENDOR, found, str(first), str(last))

    def _page(self, symbol: str, first: date, end: pd.Timestamp, bar_minutes: int) -> pd.DataFrame:
        """The newest bars before `end`, or at it: pages overlap, so that none is lost."""

        def ask() -> list[dict[str, Any]]:
            asked = self._client.time_series(
                symbol=symbol, country=COUNTRY, interval=INTERVALS[bar_minutes],
                start_date=f"{first} 00:00:00", end_date=f"{end:%Y-%m-%d %H:%M:%S}",
                outputsize=PAGE_ROWS, order="desc", timezone="UTC", adjust="none",
            )  # fmt: skip
            return list(asked.as_json())

        try:
            rows = self._asked(symbol, ask)
        except Refused as refusal:
            if "no data is available" in refusal.words.lower():
                return no_bars()
            raise self._error(symbol, refusal) from None
        return bars_of(VENDOR, rows, {"datetime": "timestamp", **NAMES})

    @cached_property
    def _client(self) -> TDClient:
        url = os.environ.get(ADDRESS) or ITS_OWN_ADDRESS
        http = DefaultHttpClient(url)
        http.session = _Session(self._key, self.patience, self.calls, self.window_seconds)
        return TDClient(apikey=self._key, http_client=http, base_url=url)

    @cached_property
    def _key(self) -> str:
        return keys_of("data.vendor", VENDOR, "Twelve Data (a free account will do)", KEY)[0]

    def _asked(self, symbol: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except NOT_UNDERSTOOD as error:
            what = type(error).__name__
        raise VendorError(f"{VENDOR}: {symbol}: an answer that is not understood ({what})")

    def _error(self, symbol: str, refusal: Refused) -> VendorError:
        said = without_keys(refusal.words, [self._key])
        if refusal.code == 401:
            return VendorError(f"{VENDOR} refuses the key; check {KEY}: {said}")
        if refusal.code == TOO_MANY:
            return VendorError(
                f"{VENDOR}: {said} Type the same command again tomorrow: finished months are kept"
            )
        return VendorError(f"{VENDOR}: {said} Is symbol={symbol} right, and of your plan?")


class _Session(PatientSession):
    """Keeps the pace, carries the key in a header (an address is logged), reads errors in 200s."""

    def __init__(self, key: str, patience: Patience, calls: int, window_seconds: float) -> None:
        super().__init__(VENDOR, patience)
        self.key, self.window_seconds = key, window_seconds
        self.between_seconds = window_seconds / calls
        self.next_call = 0.0

    def sent(self, method: str, url: str, **options: Any) -> requests.Response:
        params = {**options.pop("params", {})}
        params.pop("apikey", None)
        headers = {"Authorization": f"apikey {self.key}"}
        time.sleep(max(0.0, self.next_call - time.monotonic()))
        self.next_call = time.monotonic() + self.between_seconds
        return super().sent(method, url, params=params, headers=headers, **options)

    def judged(self, response: requests.Response) -> requests.Response:
        answer = response.json() if is_json(response) else None
        if not isinstance(answer, dict) or answer.get("status") != "error":
            return super().judged(response)
        code, words = int(answer.get("code", response.status_code)), str(answer.get("message", ""))
        if code == TOO_MANY and "for the day" not in words:
            raise Passing("too many requests", self.window_seconds)
        if code >= SERVER_ERROR:
            raise Passing(f"status {code}")
        raise Refused(code, words)


def _ratio(words: str) -> float:
    """4.0 of "4-for-1 split"."""
    found = SPLIT.search(words)
    if found is None:
        raise ValueError
    return float(found[1]) / float(found[2])
