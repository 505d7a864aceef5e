"""What real fills cost beyond the reference price, as a slippage that a backtest can be given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from arch.bootstrap import IIDBootstrap

from intraday_rl.statistics.intervals import CONFIDENCE, RESAMPLES

FEWEST_FILLS = 20  # below that an interval says nothing
_SEED = 0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Mean slippage a side in bps of the traded value, with its 95 % interval over sessions.

    Sessions are resampled whole (their fills share the day's spreads); null where there are too
    few fills or a single session.
    """

    fills: int
    sessions: int
    mean_bps: float | None
    low_bps: float | None
    high_bps: float | None

    @classmethod
    def of(cls, ledgers: Sequence[pd.DataFrame]) -> Calibration:
        """From ledgers of sessions at a broker that fills by itself."""
        costs, values = [], []
        ledgers = [ledger for ledger in ledgers if (ledger["shares_traded"] != 0.0).any()]
        for ledger in ledgers:
            traded = ledger[ledger["shares_traded"] != 0.0]
            costs.append(float(traded["slippage"].sum()))
            values.append(float((traded["shares_traded"].abs() * traded["price"]).sum()))
        fills = sum(int((ledger["shares_traded"] != 0.0).sum()) for ledger in ledgers)
        cost, value = np.array(costs), np.array(values)
        if not value.sum():
            return cls(fills, len(ledgers), None, None, None)
        mean = float(cost.sum() / value.sum() * 1e4)
        if fills < FEWEST_FILLS or len(ledgers) < 2:
            return cls(fills, len(ledgers), mean, None, None)
        sample = IIDBootstrap(cost, value, seed=np.random.default_rng(_SEED))
        bounds = sample.conf_int(
            lambda costs, values: costs.sum() / values.sum() * 1e4,
            RESAMPLES,
            method="percentile",
            size=CONFIDENCE,
        )
        low, high = bounds.ravel()
        return cls(fills, len(ledgers), mean, float(low), float(high))

    def yaml(self, agent: str) -> str | None:
        """A file for `conf/env/slippage`, or None without an interval; a gain is taken for 0."""
        if self.mean_bps is None or self.low_bps is None or self.high_bps is None:
            return None
        return (
            f"# Proposed from {self.fills} fills in {self.sessions} sessions of agent {agent}:\n"
            f"# {self.mean_bps:.3f} bps a side, 95 % interval "
            f"[{self.low_bps:.3f}, {self.high_bps:.3f}], sessions resampled whole.\n"
            "# Copy it to conf/env/slippage/calibrated.yaml and say env/slippage=calibrated.\n"
            f"bps: {max(0.0, self.mean_bps):.4f}\n"
        )
