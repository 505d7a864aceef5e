"""A job from bars to verdict: what it writes, what it repeats, what happens when a fold fails."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from intraday_rl.config import compose_plan
from intraday_rl.dataset import open_dataset
from intraday_rl.errors import DataError
from intraday_rl.records import read_json
from intraday_rl.research import fold_work, workers
from intraday_rl.research.evaluation import NEW_YORK
from intraday_rl.trading.ledger import read_ledger


def windows_of(folder):
    return [read_json(path) for path in sorted(folder.path.glob("folds/*/window.json"))]


def test_every_test_session_is_in_the_ledgers_flat_and_logged(random_walk):
    outcome, folder = random_walk
    assert outcome.code == 0
    for window in windows_of(folder):
        place = folder.fold(window["window"]["name"])
        ledger = read_ledger(place.ledger)
        sessions = window["window"]["test"]["sessions"]
        for _, account in ledger.groupby("seed"):
            last = account.groupby("session").tail(1)
            assert len(last) == sessions
            assert last["forced_exit"].all()
            assert (last["shares_after"] == 0).all()
            times = last["bar_end"].dt.tz_convert(NEW_YORK).dt.strftime("%H:%M")
            assert set(times) <= {"15:45", "12:45"}
        lines = place.evaluation_log.read_text().splitlines()
        assert len(lines) == 2 * sessions
        assert all("forced_exit=True" in line and "New York" in line for line in lines)
        assert window["exits"]["flat_at_every_close"] is True
        assert sum(window["exits"]["by_new_york_time"].values()) == 2 * sessions


def test_the_score_is_the_first_folds_validation_never_a_test_score(held):
    outcome, folder = held
    first = windows_of(folder)[0]
    assert outcome.score == first["validation_score"]
    assert outcome.score != first["test"]["raw"]["sharpe"]


def test_holding_is_its_own_baseline(held):
    _, folder = held
    for window in windows_of(folder):
        assert window["test"]["raw"]["sharpe"] == window["baselines"]["hold"]["sharpe"]
        assert window["test"]["against_hold_daily"]["estimate"] == 0.0
        assert window["verdict"] == "no_edge"


def test_a_policy_that_never_trades_is_said_to(job):
    _, folder = job("agent=flat")
    assert read_json(folder.verdict)["verdict"] == "no_trades"
    for window in windows_of(folder):
        assert window["verdict"] == "no_trades"
        assert window["test"]["raw"]["sharpe"] is None
        assert window["costs"]["total"] == 0.0
        assert window["actions"]["counts"][5] == sum(window["actions"]["counts"])


@pytest.mark.slow("truth")
def test_costs_reach_the_result(job):
    _, cheap = job("agent=hold", "env/slippage=none", "env/commission=zero", "env/fees=none")
    _, dear = job("agent=hold", "env/slippage=bps", "env.slippage.bps=10")
    assert windows_of(cheap)[0]["costs"]["total"] == 0.0
    lost = [
        a["test"]["raw"]["mean_daily_bps"] - b["test"]["raw"]["mean_daily_bps"]
        for a, b in zip(windows_of(cheap), windows_of(dear), strict=True)
    ]
    assert all(20.0 < one < 28.0 for one in lost)


def test_the_second_run_repeats_nothing(job, monkeypatch):
    _, folder = job("agent=hold")
    before = {p: p.stat().st_mtime_ns for p in folder.path.rglob("result.json")}

    def refuse(*_):
        raise AssertionError("a finished fold was fitted again")

    monkeypatch.setattr(workers, "run_fold_job", refuse)
    outcome, again = job("agent=hold")
    assert again.path == folder.path
    assert outcome.code == 0
    assert {p: p.stat().st_mtime_ns for p in folder.path.rglob("result.json")} == before


@pytest.mark.slow("main")
def test_force_does_it_all_again_with_the_same_result(job):
    _, folder = job("agent=random")
    first = {p: p.read_bytes() for p in folder.path.rglob("*.parquet")}
    before = {p: p.stat().st_mtime_ns for p in folder.path.rglob("result.json")}
    job("agent=random", "force=true")
    assert {p: p.read_bytes() for p in folder.path.rglob("*.parquet")} == first
    assert all(p.stat().st_mtime_ns > then for p, then in before.items())


def test_a_fold_that_fails_is_failed_never_zeros_and_the_others_go_on(job, monkeypatch):
    real = fold_work.fold_result

    def fail_first(one, *rest):
        if one.window.name.startswith("2021-07"):
            raise DataError("planted failure")
        return real(one, *rest)

    monkeypatch.setattr(fold_work, "fold_result", fail_first)
    outcome, folder = job("agent=hold")
    assert outcome.code == 1
    assert np.isnan(outcome.score)
    verdicts = [window["verdict"] for window in windows_of(folder)]
    assert verdicts == ["failed", "no_edge"]
    assert windows_of(folder)[0]["test"] == {}
    failed = next(folder.path.glob("folds/2021-07*/seed=0/error.txt"))
    assert "planted failure" in failed.read_text()
    assert read_json(folder.verdict)["verdict"] == "failed"
    monkeypatch.setattr(fold_work, "fold_result", real)
    outcome, again = job("agent=hold")
    assert outcome.code == 0
    assert again.path == folder.path
    assert not failed.exists()


def test_gates_mark_and_never_hide(job):
    _, folder = job("agent=hold", "gates.min_trades=1", "gates.min_sharpe=99")
    for window in windows_of(folder):
        assert window["gates"]["min_trades"]["passed"] is True
        assert window["gates"]["min_sharpe"]["passed"] is False
        assert window["verdict"] == "no_edge"


@pytest.mark.slow("truth")
def test_an_abstained_fold_is_flat_as_traded_and_raw_in_its_own_ledger(learned):
    _, folder = learned
    windows = windows_of(folder)
    abstained = [w for w in windows if w["seeds"]["0"]["abstained"]]
    assert abstained, "a policy trained for seconds on noise has nothing to show"
    stitched = read_ledger(folder.stitched_ledger)
    for window in abstained:
        name = window["window"]["name"]
        assert window["verdict"] == "abstained"
        assert window["test"]["as_traded"]["total_return"] == 0.0
        assert (stitched.loc[stitched["fold"] == name, "shares_traded"] == 0).all()
        assert (read_ledger(folder.fold(name).ledger)["shares_traded"] != 0).any()


def test_baselines_never_abstain(held):
    assert not any(w["seeds"]["0"]["abstained"] for w in windows_of(held[1]))
    assert all(w["seeds"]["0"]["abstention"] is None for w in windows_of(held[1]))


def test_the_stitched_series_is_the_folds_one_after_the_other(random_walk):
    _, folder = random_walk
    verdict = read_json(folder.verdict)
    stitched = read_ledger(folder.stitched_ledger)
    daily = [
        account.groupby(["fold", "session"])["equity_after"].last()
        / account.groupby(["fold", "session"])["equity_before"].first()
        - 1.0
        for _, account in stitched.groupby("seed")
    ]
    mean = pd.concat(daily, axis=1).mean(axis=1)
    assert mean.to_numpy() == pytest.approx(verdict["daily_returns"]["as_traded"])
    assert [str(day.date()) for day in mean.index.get_level_values("session")] == verdict["dates"]


def test_a_seed_more_keeps_the_seeds_that_are_there(job, random_walk):
    _, one = job("agent=random", "seeds=[0]")
    _, two = random_walk
    name = windows_of(one)[0]["window"]["name"]
    single = read_ledger(one.fold(name).ledger)
    both = read_ledger(two.fold(name).ledger)
    pd.testing.assert_frame_equal(single, both[both["seed"] == 0].reset_index(drop=True))


def test_a_fold_without_volume_refuses_the_impact_model_by_name(real_data, tmp_path):
    plan = compose_plan([
        "symbol=SPY", "data=parquet", f"data.path={real_data / 'SPY_15min_2018_2025.parquet'}",
        "data.bar_label=start", "env/impact=square_root", f"paths.outputs={tmp_path}",
    ])  # fmt: skip
    with pytest.raises(DataError, match=r"env\.impact.*volume"):
        open_dataset(plan)


def test_an_impact_model_charges_when_there_is_volume(job):
    _, folder = job("agent=hold", "env/impact=square_root")
    assert all(window["costs"]["impact"] > 0 for window in windows_of(folder))


@pytest.mark.slow("truth")
def test_abstention_can_be_switched_off(job):
    _, folder = job(
        "selection.abstain=false", "agent.net_arch=[8]", "agent.batch_size=32",
        "agent.total_timesteps=320", "agent.learning_starts=64", "agent.eval_freq=160",
        "agent.n_envs=8", "windows.allow_partial_last=false",
    )  # fmt: skip
    for window in windows_of(folder):
        assert window["seeds"]["0"]["abstained"] is False
        assert window["seeds"]["0"]["abstention"] is not None
