"""What each vendor answers, as its documents and its client's source describe it."""

from __future__ import annotations

import ssl
from typing import Any

import pandas as pd

from intraday_rl.market.calendar import NEW_YORK, sessions
from tests.collecting.vendors.serving import Asked, Reply, VendorServer


class AlpacaServer(VendorServer):
    """`/v2/stocks/bars` and `/v1/corporate-actions`, in pages of `page_rows`."""

    key, secret = "PKTESTKEYID0123456789", "secretofthetests/0123456789+abcdef"
    page_rows = 200

    def __init__(self, rows: pd.DataFrame) -> None:
        super().__init__()
        self.rows = rows
        self.splits: dict[str, list[dict[str, Any]]] = {}
        self.known = {"SPY", "TQQQ", "QQQ"}

    def answer(self, asked: Asked) -> Reply:
        headers = {name.lower(): value for name, value in asked.headers.items()}
        keys = headers.get("apca-api-key-id"), headers.get("apca-api-secret-key")
        if keys != (self.key, self.secret):
            return Reply({"message": f"forbidden: {keys[0]} {keys[1]}"}, 403)  # repeats them
        if asked.path == "/v1/corporate-actions":
            return Reply({"corporate_actions": self.splits, "next_page_token": None})
        assert asked.path == "/v2/stocks/bars"
        assert (asked.params["adjustment"], asked.params["feed"]) == ("raw", "sip")
        symbol = asked.params["symbols"]
        if not symbol.isalnum():
            return Reply({"message": f"invalid symbol: {symbol}"}, 400)
        start, end = (_utc(asked.params[name]) for name in ("start", "end"))
        assert end < pd.Timestamp.now("UTC") - pd.Timedelta(minutes=15)
        rows = self.rows if symbol in self.known else self.rows.head(0)
        inside = rows[(rows["timestamp"] >= start) & (rows["timestamp"] <= end)]
        at = int(asked.params.get("page_token", 0))
        page = inside.iloc[at : at + min(self.page_rows, int(asked.params["limit"]))]
        following = at + len(page)
        bars = [self.bar(row) for row in page.itertuples(index=False)]
        return Reply({
            "bars": {symbol: bars} if bars else {},
            "next_page_token": str(following) if following < len(inside) else None,
            "currency": "USD", "a_field_of_tomorrow": [1],
        })  # fmt: skip

    def bar(self, row: Any) -> dict[str, Any]:
        return {
            "t": row.timestamp.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "o": row.open, "h": row.high, "l": row.low, "c": row.close, "v": int(row.volume),
            "n": 12, "vw": row.close, "x_new": None,
        }  # fmt: skip


class TwelveDataServer(VendorServer):
    """`/time_series` newest first, at most `outputsize` rows, and `/splits` of a paid plan."""

    key = "0123456789abcdef0123456789abcdef"
    page_rows = (
        300  # fewer than are asked for: a page says by its oldest row whether it is the last
    )

    def __init__(self, rows: pd.DataFrame) -> None:
        super().__init__()
        self.rows = rows
        self.paid = False
        self.known = {"SPY", "TQQQ", "QQQ"}

    def answer(self, asked: Asked) -> Reply:
        assert self.key not in str(asked.params)  # an address ends in logs
        key = {name.lower(): value for name, value in asked.headers.items()}.get("authorization")
        if key != f"apikey {self.key}":
            return self.error(401, f"**apikey** parameter is incorrect or not specified: {key}.")
        if asked.path == "/technical_indicators":  # asked by every new client, for its charts
            return Reply({"data": {"ema": {"overlay": True}}, "status": "ok"})
        symbol = asked.params["symbol"]
        if asked.path == "/splits":
            if not self.paid:
                return self.error(403, "/splits is available exclusively with grow plans.")
            split = {"date": "2021-11-15", "description": "3-for-1 split", "ratio": 0.33333,
                     "from_factor": 3, "to_factor": 1}  # fmt: skip
            return Reply({"meta": {"symbol": symbol}, "splits": [split]})
        assert asked.path == "/time_series"
        assert (asked.params["timezone"], asked.params["adjust"]) == ("UTC", "none")
        if symbol not in self.known:
            return self.error(404, f"**symbol** or **figi** parameter is missing: {symbol}.")
        start, end = (_utc(asked.params[name]) for name in ("start_date", "end_date"))
        rows = self.rows[(self.rows["timestamp"] >= start) & (self.rows["timestamp"] <= end)]
        if rows.empty:
            return self.error(400, "No data is available on the specified dates. Try others.")
        newest = rows.iloc[::-1].head(min(self.page_rows, int(asked.params["outputsize"])))
        return Reply({
            "meta": {"symbol": symbol, "interval": "15min", "exchange_timezone": NEW_YORK},
            "values": [self.value(row) for row in newest.itertuples(index=False)],
            "status": "ok", "a_field_of_tomorrow": {},
        })  # fmt: skip

    def value(self, row: Any) -> dict[str, str]:
        return {
            "datetime": row.timestamp.strftime("%Y-%m-%d %H:%M:%S"),
            "open": repr(row.open), "high": repr(row.high), "low": repr(row.low),
            "close": repr(row.close), "volume": str(int(row.volume)), "previous": "1.0",
        }  # fmt: skip

    def error(self, code: int, message: str, status: int = 200) -> Reply:
        return Reply({"code": code, "message": message, "status": "error"}, status)


