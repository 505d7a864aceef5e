"""What a session is played with is settled when it is opened, and not asked again."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from intraday_rl.config import compose_plan, reload, saved
from intraday_rl.errors import ConfigError, DataError, ModelError
from intraday_rl.live import task
from intraday_rl.live.clock import ReplayClock
from intraday_rl.live.days import JOURNAL, unclosed
from intraday_rl.live.journal import Journal
from intraday_rl.live.setting import opened_with, sessions_folder, setting_of
from intraday_rl.outcome import Context
from tests.live.conftest import BARS, WINDOW

MONDAY, TUESDAY = date(2021, 8, 9), date(2021, 8, 10)
TIME = "2021-08-09T13:15:00+00:00"
ACCOUNT = {"equity": 100_000.0, "moment_a": 0.0, "moment_b": 0.0}


def plan_of(folder, *more):
    return compose_plan(
        [
            *BARS,
            f"paths.outputs={folder}",
            f"paths.state={folder}/state",
            "task=paper",
            "task.feed=file",
            f"task.feed_folder={folder}",
            "task.feed_bar_label=start",
            "task.agent=alpha",
            *more,
        ]
    )


def written(plan, day: date, *events: tuple[str, dict]) -> None:
    with Journal(sessions_folder(plan) / "alpha" / str(day) / JOURNAL) as journal:
        for event, values in events:
            journal.write(event, TIME, **values)


def opened(model: str, broker: str = "paper") -> tuple[str, dict]:
    return "opened", {"model": model, "broker": broker, "stops_before": 0, **ACCOUNT}


def test_a_session_that_was_opened_names_its_model_and_another_day_does_not(tmp_path):
    plan = plan_of(tmp_path, "task.model=latest")
    assert opened_with(plan, plan.task, MONDAY) is None
    written(plan, MONDAY, opened("bundles/one"))
    assert opened_with(plan, plan.task, MONDAY)["model"] == "bundles/one"
    assert opened_with(plan, plan.task, TUESDAY) is None


def test_a_session_is_unclosed_from_its_first_line_to_its_last(tmp_path):
    plan = plan_of(tmp_path, "task.model=latest")
    folder = sessions_folder(plan) / "alpha"
    (folder / str(date(2021, 8, 6))).mkdir(parents=True)  # begun, killed before its first line
    written(plan, MONDAY, opened("one"))
    written(plan, TUESDAY, opened("one"), ("closed", ACCOUNT))
    wednesday = date(2021, 8, 11)
    assert unclosed(folder, wednesday) == [MONDAY]
    assert unclosed(folder, MONDAY) == []
    written(plan, MONDAY, ("closed", ACCOUNT))
    assert unclosed(folder, wednesday) == []


def test_a_session_goes_on_with_the_broker_that_has_its_orders(tmp_path):
    plan = plan_of(tmp_path, "task.model=latest")
    written(plan, MONDAY, opened("one", "alpaca"))
    with pytest.raises(ConfigError, match=r"task\.broker=paper: the session of 2021-08-09 was op"):
        model_of(plan, MONDAY)


def model_of(plan, day: date):
    clock = ReplayClock(pd.Timestamp(day, tz="America/New_York"))
    return setting_of(plan, Context(saved(plan), [], reload), clock, day).model.bundle.folder


@pytest.mark.slow("paper")
def test_a_session_begun_again_keeps_the_model_although_latest_means_another_by_now(
    trained, tmp_path
):
    outputs, key = trained
    plan = plan_of(tmp_path, f"task.model='{outputs}/runs/{key}/folds/{WINDOW}/seed=0/bundle'")
    bundle = model_of(plan, MONDAY)
    changed = plan_of(tmp_path, "task.model=nothing-of-this-name")
    with pytest.raises(ModelError, match="nothing-of-this-name"):
        model_of(changed, MONDAY)
    written(changed, MONDAY, opened(str(bundle)))
    assert model_of(changed, MONDAY) == bundle
    with pytest.raises(ModelError, match="nothing-of-this-name"):
        model_of(changed, TUESDAY)


@pytest.mark.slow("paper")
def test_an_account_that_is_ruined_opens_no_session_and_says_so(trained, tmp_path):
    outputs, key = trained
    plan = plan_of(tmp_path, f"task.model='{outputs}/runs/{key}/folds/{WINDOW}/seed=0/bundle'")
    clock = ReplayClock(pd.Timestamp(TUESDAY, tz="America/New_York"))
    written(plan, MONDAY, opened("one"), ("closed", {**ACCOUNT, "equity": 90_000.0}))
    setting = setting_of(plan, Context(saved(plan), [], reload), clock, TUESDAY)
    assert setting.opening().equity == 90_000.0
    written(plan, TUESDAY, opened(str(setting.model.bundle.folder)))
    written(plan, TUESDAY, ("closed", {**ACCOUNT, "equity": 900.0}))
    wednesday = date(2021, 8, 11)
    with pytest.raises(ConfigError, match=r"task\.agent=alpha: its account is ruined: 900\.00 USD"):
        setting_of(plan, Context(saved(plan), [], reload), clock, wednesday).opening()


@pytest.mark.slow("paper")
def test_a_day_that_is_over_and_a_folder_that_is_none_are_refused_and_use_up_no_day(
    trained, tmp_path
):
    outputs, key = trained
    model = f"task.model='{outputs}/runs/{key}/folds/{WINDOW}/seed=0/bundle'"
    over = plan_of(tmp_path, model, f"task.day='{MONDAY}'")
    with pytest.raises(DataError, match=r"task\.day=2021-08-09: that session is over"):
        task.run(over, Context(saved(over), [], reload))
    clock = "task.clock.start='2021-08-09 09:20'"
    nowhere = plan_of(
        tmp_path, model, f"task.day='{MONDAY}'", clock, f"task.feed_folder={tmp_path}/x"
    )
    with pytest.raises(ConfigError, match=r"task\.feed_folder=\S+/x: is no folder"):
        task.run(nowhere, Context(saved(nowhere), [], reload))
    journals = (sessions_folder(over) / "alpha").glob(f"*/{JOURNAL}")
    assert not any(file.read_bytes() for file in journals)
