"""What the winner is worth: deflation, overfitting, the choice, and the words for them."""

from __future__ import annotations

import numpy as np
import pytest

from intraday_rl.errors import DataError
from intraday_rl.research.lockbox import Looks
from intraday_rl.research.sweep import words
from intraday_rl.research.sweep.choosing import chosen_of, refuse_future_validation
from intraday_rl.research.sweep.judging import judge
from intraday_rl.research.sweep.names import labels
from intraday_rl.statistics.probabilistic import deflated_sharpe, probabilistic_sharpe_of
from tests.research.sweep.conftest import SESSIONS, noise, windows
from tests.research.sweep.test_trials import BANDS, two_folds


def judged(made, looks=0):
    (world,) = made.worlds()
    names = labels([trial.settings for trial in world.trials], "alone")
    seen = {name: Looks(looks, looks, 0) for name, *_ in world.tests} if looks else {}
    return judge(world, names, "made", seen)


def edge(made, planted, others=9):
    """One band with a daily Sharpe, the others noise; validation knows the better one."""
    made.finished("agent=hold", BANDS[0], returns=two_folds(0, planted), scores=(1.0, 1.0))
    for number in range(1, others + 1):
        returns = {0: [noise(2 * number, -0.05), noise(2 * number + 1, -0.05)]}
        made.finished("agent=hold", BANDS[number], returns=returns)


def test_a_planted_edge_stands(made):
    edge(made, 0.5)
    found = judged(made).content
    assert found["finding"] == "stands"
    assert found["best"]["name"] == "env.action.no_trade_band=0"
    assert found["overfitting"]["probability"] < 0.05
    assert found["deflated_sharpe"]["best"]["at_least"]["probability"] > 0.95
    assert found["ranking"][0]["name"] == found["best"]["name"]


@pytest.mark.slow("sweep")
def test_the_best_of_fifty_without_skill_is_explained_by_luck(made):
    for number in range(50):
        drawn = np.random.default_rng(number).normal(0, 0.01, (2, SESSIONS))
        made.finished("agent=hold", BANDS[number], returns={0: drawn.tolist()})
    verdict = judged(made)
    found = verdict.content
    assert found["finding"] == "luck"
    assert found["trials"]["raw"] == 50
    assert found["best"]["sharpe"] > 0
    assert found["deflated_sharpe"]["best"]["raw"]["probability"] < 0.95
    single = probabilistic_sharpe_of(verdict.best.traded)
    assert single > 0.95, "alone it would have passed for skill"


def test_a_failed_configuration_raises_n_and_lowers_the_deflated_sharpe(made):
    edge(made, 0.2)
    before = judged(made).content
    made.broken("agent=hold", BANDS[40])
    after = judged(made).content
    for count in ("raw", "effective", "at_least"):
        assert after["trials"][count] == pytest.approx(before["trials"][count] + 1)
        lower = after["deflated_sharpe"]["best"][count]["probability"]
        assert lower < before["deflated_sharpe"]["best"][count]["probability"]
    assert after["trials"]["with_series"] == before["trials"]["with_series"]


def test_the_deflated_sharpe_is_that_of_the_statistics_room(made):
    edge(made, 0.2)
    found = judged(made)
    series = [trial.traded for trial in found.world.trials]
    daily = [float(np.mean(s) / np.std(s, ddof=1)) for s in series]
    expected = deflated_sharpe(series[0], daily, 10)
    raw = found.content["deflated_sharpe"]["best"]["raw"]
    assert raw["probability"] == pytest.approx(expected.probability)
    assert raw["sharpe_variance_daily"] == pytest.approx(np.var(daily, ddof=1))


def test_looks_are_a_lower_bound_for_the_number_of_trials(made):
    edge(made, 0.2)
    found = judged(made, looks=300).content
    assert (found["trials"]["raw"], found["trials"]["at_least"]) == (10, 300)
    ways = found["deflated_sharpe"]["best"]
    assert ways["at_least"]["probability"] < ways["raw"]["probability"]
    assert "looked at 300 times" in words.paragraph(found)
    fewer = judged(made, looks=3).content
    assert fewer["trials"]["at_least"] == 10


def test_one_configuration_is_not_deflated(made):
    made.finished("agent=hold", returns=two_folds(0, 0.3))
    found = judged(made)
    assert found.content["trials"]["raw"] == 1
    deflated = found.content["deflated_sharpe"]["best"]["raw"]
    assert deflated["expected_maximum_daily"] == 0
    assert deflated["probability"] == pytest.approx(probabilistic_sharpe_of(found.best.traded))
    assert found.content["overfitting"] is None
    text = words.paragraph(found.content)
    assert "1 configuration was tried" in text
    assert "at least two configurations" in text


