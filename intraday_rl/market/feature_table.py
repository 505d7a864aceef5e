"""The feature table: one row per bar of the symbol, one column per feature, and its file."""

from __future__ import annotations

import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """Features in the row order of `MarketData.symbol.frame`; NaN only in the leading warm-up rows.

    names          ordered column names: part of what a trained agent expects
    values         (bars, columns) float64; row k is known at `bar_end` of bar k
    warm_up_rows   leading rows in which at least one column has no value yet; equal to the
                   number of bars when the data ends before the slowest column has warmed up
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    warm_up_rows: int

    @classmethod
    def of(cls, columns: dict[str, NDArray[np.float64]], bar_end: pd.Series) -> FeatureTable:
        """Stack the columns; a value that is missing or infinite after the warm-up is refused."""
        names = tuple(columns)
        values = np.empty((len(bar_end), len(names)), dtype=np.float64)
        for position, name in enumerate(names):
            values[:, position] = columns[name]
        complete = ~np.isnan(values).any(axis=1)
        warm_up_rows = int(complete.argmax()) if complete.any() else len(values)
        refused = ~np.isfinite(values)
        refused[:warm_up_rows] = np.isinf(values[:warm_up_rows])
        if refused.any():
            row, column = (int(place) for place in np.argwhere(refused)[0])
            time = pd.DatetimeIndex(bar_end).tz_convert("America/New_York")[row]
            raise DataError(
                f"feature {names[column]} is {values[row, column]} at {time:%Y-%m-%d %H:%M} "
                f"New York (bar {row}): switch it off or repair the bars before that time"
            )
        values.flags.writeable = False
        return cls(names, values, warm_up_rows)

    def column(self, name: str) -> NDArray[np.float64]:
        """One column by name."""
        return self.values[:, self.names.index(name)]

    def save(self, path: Path) -> None:
        """Write as .npz; the file appears complete or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(
                    file,
                    names=np.array(self.names, dtype=np.str_),
                    values=self.values,
                    warm_up_rows=np.int64(self.warm_up_rows),
                )
            os.replace(unfinished, path)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: Path) -> FeatureTable:
        """Read a saved table back, bit for bit; nothing pickled is ever opened."""
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                names = tuple(str(name) for name in file["names"])
                values = np.asarray(file["values"], dtype=np.float64)
                warm_up_rows = int(file["warm_up_rows"])
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as reason:
            raise DataError(
                f"{path}: not a feature table ({reason}): delete it and it is computed again"
            ) from reason
        if values.ndim != 2 or values.shape[1] != len(names):
            raise DataError(
                f"{path}: {len(names)} names for values of shape {values.shape}: "
                "delete it and it is computed again"
            )
        values.flags.writeable = False
        return cls(names, values, warm_up_rows)
