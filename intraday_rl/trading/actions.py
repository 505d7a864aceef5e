"""From the policy's number in [-1, 1] to a target fraction of the session's starting equity."""

from __future__ import annotations

from dataclasses import dataclass

from intraday_rl.errors import check_range


@dataclass(slots=True, kw_only=True)
class TargetAction:
    """f = clip(action, −1 or 0 if `long_only`, 1) · `max_position`; small changes are ignored.

    | field | unit |
    |---|---|
    | `max_position` | fraction of the equity at session start |
    | `no_trade_band` | change of f below which the last accepted f stays; exact 0 always trades |
    | `long_only` | no short positions |
    | `lot_size` | shares; 0 = fractional shares |
    """

    max_position: float = 1.0
    no_trade_band: float = 0.05
    long_only: bool = False
    lot_size: float = 1.0

    def __post_init__(self) -> None:
        check_range("max_position", self.max_position, 0.0, 10.0, low_open=True)
        # A wider band could never be left from flat: the agent would be silenced without a word.
        check_range("no_trade_band", self.no_trade_band, 0.0, self.max_position)
        check_range("lot_size", self.lot_size, 0.0, 1e9)


@dataclass(slots=True, kw_only=True)
class LongFlatAction:
    """Above `threshold` long, below −`threshold` flat, between keeps; a session starts flat.

    | field | unit |
    |---|---|
    | `threshold` | of the action |
    | `max_position` | fraction of the equity at session start held when long |
    | `lot_size` | shares; 0 = fractional shares |
    """

    threshold: float = 0.33
    max_position: float = 1.0
    lot_size: float = 1.0

    def __post_init__(self) -> None:
        check_range("threshold", self.threshold, 0.0, 1.0, high_open=True)
        check_range("max_position", self.max_position, 0.0, 10.0, low_open=True)
        check_range("lot_size", self.lot_size, 0.0, 1e9)


ActionMap = TargetAction | LongFlatAction
