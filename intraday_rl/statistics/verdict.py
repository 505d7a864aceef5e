"""One word for a fold, by precedence; the first that applies is the verdict.

| verdict    | applies when                                                                     |
|------------|----------------------------------------------------------------------------------|
| failed     | any seed ended without a result                                                  |
| ruined     | any seed that traded as it was judged lost the account                           |
| no_trades  | the raw policy of every seed never made a round trip                             |
| abstained  | every seed chose to stay flat on its validation span                             |
| beats_hold | lower bound of the paired daily difference to `hold` > 0 and net return > 0      |
| no_edge    | none of these                                                                    |

Difference and net return belong to the equal-weight average over seeds as traded: zeros where a
seed abstained. A seed that abstained cannot be ruined, whatever its raw ledger shows.
Source: domain.md §7.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np

from intraday_rl.errors import DataError


class Verdict(Enum):
    """What a fold showed, strongest objection first."""

    failed = "failed"
    ruined = "ruined"
    no_trades = "no_trades"
    abstained = "abstained"
    beats_hold = "beats_hold"
    no_edge = "no_edge"


def fold_verdict(
    *,
    failed: Sequence[bool],
    ruined: Sequence[bool],
    round_trips: Sequence[int],
    abstained: Sequence[bool],
    difference_low: float | None,
    net_return: float | None,
) -> Verdict:
    """Verdict of a fold.

    | argument         | meaning                                                              |
    |------------------|----------------------------------------------------------------------|
    | first four       | an entry per seed; those of a failed seed are not looked at          |
    | round_trips      | of the raw policy                                                    |
    | difference_low   | lower bound of mean(policy - hold) per session; `None` without one   |
    | net_return       | compounded over the fold, after all costs; `None` if failed          |
    """
    lengths = {len(failed), len(ruined), len(round_trips), len(abstained)}
    if lengths == {0} or len(lengths) > 1:
        raise DataError(f"seeds per argument: {sorted(lengths)}; one entry per seed in each")
    if any(failed):
        return Verdict.failed
    if any(np.asarray(ruined, dtype=bool) & ~np.asarray(abstained, dtype=bool)):
        return Verdict.ruined
    if not any(round_trips):
        return Verdict.no_trades
    if all(abstained):
        return Verdict.abstained
    if net_return is None:
        raise DataError("net_return=None: a fold that did not fail has one")
    beaten = difference_low is not None and difference_low > 0 and net_return > 0
    return Verdict.beats_hold if beaten else Verdict.no_edge
