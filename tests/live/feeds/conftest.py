"""Days of fine bars, and what the whole-file path makes of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from intraday_rl.live.feeds.intake import Intake
from intraday_rl.live.feeds.terms import DayTerms
from intraday_rl.market.bars import Bars
from intraday_rl.market.calendar import MINUTE_NS, NEW_YORK, open_close_ns, sessions, utc
from intraday_rl.market.sources import BarLabel, FileData, FileFormat, load

ORDINARY, HALF = date(2021, 11, 24), date(2021, 11, 26)
VALUES = ["open", "high", "low", "close", "volume"]
NO_SPLIT = DayTerms(1.0, split_factor_known=True)


def day_of_bars(day: date, minutes: int = 1, seed: int = 0) -> pd.DataFrame:
    """A whole session as traded: `timestamp` (UTC start), prices near 100, whole volumes."""
    (opened,), (closed,) = open_close_ns(sessions(day, day))
    starts = np.arange(opened, closed, minutes * MINUTE_NS, dtype=np.int64)
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 1e-3, len(starts))))
    open_ = close * np.exp(random.normal(0, 5e-4, len(starts)))
    frame = pd.DataFrame({"timestamp": utc(starts), "open": open_})
    frame["high"] = np.maximum(open_, close) * 1.001
    frame["low"] = np.minimum(open_, close) * 0.999
    return frame.assign(close=close, volume=random.integers(1, 1000, len(starts)).astype(float))


def real_minutes(folder: Path, day: date) -> pd.DataFrame:
    """SPY's real minutes of one New York day."""
    first, last = (at(text, day).tz_convert("UTC") for text in ("0:00", "23:59"))
    within = [("timestamp", ">=", first), ("timestamp", "<=", last)]
    return pd.read_parquet(folder / "SPY_1min_2023-11_2025-11.parquet", filters=within)


def read_whole(file: Path, bar_minutes: int = 15, **fields: object) -> Bars:
    """The file's bars by the path of backtests."""
    kind = FileFormat.csv if file.suffix == ".csv" else FileFormat.parquet
    fields.setdefault("bar_label", BarLabel.start)
    fields.setdefault("splits", {})
    data = FileData(
        path=str(file), format=kind, bar_minutes=bar_minutes, max_missing_bars=390,
        **fields,  # type: ignore[arg-type]
    )  # fmt: skip
    return load(data, "SPY", None).symbol


def rows_of(frame: pd.DataFrame) -> list[tuple]:
    """Each row as `Intake.take` wants it, without `now`."""
    return list(frame[["timestamp", *VALUES]].itertuples(index=False, name=None))


def assert_same(found: Bars, wanted: Bars) -> None:
    """To the last bit."""
    pd.testing.assert_frame_equal(found.frame, wanted.frame, check_exact=True)


def at(text: str, day: date = ORDINARY) -> pd.Timestamp:
    """A New York time of the day."""
    return pd.Timestamp(f"{day} {text}", tz=NEW_YORK)


def intake_of(day: date = ORDINARY, symbol: str = "SPY", **changed: object) -> Intake:
    options = {"bar_minutes": 15, "feed_bar_minutes": 1, "terms": NO_SPLIT, "grace_seconds": 15.0}
    return Intake(symbol, day, **(options | changed))  # type: ignore[arg-type]
