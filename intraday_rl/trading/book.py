"""The book: the whole configuration as the numbers that the compiled functions read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intraday_rl.trading.actions import ActionMap, LongFlatAction
from intraday_rl.trading.environment import Environment
from intraday_rl.trading.kernel.layout import (
    BOOK,
    DIFFERENTIAL_SHARPE,
    DOWNSIDE_DEVIATION,
    LOG_RETURN,
    NET_RETURN,
)
from intraday_rl.trading.observation import AccountColumn, account_columns
from intraday_rl.trading.rewards import (
    DifferentialSharpe,
    DownsideDeviation,
    LogReturn,
    NetReturn,
    Reward,
)

MINUTES_A_YEAR = 360 * 24 * 60  # money-market convention: rate/360 a day
RUIN_FRACTION = 0.10  # of the initial equity, at a session's end
_REWARD_CODES = {
    DifferentialSharpe: DIFFERENTIAL_SHARPE,
    DownsideDeviation: DOWNSIDE_DEVIATION,
    NetReturn: NET_RETURN,
    LogReturn: LOG_RETURN,
}


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean of R, of R² and of min(R, 0)² of a cost-free hold over the train decisions."""

    first: float
    second: float
    downside: float

    @classmethod
    def of(cls, returns: NDArray[np.float64]) -> Moments:
        """From decision returns, shape (n_decisions,)."""
        return cls(
            float(returns.mean()),
            float((returns**2).mean()),
            float((np.minimum(returns, 0.0) ** 2).mean()),
        )

    @property
    def volatility(self) -> float:
        """Standard deviation of the decision returns."""
        return math.sqrt(self.second - self.first**2)


_COLUMN_FIELDS = {
    "position_column": "position",
    "unrealised_column": "unrealised_return",
    "minutes_held_column": "minutes_held",
    "moments_column": "reward_moment_a",
}


def build_book(
    environment: Environment,
    reward: Reward,
    moments: Moments,
    *,
    market_columns: int,
    observed: tuple[AccountColumn, ...],
    observation_clip: float,
    decisions_per_session: float,
    sequential: bool,
) -> NDArray[np.void]:
    """One `BOOK` record (shape (1,)): the whole configuration as numbers.

    Observation scales: unrealised return in units of a session's volatility of a hold; A in
    units of its stationary standard deviation, B relative to B₀.
    """
    book = np.zeros(1, BOOK)
    record = book[0]
    for side in ("buy", "sell"):
        share, usd = environment.slippage.per_side(side)
        rate, value_share, minimum = environment.commission.per_side(side)
        record[side] = (share, usd, rate, value_share, minimum, environment.impact.per_side(side))
    percent = environment.commission.maximum_percent
    record["commission_maximum_share"] = math.inf if percent is None else percent / 100.0
    record["commission_pass_through_usd"] = environment.commission.pass_through_usd_per_share
    record["financing_rate"] = environment.financing.annual_rate / MINUTES_A_YEAR
    record["borrow_rate"] = environment.financing.annual_borrow_rate / MINUTES_A_YEAR
    record["initial_equity"] = environment.initial_equity
    record["ruin_equity"] = environment.initial_equity * RUIN_FRACTION
    record["sequential"] = sequential
    _write_action(record, environment.action)
    _write_reward(record, reward, moments)

    record["market_columns"] = market_columns
    names = account_columns(observed)
    for book_field, name in _COLUMN_FIELDS.items():
        record[book_field] = market_columns + names.index(name) if name in names else -1
    record["observation_clip"] = observation_clip
    record["unrealised_scale"] = moments.volatility * math.sqrt(decisions_per_session)
    return book


def _write_action(record: np.void, action: ActionMap) -> None:
    record["max_position"] = action.max_position
    record["lot_size"] = action.lot_size
    record["long_flat"] = isinstance(action, LongFlatAction)
    if isinstance(action, LongFlatAction):
        record["threshold"] = action.threshold
    else:
        record["lowest_action"] = 0.0 if action.long_only else -1.0
        record["no_trade_band"] = action.no_trade_band


def _write_reward(record: np.void, reward: Reward, moments: Moments) -> None:
    record["reward"] = _REWARD_CODES[type(reward)]
    if not isinstance(reward, DifferentialSharpe | DownsideDeviation):
        return
    downside = isinstance(reward, DownsideDeviation)
    spread = moments.downside if downside else moments.second - moments.first**2
    record["eta"] = reward.eta
    record["clip"] = reward.clip
    record["variance_floor"] = reward.variance_floor_ratio * spread
    record["first_a"] = moments.first
    record["first_b"] = moments.downside if downside else moments.second
    # Stationary standard deviation of an exponential mean of independent returns.
    record["moment_a_scale"] = math.sqrt(reward.eta / (2.0 - reward.eta) * moments.second)
    record["moment_b_scale"] = float(record["first_b"])
