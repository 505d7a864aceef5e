"""Alpaca: bars of all exchanges from 2016 on, as they were traded, and splits (`alpaca-py`)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import pandas as pd
from alpaca.common.exceptions import APIError
from alpaca.data.enums import Adjustment, CorporateActionsType, DataFeed
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.requests import CorporateActionsRequest, StockBarsRequest
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from intraday_rl.collecting.vendors.answers import NOT_UNDERSTOOD, bars_of, splits_between
from intraday_rl.collecting.vendors.patience import Patience
from intraday_rl.collecting.vendors.session import PatientSession
from intraday_rl.collecting.vendors.vendor import VendorError
from intraday_rl.market.calendar import NEW_YORK
from intraday_rl.market.files import Prices
from intraday_rl.market.stamps import now
from intraday_rl.vendor_keys import keys_of, without_keys

VENDOR = "alpaca"
KEYS = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
ADDRESS = "INTRADAY_RL_ALPACA_URL"

FIRST_DAY = date(2016, 1, 1)
# Alpaca counts bars from the full hour: only these begin at 09:30 and lie inside the session.
BAR_MINUTES = (1, 2, 3, 5, 6, 10, 15, 30)
# The free plan refuses the newest quarter of an hour of all exchanges; clocks differ a little.
TOO_NEW = pd.Timedelta(minutes=20)
# Corporate actions are found by the day they were processed, which may differ from the ex-date.
PROCESSED_WITHIN = timedelta(days=7)

NAMES = {"t": "timestamp", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
Client = TypeVar("Client", StockHistoricalDataClient, CorporateActionsClient)


class Alpaca:
    """Through the stock and the corporate-actions client; pages are gathered by them."""

    prices = Prices.traded
    limits = (
        "free plan: bars of all exchanges from 2016 on, older than 15 minutes, 200 requests a "
        "minute (as of 2026-11)"
    )
    patience: ClassVar[Patience] = Patience()

    def earliest(self, bar_minutes: int, today: date) -> date | None:
        if bar_minutes not in BAR_MINUTES:
            known = ", ".join(map(str, BAR_MINUTES))
            raise VendorError(
                f"{VENDOR}: no bars of {bar_minutes} minutes; task.bar_minutes may be {known} "
                "(from 1, any length can be traded)"
            )
        return FIRST_DAY

    def bars(self, symbol: str, first: date, last: date, bar_minutes: int) -> pd.DataFrame:
        end = min(_midnight(last + timedelta(days=1)), now() - TOO_NEW)
        request = StockBarsRequest(
            symbol_or_symbols=symbol,
            timeframe=TimeFrame(bar_minutes, TimeFrameUnit.Minute),
            start=_midnight(first).to_pydatetime(),
            end=end.to_pydatetime(),
            adjustment=Adjustment.RAW,
            feed=DataFeed.SIP,
        )
        answer = self._asked(symbol, lambda: self._bars.get_stock_bars(request))
        return bars_of(VENDOR, answer.get(symbol, []), NAMES)

    def splits(self, symbol: str, first: date, last: date) -> Mapping[str, float]:
        request = CorporateActionsRequest(
            symbols=[symbol],
            types=[CorporateActionsType.FORWARD_SPLIT, CorporateActionsType.REVERSE_SPLIT],
            start=first - PROCESSED_WITHIN,
            end=last + PROCESSED_WITHIN,
        )

        def ask() -> list[tuple[str, float]]:
            answer = self._actions.get_corporate_actions(request)
            actions = [*answer.get("forward_splits", []), *answer.get("reverse_splits", [])]
            return [
                (str(date.fromisoformat(one["ex_date"])), one["new_rate"] / one["old_rate"])
                for one in actions
            ]

        return splits_between(VENDOR, self._asked(symbol, ask), str(first), str(last))

    @cached_property
    def _bars(self) -> StockHistoricalDataClient:
        return self._connected(StockHistoricalDataClient)

    @cached_property
    def _actions(self) -> CorporateActionsClient:
        return self._connected(CorporateActionsClient)

    def _connected(self, kind: type[Client]) -> Client:
        key, secret = self._keys
        url = os.environ.get(ADDRESS) or None
        client = kind(api_key=key, secret_key=secret, raw_data=True, url_override=url)
        client._session = PatientSession(VENDOR, self.patience)  # there is no public way
        return client

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        return keys_of("data.vendor", VENDOR, "Alpaca (a free account will do)", *KEYS)

    def _asked(self, symbol: str, ask: Callable[[], Any]) -> Any:
        """What `ask` returns; the client's errors as one line of ours."""
        try:
            return ask()
        except APIError as error:
            failure = self._refusal(symbol, error)
        except NOT_UNDERSTOOD as error:
            failure = VendorError(
                f"{VENDOR}: an answer that is not understood ({type(error).__name__})"
            )
        raise failure

    def _refusal(self, symbol: str, error: APIError) -> VendorError:
        status, said = error.status_code, without_keys(_message(error), self._keys)
        if status in (401, 403) and "subscription" not in said:
            return VendorError(
                f"{VENDOR} refuses the keys (status {status}: {said}); check {' and '.join(KEYS)}: "
                "keys of a paper account end when it is reset"
            )
        return VendorError(f"{VENDOR}: status {status}: {said}; is symbol={symbol} right?")


def _midnight(day: date) -> pd.Timestamp:
    return pd.Timestamp(datetime.combine(day, datetime.min.time()), tz=NEW_YORK)


def _message(error: APIError) -> str:
    """The vendor's own words, out of the client's error, which also holds the request."""
    text = error.response.text if error.response is not None else ""
    try:
        return str(json.loads(text)["message"])
    except NOT_UNDERSTOOD:
        return "no reason given"
