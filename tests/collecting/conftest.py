"""Recorded bars with real shapes: synthetic prices and volumes on the real calendar."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from intraday_rl.market.catalogue import Catalogue
from intraday_rl.market.files import Prices
from intraday_rl.market.store import Series
from intraday_rl.market.synthetic import SyntheticData, generate

MakeRows = Callable[..., pd.DataFrame]


def recorded_rows(first: str, last: str, bar_minutes: int = 15, seed: int = 0) -> pd.DataFrame:
    """What a vendor delivers: `timestamp` (start, UTC), prices, volume."""
    data = SyntheticData(start=first, end=last, bar_minutes=bar_minutes, seed=seed)
    bars, _ = generate(data, "TQQQ", "QQQ")
    frame = bars.frame.rename(columns={"bar_start": "timestamp"})
    return frame[["timestamp", "open", "high", "low", "close", "volume"]].copy()


@pytest.fixture(scope="session")
def rows() -> MakeRows:
    return recorded_rows


@pytest.fixture
def series(tmp_path: Path) -> Series:
    return Series(tmp_path / "bars", "TQQQ", "somebody", 15)


@pytest.fixture
def catalogue(series: Series) -> Catalogue:
    """Of a vendor of traded prices that knows of no split; nothing is stored yet."""
    return Catalogue(
        symbol=series.symbol,
        vendor=series.vendor,
        bar_minutes=series.bar_minutes,
        prices=Prices.traded,
        reconstructed=False,
        origin="a test",
        splits={},
        splits_through=None,
        parts={},
    )
