"""Splits, distances and the rule of choice: what needs no perturbation to be wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from intraday_rl.config import compose_plan
from intraday_rl.market import windows as splitter
from intraday_rl.market.calendar import sessions
from intraday_rl.market.windows import CanonicalWindows, Span, resolve
from intraday_rl.research.audit.checks import check_sessions, check_windows
from intraday_rl.research.audit.findings import Findings

DAYS = sessions(date(2018, 1, 1), date(2023, 12, 31)).index
AVAILABLE = [day.date() for day in DAYS]


@pytest.fixture(scope="module")
def plan():
    return compose_plan([])


@pytest.fixture
def windows():
    return resolve(CanonicalWindows(), DAYS)


def objections(plan, windows):
    findings = Findings()
    check_windows(plan, windows, AVAILABLE, findings)
    return {one.name for one in findings.in_order()}


def test_the_canonical_windows_are_in_order(plan, windows):
    assert objections(plan, windows) == set()


def test_a_fit_that_reaches_into_validation_is_named(plan, windows):
    windows[1] = replace(windows[1], fit=windows[1].train.sessions)
    assert objections(plan, windows) == {"split order", "embargo"}


def test_a_missing_embargo_is_named(plan, windows):
    first = windows[0].validation.first_session
    gap = [day for day in windows[0].train.sessions if windows[0].fit[-1] < day < first]
    windows[0] = replace(windows[0], fit=(*windows[0].fit, *gap))
    assert objections(plan, windows) == {"embargo"}


def test_a_missing_purge_is_named(windows):
    plan = compose_plan(["windows=auto", "windows.purge_sessions=1"])
    assert objections(plan, windows) == {"purge"}


def test_tests_that_share_a_session_are_named(plan, windows):
    first = windows[0].test
    longer = Span(first.start, windows[1].test.first_session,
                  (*first.sessions, windows[1].test.first_session))  # fmt: skip
    windows[0] = replace(windows[0], test=longer)
    assert "test overlap" in objections(plan, windows)


def test_a_choice_by_validation_days_of_its_own_test_is_named(plan, windows, monkeypatch):
    """Fold k+1's validation lies inside test k: it must never choose for it."""
    monkeypatch.setattr(
        splitter, "choice_folds", lambda folds, k: list(range(min(k + 2, len(folds))))
    )
    assert objections(plan, windows) == {"choice rule"}


def test_a_ledger_of_other_sessions_is_named():
    for recorded, wrong in ((AVAILABLE[:3], 0), (AVAILABLE[1:3], 1), ([], 1)):
        findings = Findings()
        check_sessions(recorded, AVAILABLE[:5], "test", "fold", findings)
        assert findings.checks["ledger sessions"].wrong == wrong
