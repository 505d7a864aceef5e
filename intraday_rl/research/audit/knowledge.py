"""Which numbers a fold is made of, and the instant from which each may be known.

An instant is finer than a time: at 10:00 a bar closes, and then the next one opens. The decision
at the close must not know the price of the open that follows at the same minute.

| stage | numbers | known |
|---|---|---|
| features | feature table, row k | at the close of bar k |
| scaler | centre and scale, first moments | at the close of the last fitted session |
| observation | what the policy is shown at decision k | at the close of bar k |
| action | the policy's raw number | at the close of bar k |
| order | target, shares before, traded and after | at the close of bar k |
| fill | reference and fill price of order k | at the open of bar k+1 (as `env.fill` says) |
| cost | commission, fees, slippage, impact of order k | at its fill |
| moments | equity and reward moments before decision k's reward | at the fill of order k |
| reward | profit, financing, equity, net return, reward of k | at the fill of k+1, or the exit |
| exit | the forced exit's order, price, costs and result | at the open it is sold at |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.dataset import Dataset, Fold
from intraday_rl.market.calendar import nanoseconds
from intraday_rl.research.rollout import Walk
from intraday_rl.trading.cutoff import NEW_YORK, Fill
from intraday_rl.trading.ledger import COSTS

STAGES = (
    "features",
    "scaler",
    "observation",
    "action",
    "order",
    "fill",
    "cost",
    "moments",
    "reward",
    "exit",
)
CHARGED = tuple(name for name in COSTS if name != "financing")
DECISION_STAGES: dict[str, tuple[str, ...]] = {
    "action": ("action",),
    "order": ("target", "shares_before", "shares_traded", "shares_after"),
    "fill": ("price", "fill_price"),
    "cost": CHARGED,
    "moments": ("equity_before", "dsr_a", "dsr_b"),
    "reward": (
        "gross_pnl",
        "financing",
        "net_pnl",
        "equity_after",
        "net_return",
        "reward",
        "dsr_raw",
        "dsr_floored",
        "dsr_clipped",
    ),
}
EXIT_NUMBERS = ("shares_traded", "price", "fill_price", *CHARGED, "net_pnl", "equity_after")

Instants = NDArray[np.int64]


def at_close(time_ns: Instants) -> Instants:
    """Instants of bars that close at these times (UTC nanoseconds)."""
    return 2 * time_ns


def at_open(time_ns: Instants) -> Instants:
    """Instants of bars that open at these times: after whatever closes at the same time."""
    return 2 * time_ns + 1


def spell(instant: int) -> str:
    """An instant in words, such as `2021-11-26 12:30 New York, at the close`."""
    time = pd.Timestamp(int(instant) // 2, unit="ns", tz="UTC").tz_convert(NEW_YORK)
    return f"{time:%Y-%m-%d %H:%M} New York, at the {'open' if instant % 2 else 'close'}"


@dataclass(frozen=True, slots=True)
class Numbers:
    """One named quantity through time.

    | field | shape | what |
    |---|---|---|
    | `values` | (n,) | any dtype, contiguous |
    | `time` | (n,) UTC ns | the bar end a value belongs to |
    | `known` | (n,) instants, not decreasing | from when a value may be known |
    """

    stage: str
    name: str
    values: NDArray[Any]
    time: NDArray[np.int64]
    known: Instants

    def known_by(self, instant: int) -> int:
        """How many values may be known at `instant`."""
        return int(np.searchsorted(self.known, instant, side="right"))

    def first_difference(self, other: NDArray[Any], count: int) -> int | None:
        """Position of the first of `count` values that is not bit-equal in `other`."""
        ours, theirs = self.values[:count], other[:count]
        if ours.tobytes() == theirs.tobytes():
            return None
        common = min(len(ours), len(theirs))
        width = ours.dtype.itemsize
        differs = (
            ours[:common].view(np.uint8).reshape(common, width)
            != theirs[:common].view(np.uint8).reshape(common, width)
        ).any(axis=1)
        return int(differs.argmax()) if differs.any() else common


def feature_numbers(dataset: Dataset) -> list[Numbers]:
    """The feature table, column by column."""
    end = nanoseconds(dataset.market.symbol.frame["bar_end"])
    known, columns = at_close(end), np.ascontiguousarray(dataset.table.values.T)
    return [
        Numbers("features", name, values, end, known)
        for name, values in zip(dataset.table.names, columns, strict=True)
    ]


def fitted_numbers(fold: Fold) -> list[Numbers]:
    """Scaler and first moments: everything fitted before the first validation session."""
    frame = fold.dataset.market.symbol.frame
    last = pd.Timestamp(fold.window.fit[-1]).as_unit("ns").value
    row = np.searchsorted(nanoseconds(frame["session"]), last, side="right") - 1
    end = nanoseconds(frame["bar_end"])[row]
    moments = fold.moments
    found = {
        "scaler centre": fold.scaler.centre,
        "scaler scale": fold.scaler.scale,
        "first moments": np.array([moments.first, moments.second, moments.downside]),
    }
    numbers = []
    for name, values in found.items():
        time = np.full(values.size, end, np.int64)
        numbers.append(Numbers("scaler", name, values, time, at_close(time)))
    return numbers


def walk_numbers(dataset: Dataset, walk: Walk, observations: NDArray[np.float32]) -> list[Numbers]:
    """What one account saw, chose, paid and earned; `observations` (n_decisions, n_names)."""
    leaving = walk.entries["forced_exit"]
    decided, exits = walk.entries[~leaving], walk.entries[leaving]
    time = _row_end(walk, decided)
    filled = fill_instants(dataset, time)
    exited = exit_instants(walk, exits)
    # The next price of a decision is the next order's fill, or the exit of its session.
    last = np.append(decided["session"][1:] != decided["session"][:-1], True)
    earned = np.append(filled[1:], np.int64(0))
    earned[last] = exited
    known = {"action": at_close(time), "order": at_close(time), "reward": earned}
    shown = np.ascontiguousarray(observations.T)
    numbers = [
        Numbers("observation", name, values, time, at_close(time))
        for name, values in zip(walk.problem.names, shown, strict=True)
    ]
    for stage, names in DECISION_STAGES.items():
        instants = known.get(stage, filled)
        numbers += [
            Numbers(stage, name, np.ascontiguousarray(decided[name]), time, instants)
            for name in names
        ]
    left = _row_end(walk, exits)
    numbers += [
        Numbers("exit", name, np.ascontiguousarray(exits[name]), left, exited)
        for name in EXIT_NUMBERS
    ]
    return numbers


def fill_instants(dataset: Dataset, decision_ns: NDArray[np.int64]) -> Instants:
    """When orders decided at these bar ends get their price, by the rule `env.fill` declares."""
    frame, fill = dataset.market.symbol.frame, dataset.plan.env.fill
    if fill is Fill.close:
        return at_close(decision_ns)
    following = np.searchsorted(nanoseconds(frame["bar_end"]), decision_ns) + 1
    if fill is Fill.next_close:
        return at_close(nanoseconds(frame["bar_end"])[following])
    return at_open(nanoseconds(frame["bar_start"])[following])


def exit_instants(walk: Walk, exits: NDArray[np.void]) -> Instants:
    """When sessions are sold: at an open, or at the last close where that bar is missing."""
    time = _row_end(walk, exits)
    missing = walk.problem.tape.missing_bar[exits["session"]]
    return np.where(missing, at_close(time), at_open(time))


def _row_end(walk: Walk, entries: NDArray[np.void]) -> NDArray[np.int64]:
    return np.asarray(walk.problem.tape.row_end[entries["row"]], "datetime64[ns]").view(np.int64)
