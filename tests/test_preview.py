"""A dry run: the resolved windows with coverage, for eyes and for programs."""

from __future__ import annotations

import json

import pytest

from intraday_rl.config import compose_plan
from intraday_rl.preview import print_preview

FOLDS = (
    "[{train_start: '2018-01-01', train_end: '2019-12-31',"
    " test_start: '2020-01-01', test_end: '2020-06-30'}]"
)
WINDOWS = {
    "canonical": ["windows=canonical"],
    "auto": ["windows=auto", "windows.train_size=1 year", "windows.mode=rolling"],
    "explicit": ["windows=explicit", f"windows.folds={FOLDS}"],
    "final_fit": ["task=final_fit", "task.until='2020-12-31'"],
}
SPAN = {"start", "end", "first_session", "last_session", "sessions"}


def preview(capsys, *overrides: str) -> str:
    assert print_preview([("", compose_plan(["dry_run=true", *overrides]))]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", WINDOWS)
def test_the_json_of_a_dry_run_has_every_window_with_its_spans_and_coverage(kind, capsys):
    content = json.loads(preview(capsys, "format=json", *WINDOWS[kind]))
    assert set(content) == {"windows", "notes"}
    assert "synthetic bars: not the prices of any market" in content["notes"]
    for window in content["windows"]:
        has_test = kind != "final_fit"
        assert (window["test"] is not None) == has_test
        for name in ("train", "validation", *(["test"] if has_test else [])):
            assert set(window[name]) == SPAN
            assert window["coverage"][name]["sessions_found"] == window[name]["sessions"]
        assert window["train"]["end"] == window["validation"]["end"]  # validation included
        assert window["fit_last_session"] < window["validation"]["first_session"]


def test_the_canonical_windows_have_their_dates_and_counts(capsys):
    windows = json.loads(preview(capsys, "format=json"))["windows"]
    assert [window["name"] for window in windows] == [
        f"{year}-01-01_{year}-12-31" for year in (2021, 2022, 2023)
    ]
    assert [window["train"]["start"] for window in windows] == ["2018-01-01"] * 3
    assert [window["train"]["end"] for window in windows] == [
        "2020-12-31",
        "2021-12-31",
        "2022-12-31",
    ]
    assert [window["test"]["sessions"] for window in windows] == [252, 251, 250]
    assert [window["validation"]["sessions"] for window in windows] == [126] * 3


@pytest.mark.parametrize("kind", ["canonical", "final_fit"])
def test_the_table_of_a_dry_run_names_windows_coverage_and_that_nothing_happened(kind, capsys):
    text = preview(capsys, *WINDOWS[kind])
    for heading in ("window", "train", "fit to", "validation", "test", "missing bars"):
        assert heading in text
    assert ("none" in text) == (kind == "final_fit")
    assert "dry run: nothing was trained, nothing was written" in text


def test_a_clipped_window_is_said_aloud(capsys):
    clipped = ["windows.on_missing=clip", "data.end='2022-06-30'"]
    assert "(clipped)" in preview(capsys, *clipped)
    notes = json.loads(preview(capsys, "format=json", *clipped))["notes"]
    assert any("is clipped" in note for note in notes)
    assert any("is dropped" in note for note in notes)


def test_real_bars_are_previewed_with_their_coverage(capsys, real_data):
    path = f"data.path={real_data}/SPY_15min_2018_2025.parquet"
    given = ["symbol=SPY", "data=parquet", path, "data.bar_label=start"]
    windows = json.loads(preview(capsys, "format=json", *given))["windows"]
    assert [window["test"]["sessions"] for window in windows] == [252, 251, 250]
    assert windows[0]["coverage"]["train"]["equal_open_share"] > 0.5
