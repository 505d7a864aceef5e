"""A good file, spoiled in every way we know of: one message, status 3, nothing written.

Each case goes through the entry in this process, a handful through a real command line.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intraday_rl.config import compose_plan, saved
from intraday_rl.entry import main
from intraday_rl.market import stamps
from intraday_rl.market.calendar import NEW_YORK, sessions
from intraday_rl.market.reading import MOST_ROWS
from intraday_rl.market.synthetic import SyntheticData, generate

Frame = pd.DataFrame
PRICES = ["open", "high", "low", "close"]
LAYOUT = [
    "agent=hold", "tracking=none", "data=parquet", "data.path=unset", "data.bar_label=start",
    "windows=auto", "windows.train_size=2 months", "windows.test_size=1 month",
    "windows.validation_sessions=10", "symbol=SPY",
]  # fmt: skip
MINUTE = pd.Timedelta(minutes=1)


@dataclass
class Place:
    """Where a case writes its file, and the good bars it spoils (2021-09-01 to 2021-12-31)."""

    folder: Path
    good: Frame

    def parquet(self, frame: Frame, name: str = "bars.parquet") -> Path:
        frame.to_parquet(self.folder / name)
        return self.folder / name

    def csv(self, change: Callable[[bytes], bytes], name: str = "bars.csv") -> Path:
        text = self.good.to_csv(index=False).encode()
        return self.raw(change(text), name)

    def raw(self, content: bytes, name: str) -> Path:
        (self.folder / name).write_bytes(content)
        return self.folder / name

    def stored(self) -> bytes:
        return self.parquet(self.good, "good.parquet").read_bytes()

    def cell(self, column: str, value: object, row: int = 28) -> Path:
        frame = self.good.copy()
        if isinstance(value, str):
            frame[column] = frame[column].astype(object)
            frame.loc[row - 1, column] = value
            path = self.folder / "bars.csv"  # a parquet column has one type
            frame.to_csv(path, index=False)
            return path
        frame.loc[row - 1, column] = value
        return self.parquet(frame)

    def stamped(self, stamp: object) -> Path:
        return self.parquet(self.good.assign(timestamp=stamp))

    @property
    def local(self) -> pd.Series:
        return self.good["timestamp"].dt.tz_convert(NEW_YORK)

    @property
    def epoch_ns(self) -> pd.Series:
        return self.good["timestamp"].astype("int64")

    def shifted(self, rows: pd.Series, minutes: int) -> Path:
        moved = self.good["timestamp"].where(~rows, self.good["timestamp"] + minutes * MINUTE)
        return self.stamped(moved)


@pytest.fixture(scope="module")
def good() -> Frame:
    bars, _ = generate(SyntheticData(start="2021-09-01", end="2021-12-31"), "SPY", "QQQ")
    frame = bars.frame[["bar_start", *PRICES, "volume"]]
    return frame.rename(columns={"bar_start": "timestamp"})


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved plan: composing anew for every case would take most of the time."""
    path = tmp_path_factory.mktemp("plan") / "plan.yaml"
    path.write_text(saved(compose_plan(LAYOUT)).text)
    return path


@dataclass
class Left:
    status: int
    out: str
    err: str
    files: list[str]


Leave = Callable[..., Left]


