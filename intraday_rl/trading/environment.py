"""The environment's part: what acting costs, when it ends, what an action means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from intraday_rl.errors import check_range
from intraday_rl.trading.actions import TargetAction
from intraday_rl.trading.costs import Commission, Fees, Financing, Impact, Slippage
from intraday_rl.trading.cutoff import Cutoff, Fill


@dataclass(slots=True, kw_only=True)
class Environment:
    """Slippage, impact, commission, fees, financing, cutoff, action; when orders fill, with what.

    | field | unit |
    |---|---|
    | `fill` | which price after the decision an order gets |
    | `initial_equity` | USD; where training resets to and evaluation starts |
    """

    slippage: Slippage = field(default_factory=Slippage)
    impact: Impact = field(default_factory=Impact)
    commission: Commission = field(default_factory=Commission)
    fees: Fees = field(default_factory=Fees)
    financing: Financing = field(default_factory=Financing)
    cutoff: Cutoff = field(default_factory=Cutoff)
    action: Any = field(default_factory=TargetAction)
    fill: Fill = Fill.next_open
    initial_equity: float = 100_000.0

    def __post_init__(self) -> None:
        check_range("initial_equity", self.initial_equity, 1.0, 1e15)

    @property
    def per_traded_share(self) -> bool:
        """True when a cost depends on traded share counts, so that splits must be known."""
        return (
            self.slippage.per_traded_share
            or self.commission.per_traded_share
            or self.fees.finra_taf
        )
