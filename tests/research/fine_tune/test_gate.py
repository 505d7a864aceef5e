"""The gate where the answer is known: planted differences between paired daily returns."""

from __future__ import annotations

import numpy as np
import pytest

from intraday_rl.research.fine_tune.gate import Decision, Reason, judge
from intraday_rl.tasks import Promotion

MARGIN = 5.0


def parent(sessions: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0.0, 0.01, sessions)


def judged(
    better_bps: float, *, sessions: int = 60, noise_bps: float = 10.0, **changes: object
) -> Decision:
    """A challenger that earns `better_bps` more a day, up to some noise of its own."""
    base = parent(sessions)
    noise = np.random.default_rng(1).normal(0.0, noise_bps, sessions)
    noise -= noise.mean()
    challenger = base + (better_bps + noise) / 1e4
    given: dict = {
        "barred": None,
        "trades": 12,
        "margin_bps_per_day": MARGIN,
        "promote": Promotion.gate,
        "generator": np.random.default_rng(2),
    }
    opponents = {"parent": base, **changes.pop("others", {})}
    return judge(challenger, opponents, **(given | changes))


@pytest.mark.parametrize(
    ("better_bps", "noise_bps", "reason"),
    [
        (3.0, 10.0, Reason.not_inferior),
        (0.0, 10.0, Reason.not_inferior),
        (-20.0, 10.0, Reason.inferior),
        (-4.0, 10.0, Reason.not_proven),  # the estimate lies above the margin, the bound below
        (10.0, 200.0, Reason.not_proven),  # better, but far from certain
    ],
)
def test_a_challenger_is_promoted_if_it_is_proven_not_worse_than_the_margin(
    better_bps, noise_bps, reason
):
    decision = judged(better_bps, noise_bps=noise_bps)
    assert decision.reason is reason
    assert decision.promoted == (reason is Reason.not_inferior)
    (one,) = decision.comparisons
    assert one.mean_bps == pytest.approx(better_bps, abs=1e-6)
    assert one.low_bps < one.mean_bps < one.high_bps


def test_fewer_than_twenty_sessions_prove_nothing_however_good_they_are():
    assert judged(50.0, sessions=19).reason is Reason.insufficient_evidence
    assert judged(50.0, sessions=20).reason is Reason.not_inferior
    five = judged(50.0, sessions=5)
    assert not five.promoted
    assert five.comparisons[0].low_bps is None


def test_one_that_does_not_trade_stays_out_even_if_it_loses_less():
    decision = judged(20.0, trades=0)
    assert (decision.promoted, decision.reason) == (False, Reason.does_not_trade)


def test_promote_never_and_always_leave_the_finding_as_it_is():
    never = judged(3.0, promote=Promotion.never)
    assert (never.promoted, never.reason) == (False, Reason.promote_never)
    assert never.finding is Reason.not_inferior
    always = judged(-20.0, promote=Promotion.always)
    assert (always.promoted, always.reason) == (True, Reason.promote_always)
    assert always.finding is Reason.inferior


@pytest.mark.parametrize("promote", list(Promotion))
def test_what_bars_a_challenger_bars_it_under_every_option(promote):
    decision = judged(3.0, barred=Reason.abstained, promote=promote)
    assert (decision.promoted, decision.reason) == (False, Reason.abstained)


def test_it_must_not_be_worse_than_the_champion_in_office_either():
    champion = {"champion": parent(60) + 30 / 1e4}
    decision = judged(3.0, others=champion)
    assert (decision.promoted, decision.reason) == (False, Reason.inferior)


def test_an_equal_challenger_is_its_own_bound():
    decision = judged(0.0, noise_bps=0.0)
    assert decision.reason is Reason.not_inferior
    assert decision.comparisons[0].low_bps == 0.0


def test_the_same_generator_gives_the_same_bounds():
    assert judged(1.0) == judged(1.0)
