"""A vendor's rows as the columns a download stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from intraday_rl.collecting.vendors.vendor import VendorError
from intraday_rl.market.catalogue import PART_COLUMNS

# What a client raises, or we do, on an answer of another shape than the documented one.
NOT_UNDERSTOOD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


def no_bars() -> pd.DataFrame:
    """The answer of a vendor that has none."""
    return pd.DataFrame(columns=list(PART_COLUMNS))


def bars_of(
    vendor: str, rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> pd.DataFrame:
    """Rows with the vendor's `names` (its own: ours); its other fields are ignored.

    Stamps without a zone are UTC: a vendor is asked for nothing else.
    """
    if not rows:
        return no_bars()
    frame = pd.DataFrame(list(rows))
    if absent := [name for name in names if name not in frame.columns]:
        raise VendorError(
            f"{vendor}: an answer without {', '.join(absent)}; its format has changed"
        )
    frame = frame[list(names)].rename(columns=dict(names))
    try:
        stamps = pd.to_datetime(frame.pop("timestamp"), utc=True, format="ISO8601")
        return frame.apply(pd.to_numeric).assign(timestamp=stamps)
    except NOT_UNDERSTOOD as error:
        failure = VendorError(f"{vendor}: bars that cannot be read ({type(error).__name__})")
    raise failure


def splits_between(
    vendor: str, splits: Sequence[tuple[str, float]], first: str, last: str
) -> dict[str, float]:
    """date: ratio of the splits from `first` to `last`; two ratios for one day are refused."""
    found: dict[str, float] = {}
    for day, ratio in sorted(splits):
        if not first <= day <= last:
            continue
        if found.setdefault(day, ratio) != ratio:
            raise VendorError(f"{vendor}: two splits on {day}: {found[day]:g}:1 and {ratio:g}:1")
    return found
