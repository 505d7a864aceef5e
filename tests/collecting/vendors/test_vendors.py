"""Each vendor's own client, against a server in its format: the store is filled, whole."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from intraday_rl.market.catalogue import FINAL
from intraday_rl.market.store import Series, read_parts
from tests.collecting.vendors.conftest import Command, Place
from tests.collecting.vendors.formats import YahooServer
from tests.collecting.vendors.serving import Reply

pytestmark = pytest.mark.slow("vendors")

BUSY = {
    "alpaca": Reply({"message": "too many requests."}, 429, {"Retry-After": "1"}),
    "twelvedata": Reply({"code": 429, "message": "You have run out of API credits for the current "
                         "minute. Wait for the next minute.", "status": "error"}),
    "yfinance": Reply("Too Many Requests", 429),
}  # fmt: skip
PASSING = {
    "cut off": Reply({"bars": {"SPY": [1] * 500}}, cut=True),
    "half of a JSON": Reply('{"bars": {"SPY": ['),
    "status 500": Reply({"message": "internal server error"}, 500),
    "status 503 as a page": Reply("<html>Service Unavailable</html>", 503),
    "silent": Reply({}, silent=True),
    "busy without a word": Reply("", 429),
    "busy until a date": Reply({}, 429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
}


def bars_of(place: Place) -> pd.DataFrame:
    series = Series(place.folder / "bars", "SPY", place.vendor, 15)
    frame = pd.concat(read_parts(series, place.stored()).values(), ignore_index=True)
    assert isinstance(frame, pd.DataFrame)
    return frame


def sent_by(place: Place) -> pd.DataFrame:
    """The server's rows of the days that were asked for."""
    rows = place.server.rows  # type: ignore[attr-defined]
    days = rows["timestamp"].dt.strftime("%Y-%m-%d")
    return rows[(days >= place.span[0]) & (days <= place.span[1])].reset_index(drop=True)


def test_every_bar_arrives_as_it_was_sent_and_the_second_call_asks_for_no_whole_month(
    place: Place, command: Command
) -> None:
    ended = command(*place.overrides)
    assert ended.status == 0, ended.err
    pd.testing.assert_frame_equal(bars_of(place), sent_by(place), check_dtype=False)
    whole = {month for month, part in place.stored().parts.items() if part.state in FINAL}
    assert len(whole) >= (8 if place.vendor != "yfinance" else 1)
    place.server.asked.clear()
    assert command(*place.overrides).status == 0
    if place.vendor == "yfinance":  # its first and last month are not whole
        fetched = [asked for asked in place.server.asked if asked.params["interval"] == "15m"]
        assert len(fetched) == len(place.stored().parts) - len(whole)
    else:
        assert place.server.asked == []


@pytest.mark.parametrize("how", PASSING)
def test_what_passes_by_itself_is_waited_for(place: Place, command: Command, how: str) -> None:
    place.server.faults += [PASSING[how], PASSING[how]]
    ended = command(*place.overrides)
    assert ended.status == 0, ended.err
    pd.testing.assert_frame_equal(bars_of(place), sent_by(place), check_dtype=False)
    assert not place.server.faults


def test_eight_months_whose_vendor_is_mostly_busy_end_whole(place: Place, command: Command) -> None:
    honest = place.server.reply
    turns = iter(range(10**6))

    def mostly_busy(asked):
        if place.server.counts(asked) and next(turns) % 4:
            place.server.faults.append(BUSY[place.vendor])
        return honest(asked)

    place.server.reply = mostly_busy  # type: ignore[method-assign]
    ended = command(*place.overrides)
    assert ended.status == 0, ended.err
    pd.testing.assert_frame_equal(bars_of(place), sent_by(place), check_dtype=False)


def test_patience_ends_with_one_line_that_says_how_to_go_on(place: Place, command: Command) -> None:
    place.server.faults += [BUSY[place.vendor]] * 100
    ended = command(*place.overrides)
    assert ended.status == 3
    assert len(ended.err.splitlines()) <= 4, ended.err
    assert "too many requests, 6 times; type the same command again later" in ended.err
    assert "finished months are kept" in ended.err
    place.server.faults.clear()
    assert command(*place.overrides).status == 0


def test_an_empty_and_a_partial_day_make_their_months_short(
    alpaca: Place, twelvedata: Place, command: Command
) -> None:
    for place in (alpaca, twelvedata):
        rows = place.server.rows  # type: ignore[attr-defined]
        days = rows["timestamp"].dt.strftime("%Y-%m-%d")
        hours = rows["timestamp"].dt.hour
        gone = (days == "2021-06-10") | ((days == "2021-08-10") & (hours >= 16))
        place.server.rows = rows[~gone].reset_index(drop=True)  # type: ignore[attr-defined]
        ended = command(*place.overrides)
        assert ended.status == 0, ended.err
        assert "2021-06: 1 of 22 sessions are absent" in ended.out
        assert "2021-08: sessions are cut short" in ended.out
        assert len(bars_of(place)) == len(place.server.rows)  # type: ignore[attr-defined]


def test_months_before_the_first_bar_are_no_error(twelvedata: Place, command: Command) -> None:
    earlier = [one.replace("2021-05-01", "2021-02-01") for one in twelvedata.overrides]
    ended = command(*earlier)
    assert ended.status == 0, ended.err
    assert min(twelvedata.stored().parts) == "2021-05"


@pytest.mark.parametrize("symbol", ["NOSUCH", "'$$$'"])
def test_an_unknown_symbol_is_one_line(place: Place, command: Command, symbol: str) -> None:
    ended = command(*(one.replace("symbol=SPY", f"symbol={symbol}") for one in place.overrides))
    assert ended.status in (2, 3)
    assert "symbol" in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err


