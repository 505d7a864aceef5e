"""What a session is played with is settled when it is opened, and not asked again."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from intraday_rl.config import compose_plan, reload, saved
from intraday_rl.errors import ConfigError, ModelError
from intraday_rl.live.clock import ReplayClock
from intraday_rl.live.journal import Journal
from intraday_rl.live.setting import JOURNAL, opened_with, sessions_folder, setting_of, unclosed
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


def opened(model: str) -> tuple[str, dict]:
    return "opened", {"model": model, "stops_before": 0, **ACCOUNT}


def test_a_session_that_was_opened_names_its_model_and_another_day_does_not(tmp_path):
    plan = plan_of(tmp_path, "task.model=latest")
    assert opened_with(plan, plan.task, MONDAY) is None
    written(plan, MONDAY, opened("bundles/one"))
    assert opened_with(plan, plan.task, MONDAY) == "bundles/one"
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
