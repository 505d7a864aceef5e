"""Dated US sell-side fees: which rate is in force on which session."""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from intraday_rl.errors import DataError


def sec_rates(sessions: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """SEC §31 rate per USD sold, shape (n_sessions,)."""
    return _in_force("sec_section_31", sessions)[:, 0] / 1e6


def taf_rates(sessions: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """FINRA trading activity fee: (USD per share sold, cap in USD per order), (n_sessions, 2)."""
    return _in_force("finra_taf", sessions)


def _in_force(table: str, sessions: NDArray[np.datetime64]) -> NDArray[np.float64]:
    starts, values = _table(table)
    index = np.searchsorted(starts, sessions.astype("datetime64[D]"), side="right") - 1
    if index.size and index.min() < 0:
        first = sessions[int(index.argmin())].astype("datetime64[D]")
        raise DataError(
            f"fees: the {table} table starts {starts[0]}, the session {first} lies before it; "
            "use env/fees=none or start the data later"
        )
    return values[index]


@cache
def _table(name: str) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    text = resources.files("intraday_rl.trading").joinpath("us_sell_fees.json").read_text("utf-8")
    entries = sorted(
        (date.fromisoformat(day), rate) for day, rate in json.loads(text)[name]["from"].items()
    )
    starts = np.array([day for day, _ in entries], dtype="datetime64[D]")
    return starts, np.array([np.atleast_1d(rate) for _, rate in entries], dtype=np.float64)
