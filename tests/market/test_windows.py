"""The only splitter: what learns, what chooses and what judges never share a session."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.market import offsets, window_parts
from intraday_rl.market.calendar import sessions
from intraday_rl.market.offsets import Offset, parse_offset, shift
from intraday_rl.market.windows import (
    AutoMode,
    AutoWindows,
    CanonicalWindows,
    ExplicitWindows,
    OnMissing,
    Window,
    choice_folds,
    describe,
    final_fit_window,
    resolve,
    resolve_with_notes,
)


def days(first: str, last: str) -> pd.DatetimeIndex:
    table = sessions(date.fromisoformat(first), date.fromisoformat(last))
    return pd.DatetimeIndex(table.index)


def fold(*dates: str) -> dict[str, str]:
    return dict(zip(("train_start", "train_end", "test_start", "test_end"), dates, strict=True))


SIX_YEARS = days("2018-01-01", "2023-12-31")


def test_the_examples_in_the_docstrings_are_true() -> None:
    for module in (window_parts, offsets):
        outcome = doctest.testmod(module)
        assert outcome.attempted > 0
        assert outcome.failed == 0


def test_canonical_windows_test_252_251_and_250_sessions() -> None:
    windows = resolve(CanonicalWindows(), SIX_YEARS)
    assert [w.name for w in windows] == [
        "2021-01-01_2021-12-31",
        "2022-01-01_2022-12-31",
        "2023-01-01_2023-12-31",
    ]
    assert [w.test.count for w in windows if w.test] == [252, 251, 250]
    assert [w.train.count for w in windows] == [756, 1008, 1259]
    assert all(w.train.start == date(2018, 1, 1) and not w.clipped for w in windows)
    assert all(w.train.first_session == date(2018, 1, 2) for w in windows)


def test_a_validation_of_canonical_windows_lies_inside_the_test_before() -> None:
    first, second, _ = resolve(CanonicalWindows(), SIX_YEARS)
    assert first.test is not None
    assert set(second.validation.sessions) < set(first.test.sessions)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_a_choice_for_a_fold_uses_no_validation_date_that_its_test_holds_or_precedes(
    k: int,
) -> None:
    windows = resolve(CanonicalWindows(), SIX_YEARS)
    used = choice_folds(windows, k)
    judged_on = windows[k].test
    assert used == list(range(k + 1))
    assert judged_on is not None
    assert max(day for i in used for day in windows[i].validation.sessions) < judged_on.start
    if k < 2:
        assert max(windows[k + 1].validation.sessions) > judged_on.start


def test_a_choice_from_windows_out_of_order_is_refused() -> None:
    first, second, third = resolve(CanonicalWindows(), SIX_YEARS)
    with pytest.raises(DataError, match="not before the test"):
        choice_folds([second, first, third], 1)
    with pytest.raises(IndexError):
        choice_folds([first], -1)
    with pytest.raises(DataError, match="no test"):
        choice_folds([final_fit_window(date(2023, 12, 31), SIX_YEARS, 126, 1)], 0)


def test_the_odd_validation_session_goes_to_the_half_that_scores() -> None:
    window = resolve(CanonicalWindows(validation_sessions=125), SIX_YEARS)[0]
    halves = window.validation_first_half, window.validation_second_half
    assert [len(half) for half in halves] == [62, 63]
    assert halves[0] + halves[1] == window.validation.sessions


def test_an_uncovered_window_is_refused_with_its_coverage_and_remedy() -> None:
    with pytest.raises(DataError) as refused:
        resolve(CanonicalWindows(), days("2020-07-27", "2023-11-30"))
    text = str(refused.value)
    assert "3 of 3" in text
    assert "train 2018-01-01 to 2020-12-31 (111 of 756 sessions)" in text
    assert "first session 2018-01-02" in text
    assert "last session 2023-12-29" in text
    assert "data: 844 sessions, 2020-07-27 to 2023-11-30" in text
    assert "windows=auto" in text
    assert "windows.on_missing=clip" in text


def test_only_the_border_sessions_decide_whether_a_window_is_covered() -> None:
    holed = SIX_YEARS.drop([pd.Timestamp("2020-12-31"), pd.Timestamp("2021-06-01")])
    windows = resolve(CanonicalWindows(), holed)
    assert windows[0].train.count == 755
    assert windows[0].test is not None
    assert windows[0].test.count == 251
    with pytest.raises(DataError, match="1 of 3"):
        resolve(CanonicalWindows(), SIX_YEARS.drop([pd.Timestamp("2022-12-30")]))


def test_clipping_keeps_the_declared_dates_and_says_what_it_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    part = CanonicalWindows(on_missing=OnMissing.clip)
    available = days("2020-07-27", "2023-11-30")
    windows, notes = resolve_with_notes(part, available)
    assert [w.name[:4] for w in windows] == ["2022", "2023"]
    assert all(w.clipped for w in windows)
    assert windows[0].train.start == date(2018, 1, 1)
    assert windows[0].train.first_session == date(2020, 7, 27)
    assert windows[1].test is not None
    assert windows[1].test.end == date(2023, 12, 31)
    assert windows[1].test.last_session == date(2023, 11, 30)
    assert "2021-01-01_2021-12-31 is dropped, too few sessions to fit" in notes[0]
    assert "is clipped" in notes[1]
    assert resolve(part, available) == windows
    assert [record.getMessage() for record in caplog.records] == list(notes)


def test_zero_folds_are_refused_always() -> None:
    short = days("2025-01-01", "2025-06-30")
    parts = (
        CanonicalWindows(on_missing=OnMissing.clip),
        AutoWindows(),
        AutoWindows(on_missing=OnMissing.clip, allow_partial_last=True),
        ExplicitWindows(),
        ExplicitWindows(
            folds=[fold("2018-01-01", "2018-12-31", "2019-01-01", "2019-12-31")],
            on_missing=OnMissing.clip,
        ),
    )
    for part in parts:
        with pytest.raises(DataError, match="zero folds"):
            resolve(part, short)
    with pytest.raises(DataError, match="no session"):
        resolve(CanonicalWindows(), pd.DatetimeIndex([]))


def test_a_train_span_too_short_for_its_validation_is_refused_with_the_largest_that_fits() -> None:
    part = AutoWindows(train_size="4 months", test_size="1 month")
    available = days("2025-05-12", "2026-03-09")
    with pytest.raises(DataError, match=r"windows\.validation_sessions=64 or smaller"):
        resolve(part, available)
    assert len(resolve(replace(part, validation_sessions=64), available)[0].fit) == 20


def test_automatic_windows_of_months_tile_the_data_from_its_first_session() -> None:
    part = AutoWindows(train_size="4 months", test_size="1 month", validation_sessions=20)
    windows = resolve(part, days("2025-05-12", "2026-03-09"))
    assert [w.name for w in windows] == [
        "2025-09-12_2025-10-11",
        "2025-10-12_2025-11-11",
        "2025-11-12_2025-12-11",
        "2025-12-12_2026-01-11",
        "2026-01-12_2026-02-11",
    ]
    partial = resolve(replace(part, allow_partial_last=True), days("2025-05-12", "2026-03-09"))
    assert partial[:-1] == windows
    assert partial[-1].name == "2026-02-12_2026-03-11"
    assert partial[-1].clipped
    assert partial[-1].test is not None
    assert partial[-1].test.last_session == date(2026, 3, 9)


def test_borders_do_not_drift_from_an_end_of_month() -> None:
    part = AutoWindows(train_size="6 months", test_size="1 month", validation_sessions=20)
    windows = resolve(part, days("2018-01-31", "2019-01-31"))
    starts = [w.test.start.isoformat() for w in windows if w.test]
    assert starts[:4] == ["2018-07-31", "2018-08-31", "2018-09-30", "2018-10-31"]


def test_a_hole_in_the_data_moves_no_border() -> None:
    part = AutoWindows(train_size="100 sessions", test_size="20 sessions", validation_sessions=20)
    available = days("2018-01-01", "2018-12-31")
    whole = resolve(part, available)
    holed = resolve(part, available.delete([5, 50, 110]))
    assert [w.name for w in holed] == [w.name for w in whole]
    assert holed[0].train.count == 98


def test_a_longer_file_only_appends_windows() -> None:
    part = AutoWindows(train_size="1 year", test_size="3 months", validation_sessions=40)
    shorter = resolve(part, days("2018-01-01", "2021-12-31"))
    assert resolve(part, SIX_YEARS)[: len(shorter)] == shorter


automatic = st.builds(
    AutoWindows,
    mode=st.sampled_from(AutoMode),
    train_size=st.sampled_from(["5 months", "1 year", "30 weeks", "150 sessions", "200 days"]),
    test_size=st.sampled_from(["1 month", "2 weeks", "20 sessions", "31 days"]),
    step=st.sampled_from([None, "2 months", "45 sessions", "10 weeks"]),
    purge_sessions=st.integers(0, 4),
    embargo_sessions=st.integers(0, 5),
    validation_sessions=st.integers(2, 60),
    allow_partial_last=st.booleans(),
)
available_days = st.tuples(st.integers(0, 300), st.integers(660, 1509)).map(
    lambda ends: SIX_YEARS[ends[0] : ends[1]]
)


@settings(max_examples=50, deadline=None)
@given(part=automatic, available=available_days)
def test_no_session_has_two_roles_and_time_runs_from_fit_to_test(
    part: AutoWindows, available: pd.DatetimeIndex
) -> None:
    windows = resolve(part, available)
    tested: list[date] = []
    for window in windows:
        assert window.test is not None
        assert len(window.fit) >= 20
        train, validation = window.train.sessions, window.validation.sessions
        embargo = train[len(window.fit) : len(window.fit) + part.embargo_sessions]
        assert window.fit + embargo + validation == train
        assert len(validation) == part.validation_sessions
        assert len(embargo) == part.embargo_sessions
        in_time = [*train, *window.test.sessions]
        assert in_time == sorted(set(in_time))
        expected = sessions(train[-1], window.test.first_session).index
        assert len(expected) - 2 == part.purge_sessions
        assert window.train.start <= train[0] <= train[-1] <= window.train.end
        assert window.test.start <= window.test.first_session
        assert {pd.Timestamp(day) for day in in_time} <= set(available)
        tested += window.test.sessions
    assert tested == sorted(set(tested))
    starts = [window.train.start for window in windows]
    if part.mode is AutoMode.anchored:
        assert set(starts) == {available[0].date()}
    else:
        assert starts == sorted(set(starts))
    for k in range(len(windows)):
        assert choice_folds(windows, k) == list(range(k + 1))


@settings(max_examples=40, deadline=None)
@given(
    train=st.integers(60, 200),
    test=st.integers(5, 40),
    extra=st.integers(0, 20),
    purge=st.integers(0, 3),
    mode=st.sampled_from(AutoMode),
)
def test_windows_counted_in_sessions_have_the_declared_lengths_and_steps(
    train: int, test: int, extra: int, purge: int, mode: AutoMode
) -> None:
    part = AutoWindows(
        mode=mode,
        train_size=f"{train} sessions",
        test_size=f"{test} sessions",
        step=f"{test + extra} sessions",
        purge_sessions=purge,
        validation_sessions=20,
    )
    order = {stamp.date(): number for number, stamp in enumerate(SIX_YEARS)}
    windows = resolve(part, SIX_YEARS)
    for number, window in enumerate(windows):
        moved = number * (test + extra)
        rolling = mode is AutoMode.rolling
        assert window.test is not None
        assert window.test.count == test
        assert order[window.test.first_session] == train + purge + moved
        assert window.train.count == (train if rolling else train + moved)
        assert order[window.train.first_session] == (moved if rolling else 0)
    left = len(SIX_YEARS) - (train + purge + test + (len(windows) - 1) * (test + extra))
    assert 0 <= left < test + extra


def test_a_step_shorter_than_the_test_is_refused() -> None:
    part = AutoWindows(test_size="2 months", step="20 sessions")
    with pytest.raises(ConfigError, match="step=20 sessions"):
        resolve(part, SIX_YEARS)


@pytest.mark.parametrize(
    ("folds", "key"),
    [
        ([fold("2018-01-01", "2019-12-31", "2019-12-31", "2020-12-31")], "folds[0].test_start"),
        ([fold("2018-01-01", "2017-12-31", "2020-01-01", "2020-12-31")], "folds[0].train_end"),
        ([fold("2018-01-01", "2019-12-31", "2020-12-31", "2020-01-01")], "folds[0].test_end"),
        ([fold("2018-01-01", "2019-13-31", "2020-01-01", "2020-12-31")], "folds[0].train_end"),
        ([{"train_start": "2018-01-01"}], "folds[0]"),
        (
            [
                fold("2018-01-01", "2019-12-31", "2020-01-01", "2020-12-31"),
                fold("2018-01-01", "2020-06-30", "2020-12-31", "2021-12-31"),
            ],
            "folds[1].test_start",
        ),
    ],
)
def test_explicit_folds_that_leak_overlap_or_misspell_are_refused_by_key(
    folds: list[dict[str, str]], key: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        ExplicitWindows(folds=folds)
    assert refused.value.key == key


def test_explicit_folds_equal_to_the_canonical_ones_give_the_same_windows() -> None:
    folds = [
        fold("2018-01-01", f"{year - 1}-12-31", f"{year}-01-01", f"{year}-12-31")
        for year in (2021, 2022, 2023)
    ]
    assert resolve(ExplicitWindows(folds=folds), SIX_YEARS) == resolve(
        CanonicalWindows(), SIX_YEARS
    )


def test_a_declared_span_without_a_session_of_the_exchange_is_refused() -> None:
    part = ExplicitWindows(folds=[fold("2018-01-01", "2019-12-31", "2020-01-04", "2020-01-05")])
    with pytest.raises(DataError, match="closed throughout"):
        resolve(part, SIX_YEARS)


def test_a_final_fit_uses_everything_up_to_its_date_and_tests_nothing() -> None:
    window = final_fit_window(date(2022, 6, 30), SIX_YEARS, 126, 1)
    assert window.name == "until_2022-06-30"
    assert window.test is None
    assert not window.clipped
    assert window.train.first_session == date(2018, 1, 2)
    assert window.validation.last_session == date(2022, 6, 30)
    assert len(window.fit) + 1 + 126 == window.train.count
    described = describe(window)
    assert described["test"] is None
    assert json.loads(json.dumps(described)) == described


def test_a_final_fit_says_that_the_data_end_early(caplog: pytest.LogCaptureFixture) -> None:
    window = final_fit_window(date(2024, 3, 1), SIX_YEARS, 126, 1)
    assert window.clipped
    assert "the data end 2023-12-29" in caplog.text
    assert not final_fit_window(date(2023, 12, 31), SIX_YEARS, 126, 1).clipped


def test_a_final_fit_below_twenty_sessions_is_refused() -> None:
    available = days("2023-01-03", "2023-01-31")
    assert len(final_fit_window(date(2023, 2, 5), days("2023-01-03", "2023-02-03"), 2, 1).fit) == 20
    with pytest.raises(DataError, match="at least 20 are needed"):
        final_fit_window(date(2023, 1, 31), available, 126, 1)
    with pytest.raises(DataError, match=r"task\.until=2022-01-01"):
        final_fit_window(date(2022, 1, 1), available, 126, 1)


def test_a_described_window_has_the_declared_dates_and_the_sessions() -> None:
    described = describe(resolve(CanonicalWindows(), SIX_YEARS)[0])
    assert json.loads(json.dumps(described)) == {
        "name": "2021-01-01_2021-12-31",
        "train": {
            "start": "2018-01-01",
            "end": "2020-12-31",
            "first_session": "2018-01-02",
            "last_session": "2020-12-31",
            "sessions": 756,
        },
        "validation": {
            "start": "2020-07-06",
            "end": "2020-12-31",
            "first_session": "2020-07-06",
            "last_session": "2020-12-31",
            "sessions": 126,
        },
        "test": {
            "start": "2021-01-01",
            "end": "2021-12-31",
            "first_session": "2021-01-04",
            "last_session": "2021-12-31",
            "sessions": 252,
        },
        "fit_last_session": "2020-07-01",
        "clipped": False,
    }


@pytest.mark.parametrize("text", ["", "4", "months", "0 days", "-1 day", "4 moons", "1.5 years"])
def test_an_unreadable_offset_is_refused_by_its_key(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        AutoWindows(test_size=text)
    assert (refused.value.key, refused.value.value) == ("test_size", text)


@pytest.mark.parametrize(
    "fields",
    [{"validation_sessions": 1}, {"embargo_sessions": -1}, {"purge_sessions": -1}, {"step": "x"}],
)
def test_counts_out_of_range_are_refused_by_their_key(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as refused:
        AutoWindows(**fields)  # type: ignore[arg-type]
    assert refused.value.key in fields


@given(count=st.integers(1, 25), unit=st.sampled_from(["day", "week", "session", "month", "year"]))
def test_singular_and_plural_offsets_read_alike(count: int, unit: str) -> None:
    assert parse_offset("step", f"{count} {unit}") == parse_offset("step", f" {count} {unit}S")


def test_sessions_are_counted_from_the_first_on_or_after_the_date() -> None:
    week = [date(2024, 1, 2) + timedelta(days=n) for n in range(4)]
    assert shift(date(2024, 1, 1), Offset(sessions=2), week) == date(2024, 1, 4)


def test_real_bars_that_end_in_november_do_not_cover_the_third_year(real_data: Path) -> None:
    stamps = pd.read_parquet(real_data / "QQQ_15min_2018_2023.parquet")["timestamp"]
    found = pd.DatetimeIndex(stamps.dt.tz_convert("America/New_York").dt.tz_localize(None))
    with pytest.raises(DataError, match=r"1 of 3.*\n.*2023-01-01_2023-12-31.*230 of 250"):
        resolve(CanonicalWindows(), found.normalize())
    windows: list[Window] = resolve(CanonicalWindows(on_missing=OnMissing.clip), found.normalize())
    assert [w.clipped for w in windows] == [False, False, True]


def test_windows_load_nothing_heavy() -> None:
    code = (
        "import sys, intraday_rl.market.windows\n"
        "heavy = {'torch', 'numba', 'talib', 'mlflow', 'scipy'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
