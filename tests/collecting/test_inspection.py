"""An inspection finds what would spoil a night of training: holes, shifts, labels, adjustments."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from intraday_rl.collecting.inspection.by_month import months_table, sessions_table
from intraday_rl.collecting.inspection.comparison import compare
from intraday_rl.collecting.inspection.findings import comparison_lines
from intraday_rl.config import compose_plan
from intraday_rl.entry.job import run_plan
from intraday_rl.market.files import BarLabel, FileData
from intraday_rl.market.sources import load

NEW_YORK = "America/New_York"


def lines(ours: pd.DataFrame, theirs: pd.DataFrame) -> str:
    return "\n".join(comparison_lines(compare(ours, theirs)))


def noisy(rows: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    """Another vendor's prices of the same trades."""
    random = np.random.default_rng(seed)
    scale = np.exp(random.normal(0, 1e-4, len(rows)))
    return rows.assign(close=rows["close"] * scale, open=rows["open"] * scale)


def test_two_recordings_of_the_same_trades_agree(rows):
    ours = rows("2021-09-01", "2022-02-28")
    found = compare(ours, noisy(ours))
    assert set(found.shifts.values()) == {0}
    assert found.bars_common == len(ours)
    assert (found.bars_only_here, found.bars_only_there, found.level_steps) == (0, 0, {})
    assert found.return_correlation > 0.98
    assert "the same clock" in lines(ours, noisy(ours))


@pytest.mark.parametrize(
    "minutes",
    [60, -15, *(pytest.param(one, marks=pytest.mark.slow("bars")) for one in (-60, 300, 15, 75))],
)
def test_a_shift_of_the_clock_is_found_with_its_size_and_its_meaning(rows, minutes):
    ours = rows("2021-09-01", "2022-02-28")
    theirs = noisy(ours).assign(timestamp=ours["timestamp"] + pd.Timedelta(minutes=minutes))
    found = compare(ours, theirs)
    assert set(found.shifts.values()) == {minutes}
    assert found.return_correlation > 0.98
    meaning = {15: "stamped by the start", 60: "whole hours", 300: "whole hours"}
    assert meaning.get(abs(minutes), "may both be wrong") in lines(ours, theirs)


def test_a_clock_without_summer_time_is_wrong_in_the_summer_months_only(rows):
    ours = rows("2021-08-01", "2022-02-28")
    local = ours["timestamp"].dt.tz_convert(NEW_YORK)
    summer = local.map(lambda stamp: stamp.dst()) > pd.Timedelta(0)
    theirs = noisy(ours)
    theirs["timestamp"] += pd.to_timedelta(summer * 60, unit="min")
    shifts = compare(ours, theirs).shifts
    assert {shifts[month] for month in ("2021-08", "2021-09", "2021-10")} == {60}
    assert {shifts[month] for month in ("2021-12", "2022-01", "2022-02")} == {0}


def test_a_split_that_only_one_side_knows_is_a_step_of_the_level(rows):
    ours = rows("2021-09-01", "2022-02-28")
    theirs = noisy(ours)
    before = theirs["timestamp"] < pd.Timestamp("2022-01-13", tz=NEW_YORK)
    theirs.loc[before, ["open", "close"]] *= 2.0
    steps = compare(ours, theirs).level_steps
    assert list(steps) == ["2022-01-13"]
    assert steps["2022-01-13"] == pytest.approx(0.5, rel=1e-3)


def test_a_dividend_is_a_small_step_and_noise_is_none(rows):
    ours = rows("2021-09-01", "2022-02-28")
    theirs = noisy(ours)
    theirs.loc[
        theirs["timestamp"] < pd.Timestamp("2021-12-20", tz=NEW_YORK), ["open", "close"]
    ] *= 0.997
    steps = compare(ours, theirs).level_steps
    assert list(steps) == ["2021-12-20"]


def test_different_bar_lengths_are_compared_at_the_longer(rows):
    fine = rows("2021-09-01", "2021-12-31", 5)
    slot = fine["timestamp"].dt.floor("15min")
    coarse = fine.groupby(slot).agg({"open": "first", "close": "last"}).reset_index()
    found = compare(fine, coarse)
    assert found.bar_minutes == 15
    assert found.return_correlation == pytest.approx(1.0)
    assert found.return_difference_bps == pytest.approx((0.0, 0.0), abs=1e-6)


def test_the_months_of_a_year_count_sessions_half_days_and_holes(tmp_path, rows):
    bars = rows("2021-01-04", "2021-12-31")
    local = bars["timestamp"].dt.tz_convert(NEW_YORK)
    day = local.dt.strftime("%Y-%m-%d")
    holes = (day == "2021-03-10") | ((day == "2021-04-07") & (local.dt.hour == 12))
    holed = bars[~holes]
    holed.loc[day == "2021-05-05", "volume"] = 0.0
    holed.to_parquet(tmp_path / "x.parquet")
    data = FileData(path=str(tmp_path / "x.parquet"), bar_label=BarLabel.start)
    table = months_table(load(data, "TQQQ", None).symbol)
    assert table.loc["2021-03", ["sessions_expected", "sessions_found"]].tolist() == [23, 22]
    assert table.loc["2021-04", ["sessions_short", "bars_missing"]].tolist() == [1, 4]
    assert table.loc["2021-05", "zero_volume_share"] == pytest.approx(26 / (20 * 26))
    assert table.loc["2021-11", "half_days"] == 1
    sessions = sessions_table(load(data, "TQQQ", None).symbol)
    assert sessions.loc["2021-03-10", "share"] == 0.0
    assert sessions.loc["2021-04-07", "share"] == pytest.approx(22 / 26)


