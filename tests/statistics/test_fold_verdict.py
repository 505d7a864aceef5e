from __future__ import annotations

from itertools import product

import pytest

from intraday_rl.errors import DataError
from intraday_rl.statistics.verdict import Verdict, fold_verdict


def _verdict(**changes: object) -> Verdict:
    facts: dict[str, object] = {
        "failed": [False, False],
        "ruined": [False, False],
        "round_trips": [10, 12],
        "abstained": [False, False],
        "difference_low": 0.0001,
        "net_return": 0.05,
    }
    return fold_verdict(**(facts | changes))


def test_a_fold_that_beats_hold_and_earns_something_beats_hold():
    assert _verdict() is Verdict.beats_hold


@pytest.mark.parametrize(
    "changes",
    [{"difference_low": 0.0}, {"difference_low": None}, {"net_return": -0.01}, {"net_return": 0.0}],
)
def test_beating_hold_needs_the_lower_bound_and_a_positive_net_return(changes):
    assert _verdict(**changes) is Verdict.no_edge


def test_each_verdict_yields_to_the_ones_before_it():
    facts = [
        ({"failed": [False, True]}, Verdict.failed),
        ({"ruined": [True, False]}, Verdict.ruined),
        ({"round_trips": [0, 0]}, Verdict.no_trades),
        ({"abstained": [True, True]}, Verdict.abstained),
    ]
    for chosen in product([False, True], repeat=4):
        # A seed that abstained on all seeds cannot be ruined: that pair has its own test.
        if chosen[1] and chosen[3]:
            continue
        changes: dict[str, object] = {}
        expected = Verdict.beats_hold
        for wanted, (change, verdict) in reversed(list(zip(chosen, facts, strict=True))):
            if wanted:
                changes |= change
                expected = verdict
        assert _verdict(**changes) is expected


def test_one_seed_is_enough_to_fail_but_not_to_abstain_or_to_sit_still():
    assert _verdict(failed=[True, False], net_return=None, difference_low=None) is Verdict.failed
    assert _verdict(abstained=[True, False]) is Verdict.beats_hold
    assert _verdict(round_trips=[0, 3]) is Verdict.beats_hold


def test_a_ruin_that_abstention_avoided_is_no_ruin():
    abstained = {"ruined": [True, False], "abstained": [True, False]}
    assert _verdict(**abstained) is Verdict.beats_hold
    assert _verdict(ruined=[True, True], abstained=[True, True]) is Verdict.abstained
    assert _verdict(ruined=[False, True], abstained=[True, False]) is Verdict.ruined


def test_seeds_must_match_and_a_finished_fold_has_a_return():
    with pytest.raises(DataError, match="one entry per seed"):
        _verdict(failed=[False])
    with pytest.raises(DataError, match="one entry per seed"):
        _verdict(failed=[], ruined=[], round_trips=[], abstained=[])
    with pytest.raises(DataError, match="net_return=None"):
        _verdict(net_return=None)


def test_the_verdicts_stand_in_their_order_of_precedence():
    names = ["failed", "ruined", "no_trades", "abstained", "beats_hold", "no_edge"]
    assert [verdict.value for verdict in Verdict] == names