@pytest.fixture
def leave(
    tmp_path: Path, plan: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Leave:
    """Run the saved plan on a file; outputs and state are two folders that do not exist yet."""
    outputs, state = tmp_path / "outputs", tmp_path / "state"

    def run(path: Path, *words: str, around: AbstractContextManager[None] | None = None) -> Left:
        kind = "csv" if ".csv" in str(path) else "parquet"
        line = [f"plan={plan}", f"data.path='{path}'", f"data.format={kind}", *words]
        line += [f"paths.outputs='{outputs}'", f"paths.state='{state}'"]
        monkeypatch.setattr(sys, "argv", ["intraday-rl", *line])
        with pytest.raises(SystemExit) as end, around or nullcontext():
            main()
        out, err = capfd.readouterr()
        written = [folder.name for folder in (outputs, state) if folder.exists()]
        return Left(int(str(end.value.code)), out, err, written)

    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    return run


def one_message(left: Left, path: Path | str, *parts: str, lines: int = 1) -> None:
    assert left.status == 3, left
    assert "Traceback" not in left.err
    assert left.err.count("\n") == lines, left.err
    assert str(path) in left.err
    for part in parts:
        assert part in left.err
    assert not left.out
    assert not left.files


# --- the container ------------------------------------------------------------------------------


def halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return (
        content[:middle]
        + bytes(byte ^ 255 for byte in content[middle : middle + 99])
        + (content[middle + 99 :])
    )


def sparse(path: Path) -> Path:
    with path.open("ab") as file:
        file.truncate(10**12)
    return path


def declares_too_many_rows(place: Place) -> Path:
    path = place.folder / "many.parquet"
    table = pa.table({name: np.ones(MOST_ROWS // 10) for name in ("timestamp", *PRICES)})
    with pq.ParquetWriter(path, table.schema) as writer:
        for _ in range(11):
            writer.write_table(table)
    assert path.stat().st_size < 2**22
    return path


def linked(place: Place, name: str, target: str) -> Path:
    (place.folder / name).symlink_to(place.folder / target)
    return place.folder / name


CONTAINERS: dict[str, tuple[Callable[[Place], Path], str]] = {
    "a parquet file cut in half": (
        lambda p: p.raw(halved(p.stored()), "half.parquet"),
        "cannot be read as parquet (Parquet magic bytes not found in footer",
    ),
    "a parquet file without its beginning": (
        lambda p: p.raw(p.stored()[99:], "tail.parquet"), "cannot be read as parquet",
    ),
    "a parquet file damaged in the middle": (
        lambda p: p.raw(damaged(p.stored()), "damaged.parquet"), "check that it is complete",
    ),
    "a parquet file of zero bytes": (lambda p: p.raw(b"", "zero.parquet"), "check that it is"),
    "prose named parquet": (lambda p: p.raw(b"not bars\n" * 9, "prose.parquet"), "cannot be read"),
    "a csv file named parquet": (
        lambda p: p.csv(bytes, "csv_as.parquet"), "cannot be read as parquet",
    ),
    "a parquet file named csv": (
        lambda p: p.raw(p.stored(), "parquet_as.csv"), "write the file as plain text in UTF-8",
    ),
    "a gzip file cut in half": (
        lambda p: p.csv(lambda text: halved(gzip.compress(text)), "half.csv.gz"),
        "Compressed file ended before the end-of-stream marker",
    ),
    "plain text named gzip": (lambda p: p.csv(bytes, "plain.csv.gz"), "Not a gzipped file"),
    "a csv file of zero bytes": (lambda p: p.raw(b"", "zero.csv"), "No columns to parse"),
    "a csv file with a header only": (
        lambda p: p.csv(lambda text: text[: text.index(b"\n") + 1]), "has no data rows",
    ),
    "a csv file cut inside a row": (
        lambda p: p.csv(lambda text: text[: text.index(b"\n2021-11-26 15:00") + 30]),
        "=nan: must be a positive number; repair or remove the row",
    ),
    "a csv file in UTF-16": (
        lambda p: p.csv(lambda text: text.decode().encode("utf-16")), "it may be UTF-16",
    ),
    "a csv file in another encoding": (
        lambda p: p.csv(lambda text: text.replace(b"volume", b"St\xfcck", 1)), "codec can't decode",
    ),
    "a csv file with semicolons and decimal commas": (
        lambda p: p.csv(lambda text: text.replace(b",", b";").replace(b".", b",")),
        "row 0: the header is separated by semicolons; write the file with commas",
    ),
    "a csv file with tabs": (
        lambda p: p.csv(lambda text: text.replace(b",", b"\t")), "separated by tabs",
    ),
    "a csv file with a repeated column": (
        lambda p: p.csv(lambda text: text.replace(b"volume", b"close", 1)),
        "has two columns named 'close'; rename one",
    ),
    "a csv file whose rows have a field too many": (
        lambda p: p.csv(lambda text: text.replace(b"\n", b",9\n").replace(b",9\n", b"\n", 1)),
        "row 1: has more fields than the header; give",
    ),
    "a csv file with an open quote": (
        lambda p: p.csv(lambda text: text.replace(b"\n2021-11-26", b'\n"2021-11-26', 1)),
        "EOF inside string",
    ),
    "a csv file of a terabyte of zeros": (
        lambda p: sparse(p.csv(lambda text: text[:5000])), "byte 5000 is zero",
    ),
    "a parquet file of a terabyte of zeros": (
        lambda p: sparse(p.raw(p.stored(), "sparse.parquet")), "check that it is complete",
    ),
    "a gzip file that unpacks to one endless line": (
        lambda p: p.raw(gzip.compress(b"x" * 2**26), "endless.csv.gz"), "write one bar a line",
    ),
    "a parquet file that declares too many rows": (
        declares_too_many_rows, "too many for memory; cut it to the years",
    ),
    "a folder": (lambda p: p.folder, "not a file; name one parquet file"),
    "a device without an end": (lambda p: Path("/dev/zero"), "not a file; name one"),
    "no file": (lambda p: p.folder / "absent.csv", "no such file; check data.path"),
    "a name that is too long": (lambda p: p.folder / ("x" * 300), "File name too long"),
    "a loop of symbolic links": (
        lambda p: linked(p, "loop.parquet", "loop.parquet"), "leads to no file; name the file",
    ),
    "a symbolic link to nothing": (
        lambda p: linked(p, "link.parquet", "gone.parquet"), "leads to no file; name the file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTAINERS)
def test_a_file_that_is_no_table_is_refused(
    case: str, leave: Leave, good: Frame, tmp_path: Path
) -> None:
    make, reason = CONTAINERS[case]
    path = make(Place(tmp_path, good))
    began = time.process_time()  # other work on the machine does not count
    one_message(leave(path), path, reason)
    assert time.process_time() - began < 5


@contextmanager
def as_a_user_without_rights() -> Iterator[None]:
    """Root reads everything, so for a moment it is somebody else."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_that_may_not_be_read_is_refused(leave: Leave, good: Frame, plan: Path) -> None:
    with tempfile.TemporaryDirectory() as name:  # of pytest's folders others see nothing
        folder = Path(name)
        open_plan = shutil.copy(plan, folder)
        path = Place(folder, good).parquet(good)
        folder.chmod(0o755)
        path.chmod(0)
        left = leave(path, f"plan={open_plan}", around=as_a_user_without_rights())
        one_message(left, path, "may not be read; check the file's permissions")


# --- the rows -----------------------------------------------------------------------------------

ROW_28 = "row 28 (2021-09-02 13:45:00+00:00): "
REPAIR = "; repair or remove the row"


def by_date(place: Place, first: str, last: str) -> pd.Series:
    return place.local.dt.date.between(date.fromisoformat(first), date.fromisoformat(last))


def summer(place: Place) -> pd.Series:
    return by_date(place, "2021-09-01", "2021-11-05")


def exchanged(one: str, other: str) -> Callable[[Place], Path]:
    return lambda place: place.parquet(place.good.rename(columns={one: other, other: one}))


def coarser(place: Place) -> Path:
    """The later half of the file has bars of thirty minutes."""
    late = place.good["timestamp"] >= pd.Timestamp("2021-11-01", tz="UTC")
    on_the_half_hour = (place.local.dt.minute % 30) == 0
    return place.parquet(place.good[~late | on_the_half_hour].reset_index(drop=True))


def with_five_minute_bars(place: Place) -> Path:
    extra = place.good.iloc[30:31].assign(timestamp=lambda one: one["timestamp"] + 5 * MINUTE)
    return place.parquet(pd.concat([place.good.iloc[:31], extra, place.good.iloc[31:]]))


ROWS: dict[str, tuple[Callable[[Place], Path], str]] = {
    **{
        f"{name} is not a number in one row": (
            lambda p, name=name: p.cell(name, np.nan),  # type: ignore[misc]
            f"{ROW_28}{name}=nan: must be a positive number{REPAIR}",
        )
        for name in PRICES
    },
    "a price is infinite": (lambda p: p.cell("high", np.inf), f"{ROW_28}high=inf: must be a"),
    "a price is negative": (lambda p: p.cell("low", -1.0), f"{ROW_28}low=-1: must be a positive"),
    "a price is zero": (lambda p: p.cell("open", 0.0), f"{ROW_28}open=0: must be a positive"),
    "a price is beyond belief": (
        lambda p: p.cell("high", 1e300), f"{ROW_28}high=1e+300: must lie between 1e-09 and 1e+12",
    ),
    "a volume is negative": (
        lambda p: p.cell("volume", -5.0), f"{ROW_28}volume=-5: must be zero or more{REPAIR}",
    ),
    "a volume is infinite": (lambda p: p.cell("volume", np.inf), f"{ROW_28}volume=inf: must be"),
    "a volume is beyond belief": (
        lambda p: p.cell("volume", 1e300), f"{ROW_28}volume=1e+300: must be at most 1e+15{REPAIR}",
    ),
    "high is below low": (lambda p: p.cell("high", 0.01), "high is below low; repair or remove"),
    "open is above high": (lambda p: p.cell("open", 1e4), "open is outside [low, high]; repair"),
    "close is below low": (lambda p: p.cell("close", 0.01), "close is outside [low, high]; repair"),
    "a price is text": (
        lambda p: p.cell("open", "n/v"), f"{ROW_28}open='n/v' is not a number{REPAIR}",
    ),
    "prices are stored as text": (
        lambda p: p.parquet(p.good.assign(open=p.good["open"].astype(str))),
        "column open is stored as str, not as numbers; write it as float",
    ),
    "prices are truth values": (
        lambda p: p.parquet(p.good.assign(close=True)), "column close is stored as bool",
    ),
    "prices are lists": (
        lambda p: p.parquet(p.good.assign(open=[[1.0]] * len(p.good))), "row 1 (2021-09-01",
    ),
    "a column is missing": (
        lambda p: p.parquet(p.good.drop(columns="close")), "no column 'close'; set data.columns",
    ),
    "high and low are exchanged": (
        exchanged("high", "low"), "high is below low; check data.columns, most rows are so",
    ),
    "open and high are exchanged": (exchanged("open", "high"), "check data.columns, most rows"),
    "open and close are exchanged": (
        exchanged("open", "close"), "columns open and close look exchanged",
    ),
    "a stamp is empty": (
        lambda p: p.stamped(p.good["timestamp"].where(p.good.index != 27)),
        "row 28: the time stamp is empty; remove or repair the row",
    ),
    "a stamp is duplicate": (
        lambda p: p.parquet(pd.concat([p.good.iloc[:28], p.good.iloc[27:]])),
        "row 29 (2021-09-02 13:45:00+00:00): the time stamp is duplicate; sort and deduplicate",
    ),
    "rows are unsorted": (
        lambda p: p.parquet(p.good.iloc[[*range(27), 28, 27, *range(29, len(p.good))]]),
        "row 29 (2021-09-02 13:45:00+00:00): the time stamp is earlier than the row before; sort",
    ),
    "rows are in reverse": (lambda p: p.parquet(p.good[::-1]), "row 2 (2021-12-31 20:30"),
    "stamps are naive": (
        lambda p: p.stamped(p.local.dt.tz_localize(None)),
        "row 1 (2021-09-01 09:30:00): the stamps are naive; say their zone with data.timezone",
    ),
    **{
        f"stamps are an epoch in {unit}": (
            lambda p, size=size: p.stamped(p.epoch_ns // size),  # type: ignore[misc]
            "not as times (an epoch?); store them as ISO 8601 text",
        )
        for unit, size in (("seconds", 10**9), ("milliseconds", 10**6), ("nanoseconds", 1))
    },
    "stamps are an epoch as text": (
        lambda p: p.stamped((p.epoch_ns // 10**9).astype(str)), "the time stamp is not ISO 8601",
    ),
    "stamps have the day before the month": (
        lambda p: p.stamped(p.local.dt.strftime("%d/%m/%Y %H:%M")), "row 1 (01/09/2021 09:30): ",
    ),
    "some stamps lack their offset": (
        lambda p: p.stamped(p.local.astype(str).where(p.good.index != 27, "2021-09-02 09:45:00")),
        "row 28 (2021-09-02 09:45:00): some stamps carry a UTC offset and some do not",
    ),
    "stamps lie before 1990": (
        lambda p: p.stamped(p.good["timestamp"] - pd.Timedelta(days=364 * 40)),
        "row 1 (1981-10-21 13:30:00+00:00): the stamp lies outside 1990 to 2039",
    ),
    "a stamp lies in the year 9999": (
        lambda p: p.stamped(p.good["timestamp"].dt.as_unit("us").where(
            p.good.index < len(p.good) - 1, pd.Timestamp("9999-12-31 16:00", tz="UTC").as_unit("us")
        )),
        "(9999-12-31 16:00:00+00:00): the stamp lies outside",
    ),
    "summer is an hour off": (lambda p: p.shifted(summer(p), 60), "the stamps are shifted; check"),
    "winter is an hour off": (lambda p: p.shifted(~summer(p), -60), "from 2021-11-08 on, bars lie"),
    "one week is an hour off, as with European summer time": (
        lambda p: p.shifted(by_date(p, "2021-11-01", "2021-11-05"), 60),
        "in 5 of 85 sessions, from 2021-11-01 on, bars lie just outside",
    ),
    "the zone is wrong all year": (
        lambda p: p.stamped(p.local.dt.tz_localize(None).dt.tz_localize("UTC")),
        "check data.timezone",
    ),
    "stamps name the end and are said to name the start": (
        lambda p: p.shifted(p.good["open"] > 0, 15),
        "data.bar_label=start contradicts the stamps",
    ),
    "a bar is off the grid": (
        lambda p: p.shifted(p.good.index.to_series() == 30, 5),
        "row 31 (2021-09-02 14:35:00+00:00): the bar is off the 15-minute grid of its session",
    ),
    "a bar crosses the close": (
        lambda p: p.shifted(p.good.index.to_series() == 51, 7), "row 52 (2021-09-02 19:52",
    ),
    "a finer bar lies between": (with_five_minute_bars, "row 32 (2021-09-02 14:35:00+00:00): "),
    "the bar length changes": (coarser, "2021-11-01 (13 of 26)"),
    "half a session is missing": (
        lambda p: p.parquet(p.good.drop(index=range(30, 43)).reset_index(drop=True)),
        "1 session: 2021-09-02 (13 of 26); data.on_bad_session=drop leaves them out",
    ),
    "bars are daily": (lambda p: p.parquet(p.good.iloc[::26]), "intraday bars are needed"),
    "bars lie on holidays only": (
        lambda p: p.stamped(pd.Timestamp("2021-11-25 15:00", tz="UTC")
                            + p.good.index.to_series() * pd.Timedelta(seconds=1)),
        "no time stamp lies inside a session of the exchange",
    ),
    "a split factor changes inside a session": (
        lambda p: p.parquet(p.good.assign(split_factor=np.where(p.good.index < 30, 2.0, 1.0))),
        "split_factor changes from 2 to 1 inside the session 2021-09-02",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ROWS)
def test_rows_that_cannot_be_are_refused_with_their_place(
    case: str, leave: Leave, good: Frame, tmp_path: Path
) -> None:
    make, reason = ROWS[case]
    path = make(Place(tmp_path, good))
    one_message(leave(path), path, reason)


def test_bars_of_the_future_are_refused(
    leave: Leave, good: Frame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "now", lambda: pd.Timestamp("2021-12-30 20:00", tz="UTC"))
    path = Place(tmp_path, good).parquet(good)
    one_message(leave(path), path, "(2021-12-30 20:15:00+00:00): the stamp lies in the future")


# --- what the options and the other file have to do with it --------------------------------------

Case = tuple[Callable[[Place], Path], tuple[str, ...], str]
OPTIONS: dict[str, Case] = {
    "stamps in UTC are read as New York time": (
        lambda p: p.stamped(p.good["timestamp"].dt.tz_localize(None)),
        ("data.timezone=America/New_York",), "check data.timezone",
    ),
    "a clock without summer time is read as New York time": (
        lambda p: p.stamped(p.good["timestamp"].dt.tz_convert("Etc/GMT+5").dt.tz_localize(None)),
        ("data.timezone=America/New_York",), "another country's summer time, or none?",
    ),
    "the zone contradicts the offsets": (
        lambda p: p.parquet(p.good), ("data.timezone=America/New_York",),
        "row 1 (2021-09-01 13:30:00+00:00): the stamp's own offset contradicts data.timezone",
    ),
    "stamps name the start and are said to name the end": (
        lambda p: p.parquet(p.good), ("data.bar_label=end",),
        "data.bar_label=end contradicts the stamps",
    ),
    "finer bars are wanted than there are": (
        lambda p: p.parquet(p.good), ("data.bar_minutes=5",), "choose a multiple or finer data",
    ),
    "a column is named that is not there": (
        lambda p: p.parquet(p.good), ("data.columns={volume: shares}",), "no column 'shares'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OPTIONS)
def test_an_option_that_does_not_fit_the_file_is_refused_with_both(
    case: str, leave: Leave, good: Frame, tmp_path: Path
) -> None:
    make, words, reason = OPTIONS[case]
    path = make(Place(tmp_path, good))
    one_message(leave(path, *words), path, reason)


def test_fewer_sessions_than_a_window_needs_are_refused(
    leave: Leave, good: Frame, tmp_path: Path
) -> None:
    left = leave(Place(tmp_path, good).parquet(good.iloc[: 26 * 30]))
    assert left.status == 3
    assert "the data have 30 sessions, 2021-09-01 to 2021-10-13" in left.err
    assert "use a smaller windows.train_size (2 months)" in left.err
    assert not left.files


BENCHMARKS: dict[str, tuple[Callable[[Place], Frame], str]] = {
    "of other days": (
        lambda p: p.good.assign(timestamp=p.good["timestamp"] - pd.DateOffset(years=1)),
        "have no session in common; give a benchmark of the same days or none",
    ),
    "of another bar length": (
        lambda p: p.good[p.local.dt.minute % 30 == 0],
        "data.bar_minutes=15 is not a multiple of the file's 30-minute bars",
    ),
    "with a bad row": (lambda p: p.good.assign(low=p.good["low"].where(p.good.index != 27, -1)),
                       f"{ROW_28}low=-1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BENCHMARKS)
def test_a_benchmark_that_does_not_fit_is_refused_by_its_own_name(
    case: str, leave: Leave, good: Frame, tmp_path: Path
) -> None:
    make, reason = BENCHMARKS[case]
    place = Place(tmp_path, good)
    other = place.parquet(make(place).reset_index(drop=True), "other.parquet")
    path = place.parquet(good)
    one_message(leave(path, f"data.benchmark_path='{other}'"), other, reason)


# --- what is accepted, and said -------------------------------------------------------------------


def around_the_session(place: Place) -> Path:
    """Bars before and after the session, on a holiday, and after an early close."""
    frame, day = place.good, pd.Timedelta(days=1)
    extra = [
        frame.assign(timestamp=frame["timestamp"] + hours * 4 * 15 * MINUTE) for hours in (-7, 7)
    ]
    whole = frame[by_date(place, "2021-11-24", "2021-11-24")]
    extra += [whole.assign(timestamp=whole["timestamp"] + day * days) for days in (1, 2)]
    everything = pd.concat([frame, *extra]).drop_duplicates("timestamp")
    return place.parquet(everything.sort_values("timestamp").reset_index(drop=True))


def unadjusted(place: Place, factor: float) -> Path:
    before = place.local.dt.date < date(2021, 10, 1)
    columns = {name: place.good[name].where(~before, place.good[name] * factor) for name in PRICES}
    return place.parquet(place.good.assign(**columns))


NOTED: dict[str, tuple[Callable[[Place], Path], str]] = {
    "bars outside the sessions": (
        around_the_session, "bars outside the exchange's sessions dropped",
    ),
    "whole sessions missing": (
        lambda p: p.parquet(p.good[~by_date(p, "2021-10-11", "2021-10-12")].reset_index(drop=True)),
        "2 sessions are absent: 2021-10-11, 2021-10-12",
    ),
    "a split that was not adjusted for": (
        lambda p: unadjusted(p, 2.0), "into 2021-10-01 is close to a split of 2",
    ),
    "a split that was adjusted for twice": (
        lambda p: unadjusted(p, 0.5), "into 2021-10-01 is close to a split of 2",
    ),
    "no volume": (lambda p: p.parquet(p.good.assign(volume=np.nan)), ""),
    "a csv file with a byte-order mark": (lambda p: p.csv(lambda text: b"\xef\xbb\xbf" + text), ""),
    "a csv file with carriage returns only": (
        lambda p: p.csv(lambda text: text.replace(b"\n", b"\r")), "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NOTED)
def test_what_is_only_odd_is_accepted_with_a_note(
    case: str, leave: Leave, good: Frame, tmp_path: Path
) -> None:
    make, note = NOTED[case]
    left = leave(make(Place(tmp_path, good)), "dry_run=true", "format=json")
    assert left.status == 0, left.err
    shown = json.loads(left.out)
    assert any(note in one for one in shown["notes"]) or not note
    covered = shown["windows"][0]["coverage"]["train"]
    assert covered["has_volume"] is (case != "no volume")
    assert covered["bars_missing"] == 0
    assert not left.files


# --- a real command line, real bars --------------------------------------------------------------


@pytest.mark.slow("input")
@pytest.mark.parametrize("mistake", ["truncated", "negative", "configuration"])
def test_the_command_line_says_the_same_in_a_process_of_its_own(
    mistake: str, good: Frame, tmp_path: Path
) -> None:
    place = Place(tmp_path, good)
    path = place.raw(halved(place.stored()), "cut.parquet")
    if mistake == "negative":
        path = place.cell("low", -1.0)
    line = [*LAYOUT[:2], "data=parquet", f"data.path={path}", *LAYOUT[5:]]
    line += [] if mistake == "configuration" else ["data.bar_label=start"]
    done = subprocess.run(
        [sys.executable, "-m", "intraday_rl", *line],
        cwd=tmp_path, env={**os.environ, "XDG_STATE_HOME": f"{tmp_path}/state"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == (2 if mistake == "configuration" else 3)
    assert done.stderr.count("\n") == 1, done.stderr
    assert not done.stdout
    assert not (tmp_path / "outputs").exists()
    assert not (tmp_path / "state").exists()


@pytest.mark.slow("input")
def test_real_bars_spoiled_are_refused_and_unspoiled_are_not(
    leave: Leave, real_data: Path, tmp_path: Path
) -> None:
    source = real_data / "SPY_15min_2018_2025.parquet"
    frame = pd.read_parquet(source)[["timestamp", *PRICES, "volume"]]
    place = Place(tmp_path, frame)
    assert leave(source, "dry_run=true").status == 0
    swapped = place.parquet(frame.rename(columns={"open": "close", "close": "open"}), "s.parquet")
    one_message(leave(swapped), swapped, "columns open and close look exchanged")
    # The weeks in which New York and London change their clocks on different days.
    offset = frame["timestamp"].dt.tz_convert("Europe/London").dt.tz_localize(None) - frame[
        "timestamp"
    ].dt.tz_convert(NEW_YORK).dt.tz_localize(None)
    london = frame["timestamp"] + (offset - pd.Timedelta(hours=5))
    path = place.stamped(london)
    one_message(leave(path), path, "the stamps are shifted; check data.timezone")
    count = len(sessions(date(2018, 3, 12), date(2018, 3, 23)))
    assert (offset != pd.Timedelta(hours=5)).sum() >= count * 26