class YahooServer(VendorServer):
    """The chart of Yahoo's several hosts, behind a proxy on loopback; cookie and crumb as well."""

    def __init__(self, rows: pd.DataFrame, identity: ssl.SSLContext) -> None:
        super().__init__(identity)
        self.rows = rows
        self.known = {"SPY", "TQQQ", "QQQ"}
        self.split: tuple[str, int, int] | None = None

    def counts(self, asked: Asked) -> bool:
        """Charts, but for the one a day that yfinance reads the zone from."""
        return "/finance/chart/" in asked.path and asked.params.get("range") != "1d"

    def answer(self, asked: Asked) -> Reply:
        if asked.path.startswith("fc.yahoo.com"):
            cookie = "A3=of-the-tests; Domain=.yahoo.com; Path=/; Max-Age=31536000; Secure"
            return Reply("", 404, {"Set-Cookie": cookie})
        if asked.path.endswith("/v1/test/getcrumb"):
            return Reply("crumb")
        symbol = asked.path.rpartition("/")[2]
        missing = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
        if "/finance/chart/" not in asked.path:
            return Reply({"quoteSummary": {"result": None, "error": missing}}, 404)
        if symbol not in self.known:
            return Reply({"chart": {"result": None, "error": missing}}, 404)
        interval = asked.params["interval"]
        if "period1" not in asked.params:
            return self.chart(symbol, interval, self.rows.tail(1))
        start, end = (
            pd.Timestamp(int(asked.params[name]), unit="s", tz="UTC")
            for name in ("period1", "period2")
        )
        days = {"1m": 30, "15m": 60}.get(interval, 100_000)
        if start < pd.Timestamp.now("UTC") - pd.Timedelta(days=days):
            words = f"{interval} data not available: the range must be within the last {days} days."
            return self.refusal("Unprocessable Entity", words, 422)
        rows = self.rows[(self.rows["timestamp"] >= start) & (self.rows["timestamp"] < end)]
        if rows.empty:
            return self.refusal("Bad Request", "Data doesn't exist for startDate = 1", 400)
        return self.chart(symbol, interval, rows)

    def refusal(self, code: str, words: str, status: int) -> Reply:
        error = {"code": code, "description": words}
        return Reply({"chart": {"result": None, "error": error}}, status)

    def chart(self, symbol: str, interval: str, rows: pd.DataFrame) -> Reply:
        local = rows["timestamp"].dt.tz_convert(NEW_YORK)
        table = sessions(local.iloc[0].date(), local.iloc[-1].date())
        if interval == "1d":
            rows = rows.groupby(local.dt.date, as_index=False).first()
        periods = [
            [{"timezone": "EST", "start": int(o.timestamp()), "end": int(c.timestamp()),
              "gmtoffset": -18000}]
            for o, c in zip(table["open"], table["close"], strict=True)
        ]  # fmt: skip
        stamps = [int(stamp.timestamp()) for stamp in rows["timestamp"]]
        meta: dict[str, Any] = {
            "currency": "USD", "symbol": symbol, "exchangeName": "PCX", "instrumentType": "ETF",
            "firstTradeDate": 728317800, "regularMarketTime": stamps[-1],
            "gmtoffset": -18000, "timezone": "EST", "exchangeTimezoneName": NEW_YORK,
            "dataGranularity": interval, "range": "", "priceHint": 2,
            "validRanges": ["1d", "5d", "1mo", "max"], "a_field_of_tomorrow": True,
        }  # fmt: skip
        if interval != "1d":
            meta["tradingPeriods"] = periods
        events = {}
        if self.split is not None and interval == "1d":
            day, new, old = self.split
            at = int(pd.Timestamp(f"{day} 09:30", tz=NEW_YORK).timestamp())
            events["splits"] = {str(at): {"date": at, "numerator": new, "denominator": old,
                                          "splitRatio": f"{new}:{old}"}}  # fmt: skip
        quote = {name: rows[name].tolist() for name in ("open", "high", "low", "close")}
        quote["volume"] = rows["volume"].astype(int).tolist()
        indicators = {"quote": [quote], "adjclose": [{"adjclose": quote["close"]}]}
        result = {"meta": meta, "timestamp": stamps, "events": events, "indicators": indicators}
        return Reply({"chart": {"result": [result], "error": None}})


def _utc(text: str) -> pd.Timestamp:
    stamp = pd.Timestamp(text)
    return stamp if stamp.tz else stamp.tz_localize("UTC")
