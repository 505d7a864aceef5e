"""May the challenger be used? Paired by session, with a stated margin, and nothing for granted.

| question | answer |
|---|---|
| compared with | the model it came from, and the champion in office if that is another one |
| number | mean daily difference of net returns on the held-out sessions, in bps |
| interval | stationary bootstrap of the pairs, 90 %, whose low end is the one-sided 5 % bound |
| not inferior | that bound lies above -margin |
| too little | fewer than 20 held-out sessions prove nothing, whatever they show |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from intraday_rl.research.fine_tune.spans import FEWEST_SESSIONS
from intraday_rl.statistics.arrays import is_constant
from intraday_rl.statistics.intervals import paired_interval
from intraday_rl.tasks import Promotion

CONFIDENCE = 0.90
BPS = 1e4


class Reason(Enum):
    """Why a challenger was kept or promoted; of those that keep it the first that applies."""

    abstained = "abstained"  # the first training showed no advantage; no tuning makes up for that
    champion_not_comparable = "champion_not_comparable"  # other observations, costs or bars
    insufficient_evidence = "insufficient_evidence"  # too few held-out sessions
    does_not_trade = "does_not_trade"
    inferior = "inferior"  # proven worse than the margin
    not_proven = "not_proven"  # a difference beyond the margin cannot be excluded
    promote_never = "promote_never"  # it would have passed
    promote_always = "promote_always"  # whatever the gate found
    not_inferior = "not_inferior"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Challenger minus opponent, per session, in bps; bounds are null where there are too few."""

    opponent: str
    sessions: int
    mean_bps: float
    low_bps: float | None
    high_bps: float | None
    method: str


@dataclass(frozen=True, slots=True)
class Decision:
    """`passed`: what the gate found; `promoted`: what follows under `task.promote`."""

    passed: bool
    promoted: bool
    reason: Reason
    finding: Reason
    margin_bps_per_day: float
    trades: int
    comparisons: tuple[Comparison, ...]


def judge(
    challenger: NDArray[np.float64],
    opponents: Mapping[str, NDArray[np.float64]],
    *,
    barred: Reason | None,
    trades: int,
    margin_bps_per_day: float,
    promote: Promotion,
    generator: np.random.Generator,
) -> Decision:
    """Decide by daily net returns of the same held-out sessions.

    `barred`: what keeps the challenger whatever the returns are, and whatever `promote` says.
    """
    comparisons = tuple(
        compare(name, challenger, returns, generator) for name, returns in opponents.items()
    )
    finding = barred or _finding(comparisons, challenger.size, trades, margin_bps_per_day)
    passed = finding is Reason.not_inferior
    always = promote is Promotion.always and barred is None
    promoted = always or (promote is Promotion.gate and passed)
    reason = finding
    if always and not passed:
        reason = Reason.promote_always
    elif promote is Promotion.never and passed:
        reason = Reason.promote_never
    return Decision(passed, promoted, reason, finding, margin_bps_per_day, trades, comparisons)


def compare(
    opponent: str,
    challenger: NDArray[np.float64],
    returns: NDArray[np.float64],
    generator: np.random.Generator,
) -> Comparison:
    """The paired interval; a difference that never varies is its own bound."""
    difference = challenger - returns
    mean = float(difference.mean())
    interval = paired_interval(challenger, returns, generator, confidence=CONFIDENCE)
    low, high = interval.low, interval.high
    if difference.size >= FEWEST_SESSIONS and is_constant(difference):
        low = high = mean
    return Comparison(
        opponent=opponent,
        sessions=difference.size,
        mean_bps=mean * BPS,
        low_bps=None if low is None else low * BPS,
        high_bps=None if high is None else high * BPS,
        method=interval.method,
    )


def _finding(
    comparisons: tuple[Comparison, ...], sessions: int, trades: int, margin: float
) -> Reason:
    if sessions < FEWEST_SESSIONS:
        return Reason.insufficient_evidence
    if trades == 0:
        return Reason.does_not_trade
    if any(one.high_bps is not None and one.high_bps < -margin for one in comparisons):
        return Reason.inferior
    if any(one.low_bps is None or one.low_bps <= -margin for one in comparisons):
        return Reason.not_proven
    return Reason.not_inferior
