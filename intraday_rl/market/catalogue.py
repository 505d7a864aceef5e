"""The catalogue of a stored series: what each month's file holds and where it came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from intraday_rl.errors import DataError
from intraday_rl.market.bars import PRICES
from intraday_rl.market.calendar import nanoseconds
from intraday_rl.market.files import Prices

PART_COLUMNS = ("timestamp", *PRICES, "volume")  # and split_factor, where the origin has one


class PartState(Enum):
    """Whether a month is asked for again."""

    complete = "complete"  # over, and every session is whole
    open = "open"  # the month, or the vendor's history of it, was not over when it was fetched
    short = "short"  # over, but sessions are absent or cut short
    settled = "settled"  # short, and the same when it was asked again a day later


FINAL = (PartState.complete, PartState.settled)


@dataclass(frozen=True, slots=True)
class Part:
    """One month's file.

    | field | meaning |
    |---|---|
    | `first_session`, `last_session` | that have a bar |
    | `sessions_expected`, `sessions_found` | of the exchange, over when it was fetched |
    | `bars`, `left_out` | rows kept; rows of sessions that no bar can be, such as high below low |
    | `adjusted_through` | date up to which splits are in adjusted prices; null for traded ones |
    | `fetched_at` | UTC |
    | `fingerprint` | of the rows, not of the file's bytes |
    """

    state: PartState
    first_session: str
    last_session: str
    sessions_expected: int
    sessions_found: int
    bars: int
    left_out: int
    adjusted_through: str | None
    fetched_at: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that is known about a series beside its bars.

    `splits`: the vendor's own, date: ratio; None = the vendor does not say. `splits_through`: up
    to which day it was asked. `origin`: how the bars came here, in plain words.
    """

    symbol: str
    vendor: str
    bar_minutes: int
    prices: Prices
    reconstructed: bool
    origin: str
    splits: Mapping[str, float] | None
    splits_through: str | None
    parts: Mapping[str, Part]

    @property
    def adjusted(self) -> bool:
        """The vendor's prices are adjusted for splits."""
        return self.prices is Prices.adjusted

    def with_part(self, month: str, part: Part) -> Catalogue:
        """The catalogue with one month more, or another."""
        parts = {**self.parts, month: part}
        return replace(self, parts=dict(sorted(parts.items())))

    def fingerprint(self) -> str:
        """SHA-256 (hex) of what the bars are: the same bars give the same on every machine."""
        said = {
            "bar_minutes": self.bar_minutes,
            "prices": self.prices.value,
            "splits": None if self.splits is None else dict(sorted(self.splits.items())),
            "parts": {month: part.fingerprint for month, part in sorted(self.parts.items())},
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them."""
        content = asdict(self)
        content["prices"] = self.prices.value
        for part in content["parts"].values():
            part["state"] = part["state"].value
        return content


def read_catalogue(file: Path) -> Catalogue:
    """A catalogue that was written whole; one that cannot be read is refused."""
    try:
        content = json.loads(file.read_text("utf-8"))
        parts = {
            month: Part(**{**part, "state": PartState(part["state"])})
            for month, part in content["parts"].items()
        }
        days = [*(content["splits"] or {}), *(part.adjusted_through for part in parts.values())]
        for day in filter(None, days):
            date.fromisoformat(day)
        return Catalogue(**{**content, "prices": Prices(content["prices"]), "parts": parts})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{file} cannot be read ({error}): remove its folder and download or import again"
        ) from error


def fingerprint_of_rows(frame: pd.DataFrame) -> str:
    """SHA-256 (hex) of a part's rows: stamps as nanoseconds, numbers as little-endian doubles.

    NaN and zero have one form each, so that nothing depends on who wrote the file.
    """
    columns = [name for name in frame.columns if name != "timestamp"]
    rows = np.empty(
        len(frame), np.dtype([("timestamp", "<i8"), *((name, "<f8") for name in columns)])
    )
    rows["timestamp"] = nanoseconds(frame["timestamp"])
    for name in columns:
        values = frame[name].to_numpy(dtype=np.float64) + 0.0
        rows[name] = np.where(np.isnan(values), np.nan, values)
    digest = hashlib.sha256(",".join(frame.columns).encode())
    digest.update(rows.tobytes())
    return digest.hexdigest()