def test_a_bar_length_that_a_vendor_lacks_is_refused_before_it_is_asked(
    place: Place, command: Command
) -> None:
    ended = command(*(one.replace("minutes=15", "minutes=7") for one in place.overrides))
    assert ended.status == 3
    assert "no bars of 7 minutes; task.bar_minutes may be 1, " in ended.err
    assert place.server.asked == []


def test_alpacas_splits_both_ways_come_by_their_ex_date(alpaca: Place, command: Command) -> None:
    alpaca.server.splits = {  # type: ignore[attr-defined]
        "forward_splits": [
            {"symbol": "SPY", "cusip": "0", "new_rate": 3, "old_rate": 1, "id": "1",
             "ex_date": "2021-07-08", "process_date": "2021-07-09", "payable_date": None},
        ],
        "reverse_splits": [
            {"symbol": "SPY", "new_cusip": "1", "old_cusip": "0", "new_rate": 1, "old_rate": 4,
             "ex_date": "2021-10-05", "process_date": "2021-10-05"},
            {"symbol": "SPY", "new_rate": 1, "old_rate": 4, "ex_date": "2021-04-28",
             "process_date": "2021-05-03"},
        ],
    }  # fmt: skip
    ended = command(*alpaca.overrides)
    assert ended.status == 0, ended.err
    assert alpaca.stored().splits == {"2021-07-08": 3.0, "2021-10-05": 0.25}
    assert "2021-07-08: vendor 3:1, shipped none" in ended.out


def test_twelve_datas_splits_need_a_plan_and_their_absence_is_said(
    twelvedata: Place, command: Command, caplog: pytest.LogCaptureFixture
) -> None:
    assert command(*twelvedata.overrides).status == 0
    assert twelvedata.stored().splits is None
    assert "the splits of SPY need a paid plan" in caplog.text
    twelvedata.server.paid = True  # type: ignore[attr-defined]
    (twelvedata.folder / "bars" / "SPY" / "twelvedata-15min" / "2021-12.parquet").unlink()
    assert command(*twelvedata.overrides).status == 0
    assert twelvedata.stored().splits == {"2021-11-15": 3.0}


def test_yahoos_splits_come_with_its_days(yahoo: Place, command: Command) -> None:
    assert isinstance(yahoo.server, YahooServer)
    day = str(sent_by(yahoo)["timestamp"].dt.strftime("%Y-%m-%d").iloc[300])
    yahoo.server.split = (day, 5, 2)
    ended = command(*yahoo.overrides)
    assert ended.status == 0, ended.err
    assert yahoo.stored().splits == {day: 2.5}


def test_yahoos_minutes_are_asked_for_a_week_at_a_time(yahoo: Place, command: Command) -> None:
    ended = command(*(one.replace("minutes=15", "minutes=1") for one in yahoo.overrides))
    assert ended.status == 0, ended.err
    spans = [
        int(asked.params["period2"]) - int(asked.params["period1"])
        for asked in yahoo.server.asked
        if asked.params["interval"] == "1m"
    ]
    assert len(spans) >= 4
    assert max(spans) <= 8 * 24 * 3600
    assert "begins" in ended.err  # thirty days are all there is


def test_twelve_data_is_asked_no_faster_than_its_plan_allows(
    twelvedata: Place, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from intraday_rl.collecting.vendors import twelvedata as module

    waited: list[float] = []
    monkeypatch.setattr(module.TwelveData, "window_seconds", 60.0)
    monkeypatch.setattr(module.time, "sleep", waited.append)
    ended = command(*twelvedata.overrides)
    assert ended.status == 0, ended.err
    assert waited[0] == 0.0
    assert all(7.0 < seconds <= 7.5 for seconds in waited[1:])
    assert len(waited) == len(twelvedata.server.asked)


def test_credits_used_up_for_the_day_end_the_download_at_once(
    twelvedata: Place, command: Command
) -> None:
    words = "You have run out of API credits for the day. 801 were used, the limit being 800."
    twelvedata.server.faults.append(Reply({"code": 429, "message": words, "status": "error"}))
    ended = command(*twelvedata.overrides)
    assert ended.status == 3
    assert "tomorrow: finished months are kept" in ended.err
    assert len(twelvedata.server.asked) == 1


def test_a_vendor_that_changes_its_format_is_not_understood_and_nothing_is_stored(
    place: Place, command: Command
) -> None:
    strange = {"alpaca": {"bars": {"SPY": [{"time": 1}]}}, "twelvedata": {"values": 5},
               "yfinance": {"chart": {"result": [{"meta": {}}], "error": None}}}  # fmt: skip
    place.server.answer = lambda asked: Reply(strange[place.vendor])  # type: ignore[method-assign]
    ended = command(*place.overrides)
    assert ended.status == 3
    assert "Traceback" not in ended.err
    assert not list((place.folder / "bars").rglob("*.parquet"))


def test_waits_double_and_the_vendors_word_goes_first(
    alpaca: Place, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from intraday_rl.collecting.vendors.alpaca import Alpaca
    from intraday_rl.collecting.vendors.patience import Patience

    waited: list[float] = []
    monkeypatch.setattr(Alpaca, "patience", Patience())
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=waited.append))
    asks = [None, "17", None, None, "3600"]
    alpaca.server.faults += [Reply({}, 429, {"Retry-After": say} if say else {}) for say in asks]
    assert command(*alpaca.overrides).status == 0
    lowest = [1.0, 17.0, 4.0, 8.0, 120.0]
    assert [low <= one <= low + 1.0 for low, one in zip(lowest, waited, strict=True)] == [True] * 5
