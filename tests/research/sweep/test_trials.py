"""What counts as a trial, what as a world, and what is merely a repetition."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from intraday_rl.config import compose_plan, reload, saved
from intraday_rl.errors import DataError
from intraday_rl.identity import declared_world, identity_of, trial_settings
from intraday_rl.loading import resolve
from intraday_rl.research.looks import world_and_trial
from intraday_rl.research.sweep.jobs import JobStatus
from tests.research.sweep.conftest import noise, plan_of

BANDS = [f"env.action.no_trade_band={band / 100:g}" for band in range(50)]


def two_folds(seed, daily_sharpe=0.0):
    return {0: [noise(2 * seed, daily_sharpe), noise(2 * seed + 1, daily_sharpe)]}


def test_four_policies_under_two_costs_are_two_worlds_of_four_trials(made):
    for cost in ("env/slippage=none", "env/slippage=bps"):
        for number, band in enumerate(BANDS[:4]):
            made.finished("agent=hold", cost, band, returns=two_folds(number))
    worlds = made.worlds()
    assert [world.count for world in worlds] == [4, 4]
    assert {trial.key for trial in worlds[0].trials} == {trial.key for trial in worlds[1].trials}


@pytest.mark.slow("sweep")
def test_fifty_no_trade_bands_are_fifty_trials_of_one_world(made):
    for number, band in enumerate(BANDS):
        made.finished("agent=hold", band, returns=two_folds(number))
    (world,) = made.worlds()
    assert world.count == 50
    assert all(trial.has_series for trial in world.trials)


def test_a_baseline_that_is_a_job_of_the_sweep_is_a_trial(made):
    for number, agent in enumerate(("agent=hold", "agent=flat", "agent=random")):
        made.finished(agent, returns=two_folds(number))
    assert [world.count for world in made.worlds()] == [3]


def test_failed_and_abandoned_configurations_raise_the_number_of_trials(made):
    made.finished("agent=hold", BANDS[0], returns=two_folds(0))
    made.broken("agent=hold", BANDS[1])
    made.killed("agent=hold", BANDS[2])
    made.finished("agent=hold", BANDS[3], returns=two_folds(1), lost=[(0, 1)])
    made.killed()
    (world,) = made.worlds()
    assert world.count == 5
    statuses = [trial.status for trial in world.trials]
    assert statuses == [
        JobStatus.finished, JobStatus.failed, JobStatus.abandoned, JobStatus.failed,
    ]  # fmt: skip
    assert [trial.has_series for trial in world.trials] == [True, False, False, False]


def test_a_failed_job_counts_in_the_world_that_it_declares(made):
    made.finished("agent=hold", "env/slippage=none", returns=two_folds(0))
    made.finished("agent=hold", "env/slippage=bps", returns=two_folds(1))
    made.broken("agent=random", "env/slippage=bps")
    assert [world.count for world in made.worlds()] == [1, 2]
    made.broken("agent=flat", "env/slippage=cents", "env.slippage.per_share=0.02")
    assert [world.count for world in made.worlds()] == [2, 3], "its own world has no run: in all"
    made.broken("agent=hold", "env/slippage=cents", "env.slippage.per_share=0.02")
    assert [world.count for world in made.worlds()] == [2, 3], "configurations counted already"


def test_seeds_of_one_configuration_are_averaged_over_all_its_runs(make_sweep):
    sweep = make_sweep()
    series = {seed: [noise(seed), noise(10 + seed)] for seed in range(3)}
    sweep.finished("agent=random", returns={0: series[0], 1: series[1]}, scores=(1.0, 2.0))
    sweep.finished("agent=random", returns={2: series[2], 1: series[1]}, scores=(4.0, 2.0))
    (world,) = sweep.worlds()
    (trial,) = world.trials
    assert trial.seeds == (0, 1, 2)
    expected = np.mean([np.concatenate(series[seed]) for seed in range(3)], axis=0)
    np.testing.assert_allclose(trial.traded, expected)
    assert trial.folds[0].score == pytest.approx(3.0)  # 1, and twice the later run's 4


def test_a_seed_that_failed_once_and_finished_elsewhere_is_whole(made):
    both = {0: [noise(0), noise(1)], 1: [noise(2), noise(3)]}
    made.finished("agent=random", returns=both, lost=[(1, 1)])
    assert not made.worlds()[0].trials[0].has_series
    made.finished("agent=random", returns={1: both[1]})
    (trial,) = made.worlds()[0].trials
    assert trial.has_series
    assert trial.status is JobStatus.finished


def test_where_a_seed_abstained_its_traded_days_are_zero_and_its_raw_days_are_not(made):
    returns = {0: [noise(0), noise(1)], 1: [noise(2), noise(3)]}
    made.finished("agent=random", returns=returns, abstained=[1])
    (trial,) = made.worlds()[0].trials
    np.testing.assert_allclose(trial.traded, np.concatenate(returns[0]) / 2)
    np.testing.assert_allclose(
        trial.raw, np.mean([np.concatenate(series) for series in returns.values()], axis=0)
    )
    assert trial.folds[0].abstained == 1


@pytest.mark.slow("sweep")
@pytest.mark.parametrize(
    "override",
    ["gates.min_sharpe=1", "seeds=[7]", "tracking=none", "paths.outputs=elsewhere",
     "parallel.workers=1", "force=true", "symbol=UPRO", "env/slippage=bps",
     "env.initial_equity=5000", "data.seed=3", "data.edge=0.1"],
)  # fmt: skip
def test_what_changes_no_decision_is_no_trial(override):
    assert trial_key("agent=sac", override) == trial_key("agent=sac")


@pytest.mark.parametrize(
    "override",
    ["reward=net_return", "agent.learning_rate=0.01", "env.action.no_trade_band=0.3",
     "env/cutoff=before_close", "data.bar_minutes=30", "features=minimal",
     "selection.abstain=false", "windows.validation_sessions=60"],
)  # fmt: skip
def test_what_changes_a_decision_is_a_trial_in_the_same_world(override):
    assert trial_key("agent=sac", override) != trial_key("agent=sac")
    assert world_key("agent=sac", override) == world_key("agent=sac")


@pytest.mark.parametrize(
    "override", ["symbol=UPRO", "env/slippage=bps", "env/financing=accrual", "data.edge=0.1",
                 "env.fill=next_close", "env.initial_equity=5000"],
)  # fmt: skip
def test_what_the_policy_is_judged_in_is_a_world(override):
    assert world_key("agent=sac", override) != world_key("agent=sac")


def test_the_path_of_the_bars_and_their_length_change_no_world(real_data, tmp_path):
    file = "SPY_15min_2018_2025.parquet"
    (tmp_path / "copy.parquet").symlink_to(real_data / file)
    common = ["symbol=SPY", "data=parquet", "data.bar_label=start", "agent=hold"]
    keys = []
    for path, minutes in ((real_data / file, 15), (tmp_path / "copy.parquet", 30)):
        plan = compose_plan([*common, f"data.path={path}", f"data.bar_minutes={minutes}"])
        keys.append(world_and_trial(saved(plan), resolve(plan)))
    assert keys[0][0] == keys[1][0]
    assert keys[0][1] != keys[1][1]


def test_a_run_without_a_world_is_refused_by_name(made):
    key = made.finished("agent=hold", returns=two_folds(0))
    data = made.outputs / "runs" / key / "data.json"
    data.write_text(data.read_text("utf-8").replace('"world"', '"old"'), "utf-8")
    with pytest.raises(DataError, match=r"data\.json has no 'world'"):
        made.worlds()


def test_the_plans_of_made_sweeps_are_plans():
    text = yaml.safe_dump(plan_of("agent=hold"))
    assert reload(text).seeds == [0]


def trial_key(*overrides):
    plan = dict(plan_of(*overrides))
    return identity_of(trial_settings(plan.pop("kinds"), plan))


def world_key(*overrides):
    plan = dict(plan_of(*overrides))
    return identity_of(declared_world(plan.pop("kinds"), plan))
