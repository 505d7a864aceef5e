"""The rewards an agent can be trained on; every one is net of every cost, each charged once.

| part | reward of the decision with net return R |
|---|---|
| `DifferentialSharpe` | (B·ΔA − ½·A·ΔB) / v^{3/2}, ΔA = R − A, ΔB = R² − B, v = max(B−A², floor) |
| `DownsideDeviation` | the same derivative for mean ÷ downside deviation |
| `NetReturn` | R |
| `LogReturn` | ln(1 + R) |

Source of both derivatives: Moody & Saffell 1998, 2001.

A and B are exponential moments of R *before* the update; they start at the moments of a
cost-free hold over the training decisions. The step functions are in `kernel/moments.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from intraday_rl.errors import check_range


@dataclass(slots=True, kw_only=True)
class DifferentialSharpe:
    """The differential Sharpe ratio: what a decision adds to the Sharpe ratio so far.

    | field | unit | |
    |---|---|---|
    | `eta` | per decision | weight of the newest return; 1/eta is the time scale |
    | `variance_floor_ratio` | share | floor of the variance, relative to the hold's, B₀ − A₀² |
    | `clip` | reward units | bound of the reward on either side, applied last |
    """

    eta: float = 0.01
    variance_floor_ratio: float = 0.01
    clip: float = 10.0

    def __post_init__(self) -> None:
        _check_moments(self.eta, self.variance_floor_ratio, self.clip)


@dataclass(slots=True, kw_only=True)
class DownsideDeviation:
    """The same for mean ÷ downside deviation.

    | field | unit | |
    |---|---|---|
    | `eta` | per decision | weight of the newest return; 1/eta is the time scale |
    | `variance_floor_ratio` | share | floor of the downside variance, relative to the hold's |
    | `clip` | reward units | bound of the reward on either side, applied last |
    """

    eta: float = 0.01
    variance_floor_ratio: float = 0.01
    clip: float = 10.0

    def __post_init__(self) -> None:
        _check_moments(self.eta, self.variance_floor_ratio, self.clip)


@dataclass(slots=True, kw_only=True)
class NetReturn:
    """The net return of the decision, a fraction."""


@dataclass(slots=True, kw_only=True)
class LogReturn:
    """The natural logarithm of one plus the net return."""


Reward = DifferentialSharpe | DownsideDeviation | NetReturn | LogReturn

REWARD_NAMES: dict[type, str] = {
    DifferentialSharpe: "dsr",
    DownsideDeviation: "downside",
    NetReturn: "net_return",
    LogReturn: "log_return",
}


def has_moments(reward: Reward) -> bool:
    """True when the reward carries moments, which then belong into the observation."""
    return isinstance(reward, DifferentialSharpe | DownsideDeviation)


def _check_moments(eta: float, variance_floor_ratio: float, clip: float) -> None:
    check_range("eta", eta, 0.0, 1.0, low_open=True)
    check_range("variance_floor_ratio", variance_floor_ratio, 0.0, 1.0, low_open=True)
    check_range("clip", clip, 0.0, low_open=True)
