"""The real files load complete, fast, and with the defects that are known of them."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from intraday_rl.errors import DataError
from intraday_rl.market.bars import Bars
from intraday_rl.market.calendar import NEW_YORK
from intraday_rl.market.sources import BarLabel, FileData, MarketData, OnBadSession, load


def real(folder: Path, symbol: str, file: str, other: str = "", **fields: object) -> MarketData:
    data = FileData(
        path=str(folder / file),
        benchmark_path=str(folder / other) if other else None,
        bar_label=BarLabel.start,
        **fields,  # type: ignore[arg-type]
    )
    return load(data, symbol, None)


def session_close_time(bars: Bars, day: str) -> str:
    rows = bars.frame[bars.frame["session"] == pd.Timestamp(day)]
    return str(rows["bar_end"].iloc[-1].tz_convert(NEW_YORK).strftime("%H:%M"))


def test_the_real_spy_file_loads_complete_and_fast(real_data: Path) -> None:
    file = "SPY_15min_2018_2025.parquet"
    real(real_data, "SPY", file)  # imports and the calendar are paid once
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        market = real(real_data, "SPY", file)
        seconds.append(time.perf_counter() - began)
    assert len(market.symbol.frame) == 51_054
    assert market.symbol.notes == ()
    assert session_close_time(market.symbol, "2021-11-26") == "13:00"
    assert min(seconds) < 0.5


def test_the_real_minutes_aggregate_fast_and_drop_the_bars_after_the_close(
    real_data: Path,
) -> None:
    began = time.perf_counter()
    minutes = real(real_data, "SPY", "SPY_1min_2023-11_2025-11.parquet").symbol
    took = time.perf_counter() - began
    assert minutes.notes == ("5 bars outside the exchange's sessions dropped",)
    assert len(minutes.frame) == 12_940
    assert took < 2
    quarters = real(real_data, "SPY", "SPY_15min_2018_2025.parquet").symbol.frame
    both = minutes.frame.merge(quarters, on="bar_start", suffixes=("", "_quarters"))
    ratio = both["close"] / both["close_quarters"]
    assert len(both) > 12_900
    assert np.abs(ratio - 1).quantile(0.99) < 2e-3


def test_the_real_benchmark_is_reported_with_its_truncated_sessions(real_data: Path) -> None:
    market = real(
        real_data,
        "SPY",
        "SPY_15min_2018_2025.parquet",
        "QQQ_15min_2018_2023.parquet",
    )
    assert market.benchmark.symbol == "QQQ_15min_2018_2023"
    assert str(market.symbol.session_index()[-1].date()) == "2023-11-30"
    assert len(market.symbol.frame) - len(market.benchmark.frame) == 42
    assert any("42 bars are missing in 5 sessions: 2018-10-15" in note for note in market.notes)


def test_the_reconstructed_tqqq_is_refused_by_default_and_loads_by_option(
    real_data: Path,
) -> None:
    files = ("TQQQ_15min_RECONSTRUCTED_2018_2023.parquet", "QQQ_15min_2018_2023.parquet")
    with pytest.raises(DataError, match=r"3 sessions: 2019-10-24 \(13 of 26\)"):
        real(real_data, "TQQQ", *files)
    market = real(real_data, "TQQQ", *files, on_bad_session=OnBadSession.drop)
    assert market.reconstructed
    frame = market.symbol.frame
    assert frame["split_factor"].iloc[0] == 12
    assert frame["split_factor"].iloc[-1] == 1
    assert not any("jump" in note for note in market.notes)


def test_the_real_five_minute_pair_is_aggregated_to_fifteen(real_data: Path) -> None:
    files = ("TQQQ_5min_2025_2026.parquet", "QQQ_5min_2025_2026.parquet")
    market = real(real_data, "TQQQ", *files)
    assert len(market.symbol.frame) == len(market.benchmark.frame) == 5_346
    assert market.symbol.has_volume()
    assert market.symbol.bar_minutes == 15
    assert session_close_time(market.symbol, "2025-11-28") == "13:00"
    days = market.symbol.frame.set_index("session")["split_factor"]
    assert (days["2025-11-19"] == 2).all()
    assert (days["2025-11-20"] == 1).all()


def test_the_real_spy_file_read_with_the_wrong_label_is_refused(real_data: Path) -> None:
    path = str(real_data / "SPY_15min_2018_2025.parquet")
    with pytest.raises(DataError, match=r"data\.bar_label=end contradicts"):
        load(FileData(path=path, bar_label=BarLabel.end), "SPY", None)