def test_one_configuration_that_many_looked_past_is_deflated_by_a_named_stand_in(made):
    made.finished("agent=hold", returns=two_folds(0, 0.3))
    found = judged(made, looks=40).content
    deflated = found["deflated_sharpe"]["best"]["at_least"]
    assert deflated["sharpe_variance_from"] == "1/(T-1)"
    assert deflated["expected_maximum_daily"] > 0
    assert any("stands in" in line for line in words.caveats(found))


def test_where_all_stayed_out_there_is_no_winner_and_no_pbo(made):
    for number in range(3):
        made.finished("agent=hold", BANDS[number], returns=two_folds(number, 0.1), abstained=[0])
    found = judged(made).content
    assert found["finding"] == "stayed_out"
    assert found["overfitting"] is None
    assert found["deflated_sharpe"]["best"] is None
    text = words.paragraph(found)
    assert "abstained" in text
    assert "no configuration did better than staying out" in text


def test_where_all_lost_the_least_loss_is_no_success(made):
    for number in range(3):
        made.finished("agent=hold", BANDS[number], returns=two_folds(number, -0.1 * (number + 1)))
    assert judged(made).content["finding"] == "loses"


def test_without_any_complete_configuration_nothing_is_concluded(made):
    made.finished("agent=hold", returns=two_folds(0), lost=[(0, 1)])
    found = judged(made).content
    assert found["finding"] == "no_result"
    assert "nothing to judge" in words.paragraph(found)


def test_each_window_uses_the_configuration_that_validation_had_shown_by_then(made):
    early, late = two_folds(0), two_folds(1)
    made.finished("agent=hold", BANDS[0], returns=early, scores=(1.0, 0.0))
    made.finished("agent=hold", BANDS[1], returns=late, scores=(0.5, 9.0))
    found = judged(made)
    assert [trial.key for trial in found.chosen.trials] == [
        trial.key for trial in found.world.trials
    ]
    np.testing.assert_array_equal(found.chosen.traded, np.concatenate([early[0][0], late[0][1]]))


def test_a_later_validation_score_changes_no_earlier_choice(made, make_sweep):
    made.finished("agent=hold", BANDS[0], returns=two_folds(0), scores=(1.0, 0.0))
    other = make_sweep("other")
    for number, sweep in enumerate((made, other)):
        sweep.finished("agent=hold", BANDS[1], returns=two_folds(1), scores=(0.5, 50.0 * number))
    other.finished("agent=hold", BANDS[0], returns=two_folds(0), scores=(1.0, 0.0))
    firsts = [chosen_of(sweep.worlds()[0]).trials[0].key for sweep in (made, other)]
    assert firsts[0] == firsts[1]


def test_no_validation_date_of_a_choice_lies_in_a_test_it_is_judged_on(made):
    edge(made, 0.1, others=2)
    (world,) = made.worlds()
    chosen_of(world)
    for trial in world.trials:
        for judged_on, (_, first, _) in enumerate(world.tests):
            for fold in trial.folds[: judged_on + 1]:
                assert fold.validation[1] < first


def test_a_validation_that_reaches_into_its_test_is_refused():
    tests = [(w["test"]["first_session"], w["test"]["last_session"]) for w in windows()]
    sound = [(w["validation"]["first_session"], w["validation"]["last_session"]) for w in windows()]
    refuse_future_validation(sound, tests)
    with pytest.raises(DataError, match="order the windows"):
        refuse_future_validation([sound[0], (sound[1][0], tests[1][0])], tests)
    with pytest.raises(DataError, match="order the windows"):
        refuse_future_validation(sound[::-1], tests[::-1])


def test_names_say_only_what_differs():
    settings = [
        {"kinds": {"reward": "dsr", "agent": "sac"}, "reward": {"eta": 0.01}, "a": 1},
        {"kinds": {"reward": "dsr", "agent": "sac"}, "reward": {"eta": 0.02}, "a": 1},
        {"kinds": {"reward": "net_return", "agent": "sac"}, "reward": {}, "a": 1},
    ]
    assert labels(settings, "alone") == [
        "reward=dsr reward.eta=0.01", "reward=dsr reward.eta=0.02", "reward=net_return",
    ]  # fmt: skip
    assert labels(settings[:1], "alone") == ["alone"]
