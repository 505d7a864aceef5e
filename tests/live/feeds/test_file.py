"""Files that grow give the bars of the same files read whole, whatever happens to them."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from intraday_rl.errors import ConfigError
from intraday_rl.live.feeds.feed import DayBars
from intraday_rl.live.feeds.file import FileFeed
from intraday_rl.live.feeds.session import SessionIntake
from intraday_rl.market.calendar import NEW_YORK
from intraday_rl.market.files import BarLabel
from tests.live.feeds.conftest import (
    HALF,
    ORDINARY,
    assert_same,
    at,
    day_of_bars,
    intake_of,
    read_whole,
    real_minutes,
)

MINUTE = pd.Timedelta(minutes=1)
HEADER = "timestamp,open,high,low,close,volume\n"
DAY = day_of_bars(ORDINARY)


def feed_in(
    folder: Path,
    day: date = ORDINARY,
    benchmark: str | None = None,
    label: BarLabel = BarLabel.start,
    timezone: str | None = None,
    **changed: object,
) -> FileFeed:
    other = None if benchmark is None else intake_of(day, benchmark, **changed)
    session = SessionIntake(intake_of(day, **changed), other)
    return FileFeed(folder, session, bar_label=label, timezone=timezone)


def lines_of(frame: pd.DataFrame) -> list[str]:
    return frame.to_csv(index=False, header=False).splitlines(keepends=True)


def append(file: Path, text: str) -> None:
    with file.open("a") as opened:
        opened.write(text)


def replace(file: Path, text: str) -> None:
    other = file.with_suffix(".new")
    other.write_text(text)
    other.replace(file)


def without_minutes(frame: pd.DataFrame) -> pd.DataFrame:
    """Single minutes gone, the first of a traded bar, and a whole traded bar."""
    gone = [7, 8, 44, 60, *range(90, 105), 389]
    return frame.drop(index=gone).reset_index(drop=True)


@pytest.mark.parametrize(
    ("which", "label"),
    [
        ("ordinary", BarLabel.start), ("half", BarLabel.end), ("naive", BarLabel.end),
        ("missing minutes", BarLabel.start), ("missing minutes", BarLabel.end),
    ],
)  # fmt: skip
def test_a_day_appended_line_by_line_is_the_file_read_whole(
    which: str, label: BarLabel, tmp_path: Path
) -> None:
    day = HALF if which in ("half", "naive") else ORDINARY
    frame = without_minutes(DAY) if which == "missing minutes" else day_of_bars(day)
    ends = frame["timestamp"] + MINUTE
    timezone = NEW_YORK if which == "naive" else None
    shown = frame.assign(timestamp=frame["timestamp"] if label is BarLabel.start else ends)
    if timezone:
        shown["timestamp"] = shown["timestamp"].dt.tz_convert(timezone).dt.tz_localize(None)
    file = tmp_path / "SPY.csv"
    feed = feed_in(tmp_path, day, label=label, timezone=timezone)
    assert feed.known(at("9:30", day)).symbol.frame.empty
    append(file, HEADER)
    said: tuple[str, ...] = ()
    for number, (line, end) in enumerate(zip(lines_of(shown), ends, strict=True)):
        append(file, line)
        if number % 15 in (0, 14) or number > len(frame) - 3:
            known = feed.known(end)
            said += known.findings
            assert (known.ends <= end).all()
    known = feed.known(ends.iloc[-1] + pd.Timedelta(minutes=2))
    assert said + known.findings == ()
    assert_same(known.symbol, read_whole(file, bar_label=label, timezone=timezone))
    assert known.benchmark is known.symbol
    feed.close()


@pytest.mark.parametrize("minutes", [20, 60])
def test_a_short_last_bar_stamped_by_its_end_is_the_files(minutes: int, tmp_path: Path) -> None:
    """390 minutes are not a whole number of hours: the last bar is half of one."""
    starts = DAY.iloc[::minutes].reset_index(drop=True)
    close = at("16:00")
    ends = (starts["timestamp"] + minutes * MINUTE).clip(upper=close.tz_convert("UTC"))
    file = tmp_path / "SPY.csv"
    append(file, HEADER + "".join(lines_of(starts.assign(timestamp=ends))))
    feed = feed_in(tmp_path, label=BarLabel.end, bar_minutes=60, feed_bar_minutes=minutes)
    known = feed.known(close)
    assert known.findings == ()
    assert_same(known.symbol, read_whole(file, 60, bar_label=BarLabel.end))


def test_a_half_written_line_is_waited_for(tmp_path: Path) -> None:
    file, feed = tmp_path / "SPY.csv", feed_in(tmp_path)
    append(file, HEADER)
    line = lines_of(DAY)[0]
    for cut in (3, 30, len(line) - 1):
        replace(file, HEADER + line[:cut])
        assert feed.known(at("9:31")).findings == ()
        assert feed.opening(at("9:30"), at("9:31")) is None
    append(file, line[-1])
    assert feed.opening(at("9:30"), at("9:31")) == (at("9:30"), DAY["open"][0])
    assert feed.known(at("9:31")).findings == ()


def through(feed: FileFeed, now: pd.Timestamp) -> tuple[DayBars, int]:
    known = feed.known(now)
    return known, len(known.symbol.frame)


@pytest.mark.parametrize("how", ["replaced", "cut and written again", "gone and back"])
def test_a_file_made_anew_goes_on_where_it_was(how: str, tmp_path: Path) -> None:
    file, feed, lines = tmp_path / "SPY.csv", feed_in(tmp_path), lines_of(DAY)
    append(file, HEADER + "".join(lines[:20]))
    assert through(feed, at("9:50"))[1] == 1
    longer = "symbol," + HEADER + "".join(f"SPY,{line}" for line in lines[:35])
    if how == "replaced":
        replace(file, longer)
    elif how == "cut and written again":
        file.write_text("")
        assert through(feed, at("9:50"))[1] == 1
        file.write_text(longer)
    else:
        file.unlink()
        assert through(feed, at("9:50"))[1] == 1
        file.write_text(longer)
    known, count = through(feed, at("10:05"))
    assert (known.findings, count) == ((), 2)
    append(file, f"SPY,{lines[35]}")
    assert feed.known(at("10:06")).findings == ()


def test_a_replaced_file_that_says_something_else_is_a_finding(tmp_path: Path) -> None:
    file, feed, lines = tmp_path / "SPY.csv", feed_in(tmp_path), lines_of(DAY)
    append(file, HEADER + "".join(lines[:20]))
    known = feed.known(at("9:50"))
    lines[3] = lines[3].replace(".0\n", ".5\n")  # another volume in as many bytes
    replace(file, HEADER + "".join(lines[:30]))
    later = feed.known(at("10:00"))
    assert later.findings == ("SPY 09:33: came again with other values; the first ones stay",)
    assert later.symbol.frame.iloc[:1].equals(known.symbol.frame)


def test_only_what_is_new_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import intraday_rl.live.feeds.file as module

    handed = []

    def counted(table, *rest):
        handed.append(len(table))
        return bars_of_day(table, *rest)

    bars_of_day = module.bars_of_day
    monkeypatch.setattr(module, "bars_of_day", counted)
    file, feed, lines = tmp_path / "SPY.csv", feed_in(tmp_path), lines_of(DAY)
    append(file, HEADER + "".join(lines[:300]))
    for number in range(300, 305):
        append(file, lines[number])
        feed.known(at("14:40"))
        feed.known(at("14:40"))
    assert handed == [301, 1, 1, 1, 1]


def test_other_days_and_other_columns_are_passed_over(tmp_path: Path) -> None:
    frame = pd.concat([day_of_bars(date(2021, 11, 23)), DAY, day_of_bars(HALF)])
    frame.assign(vwap=1.0, note="of, \"theirs\"")[
        ["vwap", "close", "open", "high", "note", "low", "timestamp", "volume"]
    ].to_csv(tmp_path / "SPY.csv", index=False)  # fmt: skip
    known = feed_in(tmp_path).known(at("20:00"))
    assert known.findings == ()
    wanted = read_whole(tmp_path / "SPY.csv").between(ORDINARY, ORDINARY)
    assert_same(known.symbol, wanted)


def test_a_file_without_volumes_has_unknown_ones(tmp_path: Path) -> None:
    DAY.drop(columns="volume").to_csv(tmp_path / "SPY.csv", index=False)
    known = feed_in(tmp_path).known(at("16:00"))
    assert known.findings == ()
    assert_same(known.symbol, read_whole(tmp_path / "SPY.csv"))


UNREADABLE = {
    "no time": ("soon,1,1,1,1,1", "'soon': the time stamp cannot be read"),
    "the machine's own time": ("now,1,1,1,1,1", "the time stamp cannot be read"),
    "an epoch": ("1637764200,1,1,1,1,1", "the time stamp cannot be read"),
    "a stamp without offset": ("2021-11-24 09:31,1,1,1,1,1", "no offset; set task.feed_timezone"),
    "no number": ("2021-11-24 14:31+00:00,1,1,1,one,1", "'one': close is not a number"),
    "a number of another tongue": ('2021-11-24 14:31Z,"1,5",1,1,1,1', "open is not a number"),
    "a volume in words": ("2021-11-24 14:31Z,1,1,1,1,many", "volume is not a number"),
    "an empty price": ("2021-11-24 14:31Z,1,1,1,,1", "close=nan: must be a positive number"),
    "too few fields": ("2021-11-24 14:31Z,1,1", "3 fields where the header has 6"),
    "too many fields": ("2021-11-24 14:31Z,1,1,1,1,1,1", "7 fields where the header has 6"),
    "the header again": (HEADER.strip(), "the time stamp cannot be read"),
    "an open quote": ('2021-11-24 14:31Z,1,1,1,"1,1', "5 fields where the header has 6"),
    "no text": ("\udc80\udcff\0\0\x1b", "1 fields where the header has 6"),
}


@pytest.mark.parametrize("how", UNREADABLE)
def test_an_unreadable_row_is_a_finding_and_the_others_count(how: str, tmp_path: Path) -> None:
    row, reason = UNREADABLE[how]
    lines = lines_of(DAY.head(45))
    text = HEADER + lines[0] + row + "\r\n\n" + "".join(lines[1:])
    (tmp_path / "SPY.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    feed = feed_in(tmp_path)
    known = feed.known(at("16:00"))
    (said,) = known.findings
    assert reason in said
    assert said.startswith("SPY")
    DAY.head(45).to_csv(tmp_path / "whole.csv", index=False)
    assert_same(known.symbol, read_whole(tmp_path / "whole.csv"))
    assert feed.known(at("16:01")).findings == ()


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("timestamp,open,high,low,volume", "no column 'close'"),
        ("timestamp,open,high,low,close,close", "two columns 'close'"),
        ("timestamp;open;high;low;close", "no column 'timestamp'"),
    ],
)
def test_a_header_that_does_not_fit_is_a_finding_until_the_file_is_replaced(
    header: str, reason: str, tmp_path: Path
) -> None:
    file, feed, lines = tmp_path / "SPY.csv", feed_in(tmp_path), lines_of(DAY)
    append(file, header + "\n" + "".join(lines[:20]))
    assert reason in feed.known(at("9:50")).findings[0]
    append(file, lines[20])
    assert feed.known(at("9:51")).findings == ()
    replace(file, HEADER + "".join(lines[:30]))
    known = feed.known(at("10:00"))
    assert len(known.symbol.frame) == 2


def test_a_file_that_may_not_be_read_or_is_none_is_no_exception(tmp_path: Path) -> None:
    (tmp_path / "SPY.csv").mkdir()
    (tmp_path / "QQQ.csv").symlink_to(tmp_path / "nowhere")
    feed = feed_in(tmp_path, benchmark="QQQ")
    assert feed.known(at("9:31")).findings == ()
    said = feed.known(at("9:31:15")).findings
    assert [one.partition(" in ")[0] for one in said] == [
        "no SPY.csv and no folder SPY", "no QQQ.csv and no folder QQQ",
    ]  # fmt: skip
    assert feed.known(at("9:33")).findings == ()


def test_a_pipe_in_place_of_the_file_does_not_stop_the_session(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "SPY.csv")
    assert len(feed_in(tmp_path).known(at("10:00")).findings) == 1


@pytest.mark.parametrize("cut", [0, 4, 200, -1])
def test_a_half_written_parquet_file_is_tried_again(cut: int, tmp_path: Path) -> None:
    folder, feed = tmp_path / "SPY", feed_in(tmp_path)
    folder.mkdir()
    DAY.iloc[:20].to_parquet(folder / "part-1.parquet")
    whole = folder / "whole"
    DAY.iloc[15:30].to_parquet(whole)
    content = whole.read_bytes()
    half = folder / "part-2.parquet"
    half.write_bytes(content[:cut])
    known, count = through(feed, at("9:59:40"))
    assert (known.findings, count) == ((), 1)
    assert feed.known(at("9:59:54")).findings == ()
    (said,) = feed.known(at("9:59:56")).findings
    assert said.startswith("SPY/part-2.parquet: cannot be read as parquet")
    half.write_bytes(content)
    known, count = through(feed, at("10:00"))
    assert (known.findings, count) == ((), 2)


def test_a_day_of_parquet_files_is_the_file_read_whole(tmp_path: Path) -> None:
    """An hour a file, the newest replaced every quarter; stamps in an index."""
    folder, feed, random = tmp_path / "SPY", feed_in(tmp_path), np.random.default_rng(0)
    folder.mkdir()
    said: tuple[str, ...] = ()
    for number in range(14, 390, 15):
        hour, fresh = number // 60, folder / "fresh.tmp"
        frame = DAY.iloc[hour * 60 : number + 1].set_index("timestamp")
        if hour == 1:
            frame = frame.assign(volume=frame["volume"].astype("int64")).reset_index()
        frame.to_parquet(fresh)
        fresh.replace(folder / f"hour-{hour}.parquet")
        now = DAY["timestamp"][number] + MINUTE + pd.Timedelta(seconds=int(random.integers(9)))
        said += feed.known(now).findings
    wanted = tmp_path / "whole.parquet"
    DAY.to_parquet(wanted)
    known = feed.known(at("16:01"))
    assert said + known.findings == ()
    assert_same(known.symbol, read_whole(wanted))


@pytest.mark.parametrize("column", ["timestamp", "open", "volume"])
@pytest.mark.parametrize(
    "values",
    [
        [True] * 3, [b"1"] * 3, [[1, 2], [3], []], [None] * 3, [{"a": 1}] * 3,
        ["x", "", "2021-11-24T14:30:00Z"], [1, 2, 3], [1.5, float("nan"), float("inf")],
        [pd.Timestamp("2021-11-24"), None, pd.Timestamp("2021-11-24 09:30")],
        [pd.Timedelta(seconds=1)] * 3,
    ],
)  # fmt: skip
def test_a_strange_column_is_no_exception(column: str, values: list, tmp_path: Path) -> None:
    (tmp_path / "SPY").mkdir()
    strange = DAY.iloc[:3].assign(**{column: pd.Series(values)})
    strange.to_parquet(tmp_path / "SPY" / "a.parquet")
    feed = feed_in(tmp_path)
    feed.known(at("9:50"))
    assert feed.opening(at("9:45"), at("9:50")) is None


def test_the_benchmark_comes_the_same_way_and_its_holes_change_no_bar(tmp_path: Path) -> None:
    other = day_of_bars(ORDINARY, seed=1)
    feed = feed_in(tmp_path, benchmark="QQQ")
    own_file, other_file = tmp_path / "SPY.csv", tmp_path / "QQQ.csv"
    DAY.to_csv(own_file, index=False)
    other.drop(index=[15, 30, 31]).to_csv(other_file, index=False)
    known = feed.known(at("16:00"))
    assert known.findings == ()
    assert_same(known.symbol, read_whole(own_file))
    assert_same(known.benchmark, read_whole(other_file))
    assert len(known.symbol.frame) == len(known.benchmark.frame) + 2


def test_a_bar_waits_for_the_benchmarks_of_the_same_time_as_long_as_the_grace(
    tmp_path: Path,
) -> None:
    feed = feed_in(tmp_path, benchmark="QQQ")
    append(tmp_path / "SPY.csv", HEADER + "".join(lines_of(DAY)[:15]))
    other = lines_of(day_of_bars(ORDINARY, seed=1))
    append(tmp_path / "QQQ.csv", HEADER + "".join(other[:14]))
    assert feed.known(at("9:45")).symbol.frame.empty
    append(tmp_path / "QQQ.csv", other[14])
    known = feed.known(at("9:45:01"))
    assert (len(known.symbol.frame), len(known.benchmark.frame)) == (1, 1)
    append(tmp_path / "SPY.csv", "".join(lines_of(DAY)[15:30]))
    assert len(feed.known(at("10:00:14")).symbol.frame) == 1
    assert len(feed.known(at("10:00:15")).symbol.frame) == 2


def test_a_bar_a_little_ahead_of_our_clock_waits_and_one_far_ahead_is_refused(
    tmp_path: Path,
) -> None:
    feed, lines = feed_in(tmp_path), lines_of(DAY)
    append(tmp_path / "SPY.csv", HEADER + "".join(lines[:15]) + lines[20])
    assert feed.known(at("9:44:56")).findings == (
        "SPY 09:50: ends in the future; the bar is left out",
    )
    known, count = through(feed, at("9:45"))
    assert (known.findings, count) == ((), 1)


def test_what_cannot_be_followed_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="feed_timezone"):
        feed_in(tmp_path, timezone="New York")
    with pytest.raises(ConfigError, match="name of a file"):
        feed_in(tmp_path, benchmark="../QQQ")


def test_real_minutes_in_a_growing_file_are_the_file_read_whole(
    real_data: Path, tmp_path: Path
) -> None:
    day = date(2025, 4, 9)
    frame = real_minutes(real_data, day)
    file, feed = tmp_path / "SPY.csv", feed_in(tmp_path, day)
    frame.head(0).to_csv(file, index=False)
    for row, end in zip(lines_of(frame), frame["timestamp"] + MINUTE, strict=True):
        append(file, row)
        if end.minute % 15:
            continue
        known = feed.known(end)
        assert known.findings == ()
        assert len(known.symbol.frame) == int((end - at("9:30", day)) / (15 * MINUTE))
    assert_same(known.symbol, read_whole(file))
