"""What a user may say about synthetic bars; `synthetic.py` makes them."""

from __future__ import annotations

from dataclasses import dataclass

from intraday_rl.errors import ConfigError, check_range
from intraday_rl.market.calendar import FULL_SESSION_MINUTES
from intraday_rl.market.offsets import parse_date

LARGEST_SEED = 2**64 - 1
MOST_BARS = 5_000_000


@dataclass(slots=True, kw_only=True)
class SyntheticData:
    """Seeded bars of a benchmark and of a leveraged symbol, on the real calendar.

    | field | unit | meaning |
    |---|---|---|
    | `seed` | - | the same seed gives the same bars in every process |
    | `start` | ISO date | first session generated |
    | `end` | ISO date | last session generated, included; a later one only appends |
    | `bar_minutes` | minutes | any divisor of the full session |
    | `edge` | correlation | see Signal |
    | `leverage` | multiple | the symbol's close-to-close return ÷ the benchmark's |
    | `annual_volatility` | per √year | the benchmark's, overnight included, at `edge=0` |
    | `annual_drift` | log return a year | growth of the benchmark's trend, all of it overnight |
    | `overnight_variance_share` | 0-1 | part of a day's variance that lies before the open |
    | `volatility_persistence` | 0-1 | AR(1) coefficient of the log day factor, per session |
    | `volatility_spread` | log | standard deviation of the log day factor (its mean square is 1) |
    | `bar_gap_variance_share` | 0-1 | part of a bar's variance between a close and the next open |
    | `trend_half_life_sessions` | sessions | the overnight gap closes half the distance to the \
trend in this time, which keeps the prices of every seed in a realistic range |
    | `symbol_start_price` | USD | the symbol's price at the benchmark's first open |
    | `symbol_daily_volume` | shares | mean of a full session of normal volatility |

    Defaults are of the size of QQQ 2018-2023 (volatility 0.25 a year, 38 % of its variance
    overnight) and of TQQQ and QQQ volumes of 2025-2026.

    **Signal.** With f(k) the symbol's last one-bar return at bar k (close k ÷ close k-1 - 1; for
    a session's first bar close ÷ open - 1) and g(k) the return from fill k (open k+1) to fill
    k+1 (open k+2), the correlation of f and g pooled over all decisions is `edge`, up to
    sampling error. The step from close k to open k+1 belongs to neither f(k) nor g(k) and is
    lasting, so there is no bounce that would fake a reversal at `edge=0`. A signal also lets
    moves persist inside the session: at `edge>0` a session's variance exceeds the nominal one.

    **Drift.** Inside a session the price is a martingale at `edge=0`: the expected simple return
    over any bars is 0. The trend and the pull towards it act overnight only.
    """

    seed: int = 0
    start: str = "2018-01-01"
    end: str = "2023-12-31"
    bar_minutes: int = 15
    edge: float = 0.0
    leverage: float = 3.0
    annual_volatility: float = 0.25
    annual_drift: float = 0.12
    overnight_variance_share: float = 0.38
    volatility_persistence: float = 0.95
    volatility_spread: float = 0.40
    bar_gap_variance_share: float = 0.002
    trend_half_life_sessions: float = 63.0
    symbol_start_price: float = 20.0
    symbol_daily_volume: float = 100e6

    def __post_init__(self) -> None:
        check_range("seed", self.seed, 0, LARGEST_SEED)
        first, last = parse_date("start", self.start), parse_date("end", self.end)
        if first > last:
            raise ConfigError("end", self.end, f"must not lie before start={self.start}")
        if self.bar_minutes < 1 or FULL_SESSION_MINUTES % self.bar_minutes:
            remedy = f"must divide the {FULL_SESSION_MINUTES} minutes of a session, as 15 does"
            raise ConfigError("bar_minutes", self.bar_minutes, remedy)
        bars = (last - first).days * (FULL_SESSION_MINUTES // self.bar_minutes)
        if bars > MOST_BARS:
            remedy = f"some {bars} bars from {first} to {last} would not fit into memory; use fewer"
            raise ConfigError("bar_minutes", self.bar_minutes, remedy)
        check_range("edge", self.edge, -0.8, 0.8)
        check_range("leverage", self.leverage, -5, 5)
        if self.leverage == 0:
            raise ConfigError("leverage", self.leverage, "must not be 0: the price would not move")
        check_range("annual_volatility", self.annual_volatility, 0, 2, low_open=True)
        check_range("annual_drift", self.annual_drift, -1, 1)
        check_range("overnight_variance_share", self.overnight_variance_share, 0, 1, high_open=True)
        check_range("volatility_persistence", self.volatility_persistence, 0, 1, high_open=True)
        check_range("volatility_spread", self.volatility_spread, 0, 1.5)
        check_range("bar_gap_variance_share", self.bar_gap_variance_share, 0, 0.5)
        check_range("trend_half_life_sessions", self.trend_half_life_sessions, 1, 1e6)
        check_range("symbol_start_price", self.symbol_start_price, 1e-3, 1e7)
        check_range("symbol_daily_volume", self.symbol_daily_volume, 0, 1e12, low_open=True)
