"""A described file is read column by column, or refused in one line that names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.market.sources import BarLabel, FileData, FileFormat, load

MakeFrame = Callable[..., pd.DataFrame]
WriteFile = Callable[..., FileData]


@pytest.fixture
def frame(make_frame: MakeFrame) -> pd.DataFrame:
    return make_frame("2021-01-11", "2021-01-29")


def test_columns_are_mapped_and_extra_ones_ignored(
    frame: pd.DataFrame, write_file: WriteFile
) -> None:
    theirs = {"timestamp": "Date", "open": "o", "high": "h", "low": "l", "close": "Close Price"}
    renamed = frame.rename(columns=theirs).assign(src="somewhere", adjusted=True)
    mapped = load(write_file(renamed, columns=theirs), "SPY", None)
    plain = load(write_file(frame, "plain.parquet"), "SPY", None)
    assert mapped.symbol.fingerprint() == plain.symbol.fingerprint()


def test_a_datetime_index_serves_as_the_stamp(frame: pd.DataFrame, write_file: WriteFile) -> None:
    indexed = load(write_file(frame.set_index("timestamp")), "SPY", None)
    unnamed = frame.set_index("timestamp").rename_axis(None)
    plain = load(write_file(frame, "plain.parquet"), "SPY", None)
    assert indexed.symbol.fingerprint() == plain.symbol.fingerprint()
    assert load(write_file(unnamed), "SPY", None).symbol.fingerprint() == (
        plain.symbol.fingerprint()
    )


def test_a_missing_column_is_refused_with_the_files_columns(
    frame: pd.DataFrame, write_file: WriteFile
) -> None:
    with pytest.raises(DataError, match=r"no column 'close'; set data\.columns\.close.*: Close$"):
        load(write_file(frame.rename(columns={"close": "Close"})), "SPY", None)
    with pytest.raises(DataError, match="no column 'shares'"):
        load(write_file(frame, columns={"volume": "shares"}), "SPY", None)
    with pytest.raises(DataError, match="no column 'timestamp'"):
        load(write_file(frame.drop(columns="timestamp"), "bars.csv"), "SPY", None)


def test_a_file_that_cannot_be_read_is_one_clear_error(
    frame: pd.DataFrame, write_file: WriteFile, tmp_path: Path
) -> None:
    whole = write_file(frame)
    content = Path(whole.path).read_bytes()
    cases = {
        "absent.parquet": None,
        "truncated.parquet": content[: len(content) // 2],
        "headless.parquet": content[len(content) // 2 :],
        "empty.parquet": b"",
        "empty.csv": b"",
        "binary.csv": b"\xff\xfe\x00\x81" * 50,
        "ragged.csv": b"timestamp,open\n1,2\n1,2,3,4\n",
        "wide.csv": b"timestamp,open,high,low,close\n1,2,3,4,5,6\n1,2,3,4,5,6\n",
        "header.csv": b"timestamp,open,high,low,close\n",
        "prose.csv": b"this is not a table\n",
    }
    for name, raw in cases.items():
        path = tmp_path / name
        if raw is not None:
            path.write_bytes(raw)
        kind = FileFormat.csv if name.endswith("csv") else FileFormat.parquet
        with pytest.raises(DataError) as caught:
            load(FileData(path=str(path), format=kind, bar_label=BarLabel.start), "SPY", None)
        assert str(caught.value).startswith(str(path)), name
        assert "\n" not in str(caught.value), name
    with pytest.raises(DataError, match="not a file"):
        load(FileData(path=str(tmp_path), bar_label=BarLabel.start), "SPY", None)
    mistaken = write_file(frame, "bars.csv", format=FileFormat.parquet)
    with pytest.raises(DataError, match=r"cannot be read as parquet .* data\.format"):
        load(mistaken, "SPY", None)


def test_a_bad_cell_of_a_csv_is_refused_with_its_row(
    frame: pd.DataFrame, write_file: WriteFile
) -> None:
    data = write_file(frame, "bars.csv")
    lines = Path(data.path).read_text().splitlines()
    lines[12] = lines[12].replace(lines[12].split(",")[1], "n/v", 1)
    Path(data.path).write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"bars\.csv: row 12 \(2021-01-11 17:15:00\+00:00\): open="):
        load(data, "SPY", None)


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"bar_label": None}, "bar_label"),
        ({"path": ""}, "path"),
        ({"timezone": "New York"}, "timezone"),
        ({"timezone": "America"}, "timezone"),
        ({"bar_minutes": 0}, "bar_minutes"),
        ({"bar_minutes": 391}, "bar_minutes"),
        ({"max_missing_bars": -1}, "max_missing_bars"),
        ({"columns": {"price": "close"}}, "columns"),
        ({"splits": {"soon": 2.0}}, "splits"),
        ({"adjusted_through": "soon"}, "adjusted_through"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_key(fields: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        FileData(**{"path": "bars", "bar_label": BarLabel.start, **fields})  # type: ignore[arg-type]
    assert caught.value.key == key


def test_the_part_is_a_schema_for_the_configuration() -> None:
    schema = OmegaConf.structured(FileData)
    given = OmegaConf.create(
        {"path": "x", "bar_label": "end", "splits": {"2021-01-21": 2}, "columns": {"open": "o"}}
    )
    built = OmegaConf.to_object(OmegaConf.merge(schema, given))
    assert isinstance(built, FileData)
    assert built.bar_label is BarLabel.end
    assert built.splits == {"2021-01-21": 2.0}


def test_an_index_that_is_no_time_becomes_columns(
    frame: pd.DataFrame, write_file: WriteFile
) -> None:
    plain = load(write_file(frame, "plain.parquet"), "SPY", None).symbol.fingerprint()
    keyed = frame.assign(ticker="SPY").set_index(["ticker", "timestamp"])
    assert load(write_file(keyed), "SPY", None).symbol.fingerprint() == plain
    # An index that repeats a column, as a filtered frame leaves it behind.
    repeated = frame.set_index(frame["close"])
    assert load(write_file(repeated), "SPY", None).symbol.fingerprint() == plain
