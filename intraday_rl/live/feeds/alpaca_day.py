"""The day's bars so far, by request to Alpaca (`alpaca-py`), in a thread of its own."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from functools import partial

import pandas as pd
from alpaca.common.exceptions import APIError
from alpaca.data.enums import Adjustment, DataFeed
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import StockBarsRequest
from alpaca.data.timeframe import TimeFrame

from intraday_rl.live.feeds.arrivals import NOT_UNDERSTOOD, Arrival, DayFetched, FetchFailed
from intraday_rl.vendor_keys import without_keys

# Connecting; then without a byte. A bar is waited for about as long.
TIMEOUT_SECONDS = (5.0, 10.0)
END_SECONDS = 1.0
Span = tuple[pd.Timestamp, pd.Timestamp]


class DaySoFar:
    """Asks for the minute bars of `symbols` when `ask` says so, one request after the other.

    `tell` is called in its thread with each answer or failure; it is not asked again by itself.
    An empty `url` is the client's own.
    """

    def __init__(
        self,
        keys: tuple[str, str],
        url: str | None,
        data_feed: DataFeed,
        symbols: tuple[str, ...],
        tell: Callable[[Arrival], None],
    ) -> None:
        self._keys, self._data_feed = keys, data_feed
        self._symbols, self._tell = symbols, tell
        key, secret = keys
        self._client = StockHistoricalDataClient(key, secret, raw_data=True, url_override=url)
        session = self._client._session  # the client has no public way to a time-out, or
        session.request = partial(session.request, timeout=TIMEOUT_SECONDS)
        self._client._retry = 0  # to no pauses of its own
        self._asked: queue.SimpleQueue[Span | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="alpaca day", daemon=True)
        self._thread.start()

    def ask(self, first: pd.Timestamp, last: pd.Timestamp) -> None:
        """For the bars that start from `first` to `last`, both included."""
        self._asked.put((first, last))

    def close(self) -> None:
        """End the thread; a request that is under way is given `END_SECONDS`, then left alone."""
        self._asked.put(None)
        self._thread.join(END_SECONDS)
        self._client._session.close()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while span := self._asked.get():
            self._tell(self._answer(*span))

    def _answer(self, first: pd.Timestamp, last: pd.Timestamp) -> Arrival:
        request = StockBarsRequest(
            symbol_or_symbols=list(self._symbols),
            timeframe=TimeFrame.Minute,
            start=first.to_pydatetime(),
            end=last.to_pydatetime(),
            adjustment=Adjustment.RAW,
            feed=self._data_feed,
        )
        try:
            return DayFetched(self._client.get_stock_bars(request))
        except APIError as error:
            return FetchFailed(self._refusal(error))
        except Exception as error:  # a broken line, or no bars: only the kind holds no keys
            return FetchFailed(f"no whole answer: {type(error).__name__}")

    def _refusal(self, error: APIError) -> str:
        try:
            words = str(json.loads(error.response.text)["message"])
        except NOT_UNDERSTOOD:
            words = "no reason given"
        said = f"status {error.status_code}: {without_keys(words, self._keys)}"
        if error.status_code in (401, 403) and "subscription" not in words:
            return f"the keys are refused: {said}"
        return said