def inspect(tmp_path, *more: str) -> int:
    overrides = [
        "task=inspect", "tracking=none", f"paths.outputs={tmp_path}/outputs",
        f"paths.state={tmp_path}/state", *more,
    ]  # fmt: skip
    return run_plan(compose_plan(overrides), overrides).code


def test_an_inspection_shows_and_keeps_what_it_found(tmp_path, rows, capsys):
    bars = rows("2021-01-04", "2021-12-31")
    bars.drop(index=range(100, 126)).to_parquet(tmp_path / "TQQQ.parquet")
    given = ["data=parquet", f"data.path={tmp_path}/TQQQ.parquet", "data.bar_label=start"]
    assert inspect(tmp_path, *given, "data.on_bad_session=drop") == 0
    shown = capsys.readouterr().out
    assert "2021-01: 1 sessions absent" in shown or "short" in shown
    assert "window 2021-01-01_2021-12-31" in shown
    assert "without the" in shown  # the canonical windows begin in 2018
    (folder,) = (tmp_path / "outputs" / "inspections").iterdir()
    assert {path.name for path in folder.iterdir()} == {
        "months.csv", "inspection.json", "coverage.png",
    }  # fmt: skip
    content = json.loads((folder / "inspection.json").read_text())
    assert content["months"]["2021-06"]["sessions_found"] == 22


@pytest.mark.slow("bars")
def test_a_file_that_is_refused_is_still_compared_with_the_one_that_is_right(
    tmp_path, real_data, capsys
):
    """The acceptance: shifted by an hour, and stamped by its end, against the file as it is."""
    original = pd.read_parquet(real_data / "SPY_15min_2018_2025.parquet")
    year = original[original["timestamp"].dt.year == 2022]
    right = tmp_path / "right.parquet"
    year.to_parquet(right)
    common = ["symbol=SPY", "data=parquet", "data.bar_label=start", f"task.against={right}"]
    for name, minutes, code, meaning in (
        ("shifted", 60, 3, "whole hours"),
        ("ends", 15, 3, "stamped by the start, the other by the end"),
    ):
        wrong = tmp_path / f"{name}.parquet"
        moved = year.assign(timestamp=year["timestamp"] + pd.Timedelta(minutes=minutes))
        moved.to_parquet(wrong)
        assert inspect(tmp_path, *common, f"data.path={wrong}") == code
        shown = capsys.readouterr().out
        assert "these bars would be refused" in shown
        assert meaning in shown
        assert f"{minutes} minutes earlier" in shown


@pytest.mark.slow("bars")
def test_the_other_files_label_and_zone_can_be_said(tmp_path, rows, capsys):
    bars = rows("2021-09-01", "2021-12-31")
    bars.to_parquet(tmp_path / "one.parquet")
    ends = bars["timestamp"] + pd.Timedelta(minutes=15)
    naive = ends.dt.tz_convert(NEW_YORK).dt.tz_localize(None)
    bars.assign(timestamp=naive.astype(str)).to_csv(tmp_path / "other.csv", index=False)
    given = ["data=parquet", f"data.path={tmp_path}/one.parquet", "data.bar_label=start",
             f"task.against={tmp_path}/other.csv", f"task.against_timezone={NEW_YORK}"]  # fmt: skip
    assert inspect(tmp_path, *given, "task.against_label=end") == 0
    assert "the same clock" in capsys.readouterr().out
    assert inspect(tmp_path, *given, "task.against_label=start") == 0
    assert "15 minutes later" in capsys.readouterr().out


@pytest.mark.slow("bars")
def test_two_vendors_of_the_store_are_compared_by_name(tmp_path, rows, capsys):
    bars = rows("2021-09-01", "2021-12-31")
    for vendor, frame in (("one", bars), ("other", noisy(bars))):
        frame.assign(
            high=frame[["open", "close", "high"]].max(axis=1),
            low=frame[["open", "close", "low"]].min(axis=1),
        ).to_parquet(tmp_path / "TQQQ.parquet")
        overrides = ["task=import", f"task.path={tmp_path}/TQQQ.parquet", f"task.vendor={vendor}",
                     "task.confirm=true", f"paths.state={tmp_path}/state", "tracking=none",
                     f"paths.outputs={tmp_path}/outputs"]  # fmt: skip
        run_plan(compose_plan(overrides), overrides)
    capsys.readouterr()
    assert inspect(tmp_path, "data=store", "data.vendor=one", "task.against=other") == 0
    assert "the same clock" in capsys.readouterr().out


def test_the_json_of_an_inspection_is_one_document(tmp_path, capsys):
    assert inspect(tmp_path, "data=synthetic", "data.end=2018-12-31", "format=json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["source"] == "synthetic"
    assert content["windows"]["2021-01-01_2021-12-31"] != ""
