"""Clean bars on the real calendar, for tests that spoil one thing and see it refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from intraday_rl.market.bars import Bars
from intraday_rl.market.calendar import NEW_YORK, nanoseconds, sessions, utc
from intraday_rl.market.sources import BarLabel, FileData, FileFormat

MINUTE_NS = 60 * 10**9


def clean_frame(first: str, last: str, bar_minutes: int = 15, seed: int = 0) -> pd.DataFrame:
    """Bars as a good file has them: `timestamp` (UTC start), prices near 100, whole volumes."""
    table = sessions(date.fromisoformat(first), date.fromisoformat(last))
    starts = [
        np.arange(opened, closed, bar_minutes * MINUTE_NS, dtype=np.int64)
        for opened, closed in zip(
            nanoseconds(table["open"]), nanoseconds(table["close"]), strict=True
        )
    ]
    stamps = np.concatenate(starts)
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 1e-3, len(stamps))))
    open_ = close * np.exp(random.normal(0, 5e-4, len(stamps)))
    return pd.DataFrame(
        {
            "timestamp": utc(stamps),
            "open": open_,
            "high": np.maximum(open_, close) * 1.001,
            "low": np.minimum(open_, close) * 0.999,
            "close": close,
            "volume": random.integers(1, 1000, len(stamps)).astype(float),
        }
    )


def as_bars(frame: pd.DataFrame, bar_minutes: int = 15) -> Bars:
    """A clean frame as `Bars`, without the code under test."""
    local = pd.DatetimeIndex(frame["timestamp"]).tz_convert(NEW_YORK).tz_localize(None)
    start = nanoseconds(frame["timestamp"])
    columns = {
        "session": local.normalize().as_unit("ns"),
        "bar_start": utc(start),
        "bar_end": utc(start + bar_minutes * MINUTE_NS),
        **{name: frame[name].to_numpy() for name in ("open", "high", "low", "close", "volume")},
        "split_factor": np.ones(len(frame)),
    }
    return Bars("TEST", bar_minutes, pd.DataFrame(columns))


WriteFile = Callable[..., FileData]


@pytest.fixture(scope="session")
def make_frame() -> Callable[..., pd.DataFrame]:
    """`make_frame(first, last, bar_minutes=15, seed=0)`: bars as a good file has them."""
    return clean_frame


@pytest.fixture(scope="session")
def make_bars() -> Callable[..., Bars]:
    """`make_bars(first, last, bar_minutes=15)`: the same bars as a `Bars`."""

    def make(first: str, last: str, bar_minutes: int = 15) -> Bars:
        return as_bars(clean_frame(first, last, bar_minutes), bar_minutes)

    return make


@pytest.fixture
def write_file(tmp_path: Path) -> WriteFile:
    """Write a frame as parquet or CSV and describe it: `write_file(frame, name=..., **fields)`."""

    def write(frame: pd.DataFrame, name: str = "bars.parquet", **fields: object) -> FileData:
        path = tmp_path / name
        is_csv = name.endswith(".csv")
        if is_csv:
            frame.to_csv(path, index=False)
        else:
            frame.to_parquet(path)
        fields.setdefault("bar_label", BarLabel.start)
        fields.setdefault("format", FileFormat.csv if is_csv else FileFormat.parquet)
        return FileData(path=str(path), **fields)  # type: ignore[arg-type]

    return write
