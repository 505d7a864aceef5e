"""Processes that train folds: what happens when a signal ends all of them at once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from intraday_rl.research import workers


@pytest.fixture
def pools(monkeypatch):
    """Every process of a pool dies; how many pools were made."""
    made = []

    def pool(plan, jobs, count, report, stop, wait_for_others, died):
        made.append(len(jobs))
        died.extend(jobs)
        yield from ()

    monkeypatch.setattr(workers, "_in_pool", pool)
    monkeypatch.setattr(workers, "is_learned", lambda plan: True)
    return made


def results(stop):
    jobs = [SimpleNamespace(key=name, window=SimpleNamespace(name=name), seed=0) for name in "abc"]
    return list(workers.run_jobs(None, jobs, None, 2, print, lambda: stop, wait_for_others=False))


def test_after_a_signal_to_the_whole_group_nothing_is_begun_anew(pools):
    assert [one["status"] for one in results(stop=True)] == ["stopped"] * 3
    assert pools == [3]


def test_without_a_signal_fits_whose_process_died_are_tried_once_more_alone(pools):
    assert [one["status"] for one in results(stop=False)] == ["failed"] * 3
    assert pools == [3, 1, 1, 1]
