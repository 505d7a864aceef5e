"""What luck alone would have earned with the same trading: the policy's own days, dealt at random.

A random policy of the same turnover and holding times under the same cost book: each session
plays the target path that the policy chose on another session of equal length. What is lost is
only the timing, which is all that a policy can be good at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intraday_rl.research.rollout import Walk
from intraday_rl.statistics.null import deal_sessions, rank_p_value
from intraday_rl.statistics.ratios import sharpe_or_zero, sharpe_rows
from intraday_rl.trading.replay import replay_targets

DRAWS = 999


@dataclass(frozen=True, slots=True)
class RandomNull:
    """Rank of the policy's net Sharpe among `draws` dealings of its own sessions."""

    p_value: float
    draws: int
    mean_sharpe: float
    sharpe_95th: float


def random_null(walk: Walk, generator: np.random.Generator, draws: int = DRAWS) -> RandomNull:
    """The null distribution of one walk; a policy that never trades has a p-value of 1."""
    problem = walk.problem
    lengths = problem.tape.sessions["decisions"][problem.eligible]
    dealt = deal_sessions(lengths, draws, generator)
    returns = replay_targets(problem, target_paths(walk), dealt)
    sharpes = np.nan_to_num(sharpe_rows(returns))
    return RandomNull(
        p_value=rank_p_value(sharpe_or_zero(walk.daily_returns()), sharpes),
        draws=draws,
        mean_sharpe=float(sharpes.mean()),
        sharpe_95th=float(np.quantile(sharpes, 0.95)),
    )


def target_paths(walk: Walk) -> NDArray[np.float64]:
    """Accepted targets of every eligible session (n_sessions, most decisions); 0 after ruin."""
    problem = walk.problem
    decisions = walk.entries[~walk.entries["forced_exit"]]
    most = int(problem.tape.sessions["decisions"][problem.eligible].max())
    paths = np.zeros((problem.eligible.size, most))
    place = np.searchsorted(problem.eligible, decisions["session"])
    paths[place, decisions["step"]] = decisions["target"]
    return paths
