"""What the account did: round trips, holding times, exposure, turnover and cost shares.

Input: the ledger rows of ONE seed in time order (several folds may follow one another), a row per
decision and one exit row per session.

| number           | formula                                                           | unit     |
|------------------|-------------------------------------------------------------------|----------|
| round trip       | flat → position → flat, or up to a reversal; adding and trimming  |          |
|                  | stay inside                                                       |          |
| holding          | bar_end of the closing fill - bar_end of the opening fill         | minutes  |
| trip's net       | Σ(gross - financing) while held - costs of its fills; a           | USD      |
|                  | reversal's costs are shared by the shares closed and opened       |          |
| hit rate         | trips with net > 0 ÷ trips                                        | fraction |
| exposure         | minutes with a position ÷ minutes from first decision to exit     | fraction |
| turnover         | Σ |shares traded| x price ÷ session-start equity, session mean    | x equity |
| cost share       | all costs ÷ gross profit, only if that is positive                | fraction |
| cost of turnover | all costs ÷ traded notional                                       | bp       |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.errors import DataError
from intraday_rl.statistics.arrays import FloatArray, finite_vector, same_length

FILL_COSTS = ("commission", "fees", "slippage", "impact")


@dataclass(frozen=True, slots=True, eq=False)
class LedgerColumns:
    """The columns that trades are counted from; money in USD, prices in traded terms."""

    session: NDArray[np.datetime64]
    bar_end: NDArray[np.datetime64]
    shares_before: FloatArray
    shares_after: FloatArray
    price: FloatArray
    gross_pnl: FloatArray
    fill_cost: FloatArray
    financing: FloatArray
    equity_before: FloatArray

    def __post_init__(self) -> None:
        columns = {name: getattr(self, name) for name in self.__dataclass_fields__}
        same_length(**columns)
        for name, column in columns.items():
            if name not in ("session", "bar_end"):
                finite_vector(name, column)
        if np.any(self.bar_end[1:] <= self.bar_end[:-1]):
            raise DataError(
                "bar_end does not increase; hand in the rows of one seed, in time order"
            )
        if np.any(self.shares_before[1:] != self.shares_after[:-1]):
            row = int(np.flatnonzero(self.shares_before[1:] != self.shares_after[:-1])[0]) + 1
            raise DataError(f"shares_before[{row}] is not shares_after of the row before")

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> LedgerColumns:
        """From a ledger frame (domain.md §6) with the rows of one seed."""

        def number(name: str) -> FloatArray:
            return frame[name].to_numpy(dtype=np.float64)

        return cls(
            session=pd.to_datetime(frame["session"]).to_numpy(dtype="datetime64[ns]"),
            bar_end=pd.to_datetime(frame["bar_end"], utc=True).dt.tz_localize(None).to_numpy(),
            shares_before=number("shares_before"),
            shares_after=number("shares_after"),
            price=number("price"),
            gross_pnl=number("gross_pnl"),
            fill_cost=np.sum([number(name) for name in FILL_COSTS], axis=0),
            financing=number("financing"),
            equity_before=number("equity_before"),
        )


@dataclass(frozen=True, slots=True, eq=False)
class RoundTrips:
    """One entry per completed round trip; rows are positions in the ledger."""

    open_row: NDArray[np.int64]
    close_row: NDArray[np.int64]
    side: NDArray[np.int64]
    net_pnl: FloatArray
    holding_minutes: FloatArray

    def __len__(self) -> int:
        return len(self.open_row)


@dataclass(frozen=True, slots=True)
class TradeSummary:
    """Totals over a ledger; `None` where there is nothing to divide by."""

    round_trips: int
    long_trips: int
    short_trips: int
    hit_rate: float | None
    mean_trip_net_usd: float | None
    mean_holding_minutes: float | None
    median_holding_minutes: float | None
    exposure: float | None
    turnover_per_session: float | None
    traded_notional_usd: float
    gross_pnl_usd: float
    cost_usd: float
    cost_share_of_gross: float | None
    cost_bps_of_turnover: float | None


def round_trips(ledger: LedgerColumns) -> RoundTrips:
    """The completed round trips in time order."""
    before, after = np.sign(ledger.shares_before), np.sign(ledger.shares_after)
    opened = np.flatnonzero((after != 0) & (after != before))
    closed = np.flatnonzero((before != 0) & (after != before))
    if len(ledger.shares_before) and before[0] != 0:
        raise DataError("shares_before[0] is not 0; a ledger starts flat")
    opened = opened[: len(closed)]  # a position that is still open is no round trip yet
    traded = np.abs(ledger.shares_after - ledger.shares_before)
    traded = np.where(traded > 0, traded, 1.0)
    turned = after != before
    # A fill that changes the side pays for two trips: by what it closed, by what it opened.
    closing = np.where(turned, np.abs(ledger.shares_before) / traded, 0.0)
    opening = np.where(turned, np.abs(ledger.shares_after) / traded, 1.0)
    held = ledger.gross_pnl - ledger.financing - ledger.fill_cost * opening
    minutes = (ledger.bar_end[closed] - ledger.bar_end[opened]) / np.timedelta64(1, "m")
    if len(closed) == 0:
        net = np.zeros(0)
    else:
        pairs = np.stack([opened, closed], axis=1).ravel()
        net = np.add.reduceat(held, pairs)[::2] - ledger.fill_cost[closed] * closing[closed]
    return RoundTrips(
        open_row=opened,
        close_row=closed,
        side=after[opened].astype(np.int64),
        net_pnl=net,
        holding_minutes=minutes.astype(np.float64),
    )


def exposure(ledger: LedgerColumns) -> float | None:
    """Share of session time, from the first decision to the exit, that a position was held."""
    if len(ledger.session) < 2:
        return None
    same = ledger.session[1:] == ledger.session[:-1]
    minutes = np.where(same, np.diff(ledger.bar_end) / np.timedelta64(1, "m"), 0.0)
    total = float(minutes.sum())
    return float(minutes[ledger.shares_after[:-1] != 0].sum()) / total if total > 0 else None


def summarise_trades(ledger: LedgerColumns) -> TradeSummary:
    """All trade figures of one ledger."""
    trips = round_trips(ledger)
    notional = np.abs(ledger.shares_after - ledger.shares_before) * ledger.price
    first = np.flatnonzero(np.r_[True, ledger.session[1:] != ledger.session[:-1]])
    first = first[first < len(ledger.session)]
    gross = float(ledger.gross_pnl.sum())
    cost = float(ledger.fill_cost.sum() + ledger.financing.sum())
    traded = float(notional.sum())
    turnover = None
    if len(first):
        per_session = np.add.reduceat(notional, first) / ledger.equity_before[first]
        turnover = float(per_session.mean())
    some = len(trips) > 0
    return TradeSummary(
        round_trips=len(trips),
        long_trips=int(np.count_nonzero(trips.side > 0)),
        short_trips=int(np.count_nonzero(trips.side < 0)),
        hit_rate=float(np.mean(trips.net_pnl > 0)) if some else None,
        mean_trip_net_usd=float(trips.net_pnl.mean()) if some else None,
        mean_holding_minutes=float(trips.holding_minutes.mean()) if some else None,
        median_holding_minutes=float(np.median(trips.holding_minutes)) if some else None,
        exposure=exposure(ledger),
        turnover_per_session=turnover,
        traded_notional_usd=traded,
        gross_pnl_usd=gross,
        cost_usd=cost,
        cost_share_of_gross=cost / gross if gross > 0 else None,
        cost_bps_of_turnover=1e4 * cost / traded if traded > 0 else None,
    )
