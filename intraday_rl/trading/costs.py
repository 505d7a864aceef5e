"""The cost book's parts: what one order of n shares at traded price p pays (domain: costs).

| part | formula for one order | where it is charged |
|---|---|---|
| `Slippage` | p·bps/10⁴ + usd per share + half-spread ticks · tick, adverse | fill price |
| `Impact` | Y · σ_day · √(n / ADV) · n·p | cash |
| `Commission` | min(max(rate·n + bps·n·p/10⁴, minimum), maximum % of n·p) + pass-through·n | cash |
| `Fees` | sells only: SEC §31 rate · n·p + min(TAF rate · n, TAF cap), by session | cash |
| `Financing` | rate/360 a day, pro rata by minutes, on the borrowed part of the holding | cash |

A per-side value of null takes the common one; zero is zero. Every part can be exactly nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from intraday_rl.errors import check_range


@dataclass(slots=True, kw_only=True)
class Slippage:
    """Adverse distance of the fill from the reference price; the three components add.

    | field | unit |
    |---|---|
    | `bps` | 1/10,000 of the traded price, one side |
    | `per_share` | USD per traded share, one side |
    | `half_spread_ticks` | ticks of `tick_usd`, one side |
    | `tick_usd` | USD |
    """

    bps: float = 0.0
    bps_buy: float | None = None
    bps_sell: float | None = None
    per_share: float = 0.0
    per_share_buy: float | None = None
    per_share_sell: float | None = None
    half_spread_ticks: float = 0.0
    half_spread_ticks_buy: float | None = None
    half_spread_ticks_sell: float | None = None
    tick_usd: float = 0.01

    def __post_init__(self) -> None:
        for side in ("", "_buy", "_sell"):
            _check_optional(f"bps{side}", getattr(self, f"bps{side}"), 1_000.0)
            _check_optional(f"per_share{side}", getattr(self, f"per_share{side}"))
            _check_optional(f"half_spread_ticks{side}", getattr(self, f"half_spread_ticks{side}"))
        check_range("tick_usd", self.tick_usd, 0.0, 1e6, low_open=True)

    def per_side(self, side: str) -> tuple[float, float]:
        """(share of price, USD per share) for `side` in {"buy", "sell"}."""
        ticks = _side(self, "half_spread_ticks", side)
        return _side(self, "bps", side) / 1e4, _side(
            self, "per_share", side
        ) + ticks * self.tick_usd

    @property
    def per_traded_share(self) -> bool:
        """True when some cost depends on how many shares a dollar bought on that day."""
        return any(self.per_side(side)[1] > 0 for side in ("buy", "sell"))


@dataclass(slots=True, kw_only=True)
class Impact:
    """Square-root law; σ_day and ADV come from the completed sessions before the order's.

    | field | unit |
    |---|---|
    | `coefficient` | Y of the square-root law, dimensionless; 0 = no impact, no volume needed |
    | `window_sessions` | completed sessions behind σ_day and ADV |
    """

    coefficient: float = 0.0
    coefficient_buy: float | None = None
    coefficient_sell: float | None = None
    window_sessions: int = 20

    def __post_init__(self) -> None:
        for side in ("", "_buy", "_sell"):
            _check_optional(f"coefficient{side}", getattr(self, f"coefficient{side}"))
        check_range("window_sessions", self.window_sessions, 2, 5_000)

    def per_side(self, side: str) -> float:
        """Y for `side` in {"buy", "sell"}."""
        return _side(self, "coefficient", side)

    @property
    def active(self) -> bool:
        """True when some order can have an impact, so that volume is needed."""
        return self.per_side("buy") > 0 or self.per_side("sell") > 0


@dataclass(slots=True, kw_only=True)
class Commission:
    """What the broker takes per order; exchange and clearing pass-through lie outside the bounds.

    | field | unit |
    |---|---|
    | `usd_per_share` | USD per traded share |
    | `bps` | 1/10,000 of the order's value |
    | `minimum_usd` | USD per order |
    | `maximum_percent` | percent of the order's value; null = no maximum |
    | `pass_through_usd_per_share` | USD per traded share, exchange and clearing |
    """

    usd_per_share: float = 0.0
    usd_per_share_buy: float | None = None
    usd_per_share_sell: float | None = None
    bps: float = 0.0
    bps_buy: float | None = None
    bps_sell: float | None = None
    minimum_usd: float = 0.0
    minimum_usd_buy: float | None = None
    minimum_usd_sell: float | None = None
    maximum_percent: float | None = None
    pass_through_usd_per_share: float = 0.0

    def __post_init__(self) -> None:
        for name in ("usd_per_share", "bps", "minimum_usd"):
            for side in ("", "_buy", "_sell"):
                _check_optional(f"{name}{side}", getattr(self, f"{name}{side}"))
        _check_optional("maximum_percent", self.maximum_percent, 100.0)
        check_range("pass_through_usd_per_share", self.pass_through_usd_per_share, 0.0, 1e6)

    def per_side(self, side: str) -> tuple[float, float, float]:
        """(USD per share, share of value, minimum USD) for `side` in {"buy", "sell"}."""
        return (
            _side(self, "usd_per_share", side),
            _side(self, "bps", side) / 1e4,
            _side(self, "minimum_usd", side),
        )

    @property
    def per_traded_share(self) -> bool:
        """True when some cost depends on how many shares a dollar bought on that day."""
        rates = [self.per_side(side)[0] for side in ("buy", "sell")]
        return max(*rates, self.pass_through_usd_per_share) > 0


@dataclass(slots=True, kw_only=True)
class Fees:
    """US sell-side fees by the date of the session; the tables lie in `us_sell_fees.json`.

    | field | what |
    |---|---|
    | `sec_section_31` | the SEC's fee on the value sold |
    | `finra_taf` | FINRA's trading activity fee on the shares sold |
    """

    sec_section_31: bool = False
    finra_taf: bool = False


@dataclass(slots=True, kw_only=True)
class Financing:
    """Interest on what is borrowed while a position is held, charged per decision interval.

    | field | unit |
    |---|---|
    | `annual_rate` | per year of 360 days, on max(0, shares·price − equity) |
    | `annual_borrow_rate` | per year of 360 days, on the value of a short position |
    """

    annual_rate: float = 0.0
    annual_borrow_rate: float = 0.0

    def __post_init__(self) -> None:
        check_range("annual_rate", self.annual_rate, 0.0, 10.0)
        check_range("annual_borrow_rate", self.annual_borrow_rate, 0.0, 10.0)


def _check_optional(key: str, value: float | None, high: float = 1e6) -> None:
    if value is not None:
        check_range(key, value, 0.0, high)


def _side(part: Slippage | Impact | Commission, name: str, side: str) -> float:
    own = getattr(part, f"{name}_{side}")
    return float(getattr(part, name) if own is None else own)
