"""Files of strangers: what they do not say is found from the bars, shown, and stored on demand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from intraday_rl.collecting.guessing.clock import found_clock, in_utc
from intraday_rl.collecting.guessing.columns import renamed
from intraday_rl.config import compose_plan
from intraday_rl.entry.job import run_plan
from intraday_rl.errors import ConfigError, DataError
from intraday_rl.loading import load_market
from intraday_rl.market.files import BarLabel
from intraday_rl.market.store import Series, stored_series

NEW_YORK = "America/New_York"


def bring(tmp_path, path, *more: str) -> int:
    overrides = [
        "task=import", f"task.path='{path}'", f"paths.state={tmp_path}/state", "tracking=none",
        f"paths.outputs={tmp_path}/outputs", *more,
    ]  # fmt: skip
    return run_plan(compose_plan(overrides), overrides).code


REAL = {
    "SPY_15min_2018_2025": ("SPY", 15, 51_054),
    "QQQ_15min_2018_2023": ("QQQ", 15, None),
    "TQQQ_15min_RECONSTRUCTED_2018_2023": ("TQQQ", 15, None),
    "TQQQ_5min_2025_2026": ("TQQQ", 5, None),
    "QQQ_5min_2025_2026": ("QQQ", 5, None),
    "SPY_1min_2023-11_2025-11": ("SPY", 1, 194_100),
}


FAST = "QQQ_15min_2018_2023"


@pytest.mark.parametrize(
    "name",
    [FAST, *(pytest.param(one, marks=pytest.mark.slow("bars")) for one in REAL if one != FAST)],
)
def test_every_real_file_is_understood_without_being_told(real_data, tmp_path, capsys, name):
    symbol, minutes, count = REAL[name]
    assert bring(tmp_path, real_data / f"{name}.parquet", "task.confirm=true") == 0
    shown = capsys.readouterr().out
    assert f"{symbol}, {minutes}-minute bars stamped by their start, own offsets" in shown
    (series,) = stored_series(tmp_path / "state" / "bars")
    assert (series.symbol, series.bar_minutes) == (symbol, minutes)
    catalogue = series.read()
    assert catalogue is not None
    assert catalogue.reconstructed == ("RECONSTRUCTED" in name)
    if count is not None:
        assert sum(part.bars for part in catalogue.parts.values()) == count
    built_from_closes = "built from closes" in shown
    assert built_from_closes == (
        name in ("QQQ_15min_2018_2023", "TQQQ_15min_RECONSTRUCTED_2018_2023")
    )


def test_nothing_is_stored_before_it_is_confirmed(tmp_path, rows, capsys):
    rows("2021-11-01", "2021-12-31").to_parquet(tmp_path / "TQQQ_15min.parquet")
    assert bring(tmp_path, tmp_path / "TQQQ_15min.parquet") == 0
    assert "type the same command with task.confirm=true" in capsys.readouterr().out
    assert not (tmp_path / "state").exists()


def test_imported_bars_are_the_bars_of_the_file(tmp_path, rows):
    file = tmp_path / "TQQQ_15min.parquet"
    rows("2021-11-01", "2021-12-31").to_parquet(file)
    bring(tmp_path, file, "task.confirm=true")
    state = f"paths.state={tmp_path}/state"
    read = load_market(compose_plan(["symbol=TQQQ", "data=store", state]))
    given = load_market(
        compose_plan(["symbol=TQQQ", "data=parquet", f"data.path={file}", "data.bar_label=start"])
    )
    assert read.symbol.fingerprint() == given.symbol.fingerprint()


def written(rows: pd.DataFrame, how: str) -> tuple[pd.DataFrame, str, str | None, BarLabel]:
    """The rows as somebody else would have written them, and what is to be found."""
    stamps = rows["timestamp"]
    end = stamps + pd.Timedelta(minutes=15)
    frame = rows.drop(columns="timestamp")
    local = stamps.dt.tz_convert(NEW_YORK).dt.tz_localize(None)
    match how:
        case "naive New York, start":
            return frame.assign(Date=local.astype(str)), NEW_YORK, NEW_YORK, BarLabel.start
        case "naive New York, end":
            times = end.dt.tz_convert(NEW_YORK).dt.tz_localize(None)
            return frame.assign(datetime=times.astype(str)), NEW_YORK, NEW_YORK, BarLabel.end
        case "naive UTC":
            return frame.assign(Time=stamps.dt.tz_localize(None)), "UTC", "UTC", BarLabel.start
        case "naive Chicago, end":
            times = end.dt.tz_convert("America/Chicago").dt.tz_localize(None)
            zone = "America/Chicago"
            return frame.assign(timestamp=times.astype(str)), zone, zone, BarLabel.end
        case "epoch in ms":
            ms = stamps.astype("int64") // 10**6
            return frame.assign(t=ms), "UTC", None, BarLabel.start
        case "date and time":
            columns = {"Date": local.dt.date.astype(str), "Time": local.dt.strftime("%H:%M")}
            return frame.assign(**columns), NEW_YORK, NEW_YORK, BarLabel.start
    raise AssertionError(how)


@pytest.mark.parametrize(
    "how",
    ["naive New York, start", "naive New York, end", "naive UTC", "naive Chicago, end",
     "epoch in ms", "date and time"],
)  # fmt: skip
def test_zone_and_label_are_found_from_the_hours_of_the_exchange(rows, how):
    original = rows("2021-09-01", "2022-01-31")
    table, _, zone, label = written(original, how)
    frame, _ = renamed(table, {}, "x.csv")
    clock = found_clock(frame, "x.csv")
    assert (clock.zone, clock.label, clock.bar_minutes) == (zone, label, 15)
    assert clock.sure == 1.0
    starts = in_utc(frame, clock, "x.csv")["timestamp"]
    assert (starts.to_numpy() == original["timestamp"].to_numpy()).all()


def with_long_hours(rows: pd.DataFrame, *, volume: bool) -> pd.DataFrame:
    """Quiet bars from 04:00 to 20:00 around each session."""
    pieces = [rows]
    for day, session in rows.groupby(rows["timestamp"].dt.date):
        whole = pd.date_range(f"{day} 04:00", f"{day} 19:45", freq="15min", tz=NEW_YORK)
        outside = whole.tz_convert("UTC").difference(pd.DatetimeIndex(session["timestamp"]))
        price = float(session["close"].iloc[0])
        quiet = pd.DataFrame({"timestamp": outside, "open": price, "close": price})
        quiet["high"], quiet["low"] = price * 1.0001, price * 0.9999
        quiet["volume"] = 50.0
        pieces.append(quiet)
    frame = pd.concat(pieces).sort_values("timestamp").reset_index(drop=True)
    return frame if volume else frame.drop(columns="volume")


@pytest.mark.parametrize("volume", [True, False])
@pytest.mark.parametrize("label", list(BarLabel))
def test_where_trading_goes_on_around_the_session_activity_tells_the_label(rows, label, volume):
    frame = with_long_hours(rows("2021-10-01", "2021-12-31"), volume=volume)
    if label is BarLabel.end:
        frame["timestamp"] += pd.Timedelta(minutes=15)
    clock = found_clock(frame, "x.csv")
    assert clock.label is label
    assert "jump at the open" in clock.by


def test_an_hour_before_the_open_is_not_taken_for_a_zone_an_hour_away(rows):
    frame = with_long_hours(rows("2021-10-01", "2021-12-31"), volume=True)
    local = frame["timestamp"].dt.tz_convert(NEW_YORK).dt.tz_localize(None)
    minute = local.dt.hour * 60 + local.dt.minute
    kept = minute.between(8 * 60 + 30, 17 * 60)
    clock = found_clock(frame.assign(timestamp=local)[kept].reset_index(drop=True), "x")
    assert clock.zone == NEW_YORK


def test_stamps_an_hour_off_fit_no_zone_of_their_own(rows):
    frame = rows("2021-09-01", "2022-01-31")
    frame["timestamp"] += pd.Timedelta(hours=1)
    with pytest.raises(DataError, match=r"no zone and label put bars at both ends.*task\.timezone"):
        found_clock(frame, "x.csv")


def test_what_the_user_says_is_checked_and_not_overruled(rows, tmp_path):
    frame = rows("2021-11-01", "2021-12-31")
    frame.to_parquet(tmp_path / "TQQQ.parquet")
    with pytest.raises(DataError, match="no zone and label"):
        bring(tmp_path, tmp_path / "TQQQ.parquet", "task.bar_label=end")
    assert bring(tmp_path, tmp_path / "TQQQ.parquet", "task.bar_label=start") == 0
    naive = frame.assign(timestamp=frame["timestamp"].dt.tz_localize(None))
    assert found_clock(naive, "x.csv", zone="UTC").zone == "UTC"
    with pytest.raises(DataError, match=r"no zone and label .*task\.timezone and task\.bar_label"):
        found_clock(naive, "x.csv", zone=NEW_YORK)


def test_two_columns_that_may_be_meant_and_a_missing_one_are_the_users_to_name(rows):
    table = rows("2021-11-01", "2021-11-30").assign(o=1.0)
    with pytest.raises(DataError, match=r"open may be open, o; say which by \+task\.columns\.open"):
        renamed(table, {}, "x.csv")
    frame, _ = renamed(table, {"open": "open"}, "x.csv")
    assert frame["open"].equals(table["open"])
    with pytest.raises(DataError, match=r"no column for close.*task\.columns\.close"):
        renamed(table.drop(columns=["o", "close"]), {}, "x.csv")


def test_a_folder_of_files_becomes_one_series_a_symbol(tmp_path, rows, capsys):
    folder = tmp_path / "mixed"
    folder.mkdir()
    bars = rows("2021-10-01", "2021-12-31")
    local = bars["timestamp"].dt.tz_convert(NEW_YORK)
    for month in (10, 11, 12):
        part = bars[local.dt.month == month]
        naive = part.assign(timestamp=part["timestamp"].dt.tz_localize(None))
        naive.to_csv(folder / f"qqq-2021-{month}.csv.gz", index=False)
    both = pd.concat([bars.assign(Ticker="SPY"), bars.assign(Ticker="iwm")])
    both.to_parquet(folder / "all.parquet")
    (folder / "readme.md").write_text("no bars")
    assert (
        bring(tmp_path, folder, "task.confirm=true", "task.vendor=mine", "task.timezone=UTC") == 0
    )
    there = stored_series(tmp_path / "state" / "bars")
    assert [str(one) for one in there] == [
        "IWM 15 min of mine", "QQQ 15 min of mine", "SPY 15 min of mine",
    ]  # fmt: skip
    assert len({one.read().fingerprint() for one in there}) == 1


@pytest.mark.slow("bars")
def test_the_same_days_told_differently_are_refused_and_replaced_only_by_force(tmp_path, rows):
    bars = rows("2021-11-01", "2021-12-31")
    bars.to_parquet(tmp_path / "TQQQ.parquet")
    bring(tmp_path, tmp_path / "TQQQ.parquet", "task.confirm=true")
    series = Series(tmp_path / "state" / "bars", "TQQQ", "imported", 15)
    before = series.read().fingerprint()
    bring(tmp_path, tmp_path / "TQQQ.parquet", "task.confirm=true")  # the same again is no news
    assert series.read().fingerprint() == before
    other = bars.assign(close=bars["close"] * 1.0001, high=bars["high"] * 1.001)
    other.to_parquet(tmp_path / "TQQQ.parquet")
    with pytest.raises(DataError, match=r"told twice and differently.*force=true"):
        bring(tmp_path, tmp_path / "TQQQ.parquet", "task.confirm=true")
    assert series.read().fingerprint() == before
    bring(tmp_path, tmp_path / "TQQQ.parquet", "task.confirm=true", "force=true")
    assert series.read().fingerprint() != before


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("TQQQ.csv", "", "cannot be read|no column"),
        ("TQQQ.csv", "a,b\n1,2\n", "no column for timestamp"),
        ("TQQQ.parquet", "PAR1 nothing", "cannot be read"),
        ("..csv", "x", "no CSV or parquet file"),
    ],
)
def test_what_is_no_bars_is_refused_with_its_name(tmp_path, name, content, said):
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / name).write_text(content)
    with pytest.raises(DataError, match=said):
        bring(tmp_path, folder, "task.confirm=true")
    assert not (tmp_path / "state").exists()


def test_symbol_columns_and_prices_are_the_users_to_say(tmp_path, rows):
    table = rows("2021-11-01", "2021-12-31").rename(columns={"close": "settled", "open": "begun"})
    table.to_parquet(tmp_path / "export 7.parquet")
    with pytest.raises(DataError, match=r"no column for open.*task\.columns\.open"):
        bring(tmp_path, tmp_path / "export 7.parquet", "task.symbol=abc")
    said = ["+task.columns.open=begun", "+task.columns.close=settled"]
    bring(tmp_path, tmp_path / "export 7.parquet", "task.symbol=abc", *said,
          "task.prices=traded", "task.confirm=true")  # fmt: skip
    (series,) = stored_series(tmp_path / "state" / "bars")
    assert series.symbol == "ABC"
    assert series.read().prices.value == "traded"
    with pytest.raises(DataError, match=r"needs a name of its own by task\.vendor"):
        bring(tmp_path, tmp_path / "export 7.parquet", "task.symbol=abc", *said,
              "task.prices=adjusted", "task.confirm=true")  # fmt: skip


def test_epochs_are_read_by_their_size(rows):
    stamps = rows("2021-11-01", "2021-11-30")["timestamp"]
    ns = stamps.astype("int64")
    for size in (1, 10**3, 10**6, 10**9):
        table = rows("2021-11-01", "2021-11-30").assign(timestamp=np.asarray(ns) // (10**9 // size))
        frame, words = renamed(table, {}, "x.csv")
        assert (frame["timestamp"].to_numpy() == stamps.to_numpy()).all()
        assert any("epoch" in word for word in words)
    json.dumps(words)


def test_two_files_that_share_a_session_leave_it_whole(tmp_path, rows):
    bars = rows("2021-11-01", "2021-11-30")
    cut = pd.Timestamp("2021-11-16 17:00", tz="UTC")
    parts = {"early": bars[bars["timestamp"] < cut], "late": bars[bars["timestamp"] >= cut]}
    for order in (("early", "late"), ("late", "early")):
        state = tmp_path / order[0]
        state.mkdir()
        for name in order:
            parts[name].to_parquet(tmp_path / f"TQQQ_{name}.parquet")
            bring(state, tmp_path / f"TQQQ_{name}.parquet", "task.confirm=true")
        (series,) = stored_series(state / "state" / "bars")
        part = series.read().parts["2021-11"]
        assert (part.bars, part.state.value) == (len(bars), "complete")


@pytest.mark.slow("bars")
@pytest.mark.parametrize("order", [("before", "after"), ("after", "before")])
def test_files_that_end_before_and_after_a_split_become_prices_of_one_kind(tmp_path, rows, order):
    bars = rows("2021-01-04", "2021-01-29")  # TQQQ was split 2:1 on 2021-01-21
    cut = pd.Timestamp("2021-01-15", tz="UTC")
    before = bars[bars["timestamp"] < cut].copy()
    before[["open", "high", "low", "close"]] *= 2  # it knew of no split
    files = {"before": before, "after": bars[bars["timestamp"] >= cut]}
    for name in order:
        files[name].to_parquet(tmp_path / f"TQQQ_{name}.parquet")
        bring(tmp_path, tmp_path / f"TQQQ_{name}.parquet", "task.confirm=true")
    said = ["symbol=TQQQ", "data=store", f"paths.state={tmp_path}/state"]
    read = load_market(compose_plan(said)).symbol.frame
    np.testing.assert_allclose(read["close"], bars["close"])
    assert set(read["split_factor"]) == {1.0, 2.0}


@pytest.mark.slow("bars")
def test_up_to_when_splits_are_in_the_prices_is_shown_and_the_users_to_say(tmp_path, rows, capsys):
    file = tmp_path / "TQQQ.parquet"
    rows("2021-11-01", "2021-12-31").to_parquet(file)
    bring(tmp_path, file)
    assert "up to 2021-12-31, the last session" in capsys.readouterr().out
    bring(tmp_path, file, "task.adjusted_through='2022-06-30'", "task.confirm=true")
    assert "up to 2022-06-30\n" in capsys.readouterr().out
    said = ["symbol=TQQQ", "data=store", f"paths.state={tmp_path}/state"]
    factors = load_market(compose_plan(said)).symbol.frame["split_factor"]
    assert set(factors) == {2.0}  # 2:1 on 2022-01-13
    with pytest.raises(ConfigError, match="prices=traded are adjusted for no split"):
        bring(tmp_path, file, "task.adjusted_through='2022-06-30'", "task.prices=traded")


def test_a_price_that_is_no_number_is_refused_with_its_row(tmp_path, rows):
    bars = rows("2021-11-01", "2021-11-30").astype({"close": object})
    bars.loc[6, "close"] = "1,234.5"
    bars.to_csv(tmp_path / "TQQQ.csv", index=False)
    with pytest.raises(DataError, match=r"row 7: close='1,234\.5' is not a number"):
        bring(tmp_path, tmp_path / "TQQQ.csv")


def test_a_stamp_that_was_cut_off_is_refused_with_its_row(tmp_path, rows):
    text = rows("2021-11-01", "2021-11-30").iloc[:51].to_csv(index=False)
    (tmp_path / "TQQQ.csv").write_text(text[: text.rindex("\n2021-") + 15])
    with pytest.raises(DataError, match=r"row 51 \(2021-11-02 19:\): .*not ISO 8601"):
        bring(tmp_path, tmp_path / "TQQQ.csv")


def test_sparse_bars_are_read_as_the_user_says_unless_the_stamps_speak_against_it(rows):
    frame = rows("2021-09-01", "2022-01-31")
    sparse = frame[np.random.default_rng(0).random(len(frame)) > 0.3].reset_index(drop=True)
    with pytest.raises(DataError, match=r"no zone and label.*task\.bar_label"):
        found_clock(sparse, "x.csv")
    clock = found_clock(sparse, "x.csv", BarLabel.start)
    assert (clock.label, clock.bar_minutes) == (BarLabel.start, 15)
    assert "as said" in str(clock)
    with pytest.raises(DataError, match="no zone and label"):
        found_clock(sparse, "x.csv", BarLabel.end)
    late = sparse.assign(timestamp=sparse["timestamp"] + pd.Timedelta(hours=1))
    with pytest.raises(DataError, match="no zone and label"):
        found_clock(late, "x.csv", BarLabel.start)


def test_one_bar_a_session_is_no_intraday_file(rows):
    with pytest.raises(DataError, match="at most one bar a session"):
        found_clock(rows("2021-09-01", "2022-01-31", bar_minutes=390), "x.csv")


def test_the_names_of_vendors_are_not_for_files(tmp_path, rows):
    rows("2021-11-01", "2021-11-30").to_parquet(tmp_path / "TQQQ.parquet")
    with pytest.raises(ConfigError, match=r"task\.vendor=alpaca: .*a name of their own"):
        bring(tmp_path, tmp_path / "TQQQ.parquet", "task.vendor=alpaca")


def test_a_store_that_cannot_be_written_is_named(tmp_path, rows):
    rows("2021-11-01", "2021-11-30").to_parquet(tmp_path / "TQQQ.parquet")
    (tmp_path / "taken").write_text("a file where the store should be")
    with pytest.raises(DataError, match=r"taken/TQQQ.*cannot be written to.*data\.store"):
        bring(tmp_path, tmp_path / "TQQQ.parquet", "task.confirm=true", "data=store",
              f"data.store={tmp_path}/taken")  # fmt: skip
