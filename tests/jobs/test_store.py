"""The queue on disk: what comes in is there once, and nothing is begun twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from intraday_rl.errors import ConfigError
from intraday_rl.jobs import store as store_module
from intraday_rl.jobs.job import JobState, Order
from intraday_rl.jobs.schedule import check_after_the_close, next_due
from intraday_rl.jobs.store import JobStore, KeyReused, QueueFull, SubjectBusy

ORDER = Order("walk_forward", {"symbol": "SPY"}, ("task=walk_forward", "symbol=SPY"))
LONG_AGO = "2020-01-01T00:00:00+00:00"


@pytest.fixture
def store(tmp_path) -> JobStore:
    return JobStore(tmp_path)


def submitted(store: JobStore, order: Order = ORDER):
    return store.submit(order, most_queued=8)[0]


def test_a_job_reads_back_as_it_was_submitted_also_by_another_server(store):
    job = submitted(store)
    assert JobStore(store.folder).get(job.id) == job
    assert job.state is JobState.queued
    assert job.order.words == ORDER.words


def test_the_same_idempotency_key_gives_the_same_job_and_another_payload_is_refused(store):
    order = replace(ORDER, idempotency_key="a")
    job, new = store.submit(order, most_queued=1)
    again, new_again = store.submit(order, most_queued=1)
    assert (again.id, new, new_again) == (job.id, True, False)
    with pytest.raises(KeyReused, match="another payload"):
        store.submit(replace(order, payload={"symbol": "QQQ"}), most_queued=1)


def test_a_full_queue_refuses_until_a_job_has_begun(store):
    store.submit(ORDER, most_queued=1)
    with pytest.raises(QueueFull, match=r"task\.queue_limit=1"):
        store.submit(ORDER, most_queued=1)
    assert store.claim() is not None
    assert store.submit(ORDER, most_queued=1)[1]


def test_one_subject_has_one_job_at_a_time(store):
    order = replace(ORDER, subject="model 1")
    job = submitted(store, order)
    for _ in range(2):  # while it waits, and while it runs
        with pytest.raises(SubjectBusy, match=job.id):
            submitted(store, order)
        store.claim()
    later = submitted(store, replace(order, due=LONG_AGO))
    assert store.claim() is None
    store.ended(job.id, JobState.done, exit_status=0, error=None, log_tail=[])
    claimed = store.claim()
    assert claimed is not None
    assert claimed.id == later.id


def test_a_subject_is_what_the_order_means_when_its_job_begins(store):
    """A name that meant one thing when the order came may mean another by now."""
    running = submitted(store, replace(ORDER, subject="model 5"))
    named = submitted(store, replace(ORDER, subject="model 1", due=LONG_AGO))
    meanings = {ORDER.words: "model 5"}

    def by_now(order):
        return meanings[order.words]

    assert store.claim(by_now).id == running.id
    assert store.claim(by_now) is None
    meanings[ORDER.words] = "model 6"
    claimed = store.claim(by_now)
    assert (claimed.id, claimed.order.subject) == (named.id, "model 6")
    with pytest.raises(SubjectBusy, match=named.id):
        submitted(store, replace(ORDER, subject="model 6"))
    assert submitted(store, replace(ORDER, subject="model 1"))


def test_the_same_series_is_not_begun_twice(store):
    series = replace(ORDER, cron="30 17 * * 1-5", due=LONG_AGO)
    first = submitted(store, series)
    with pytest.raises(SubjectBusy, match=first.id):
        submitted(store, series)
    assert submitted(store, replace(series, payload={"symbol": "QQQ"}))
    assert submitted(store, replace(series, cron="31 17 * * 1-5"))
    store.claim()
    with pytest.raises(SubjectBusy, match="cancel it to begin anew"):
        submitted(store, series)
    (successor,) = [job for job in store.newest(10, JobState.queued) if job.order.due > LONG_AGO]
    store.cancel(successor.id)
    assert submitted(store, series)


def test_many_threads_claim_every_job_once(store):
    jobs = {submitted(store).id for _ in range(8)}
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda _: store.claim(), range(12)))
    assert sorted(job.id for job in claimed if job) == sorted(jobs)


def test_a_job_that_is_not_due_waits(store):
    submitted(store, replace(ORDER, due=(datetime.now(UTC) + timedelta(days=1)).isoformat()))
    assert store.claim() is None


def test_a_periodic_job_leaves_its_successor_once(store):
    first = submitted(store, replace(ORDER, cron="30 17 * * 1-5", due=LONG_AGO))
    claimed = store.claim()
    assert claimed is not None
    store.again(first.id)  # a restart of the server must not start a second series
    assert store.claim() is not None
    (successor,) = store.newest(10, JobState.queued)
    assert successor.order.cron == "30 17 * * 1-5"
    assert successor.order.due is not None
    assert datetime.fromisoformat(successor.order.due) > datetime.now(UTC)
    assert store.cancel(successor.id).state is JobState.cancelled
    assert store.newest(10, JobState.queued) == []


def test_cancelling_ends_what_waits_asks_what_runs_and_leaves_what_is_over(store):
    waiting = submitted(store)
    assert store.cancel(waiting.id).state is JobState.cancelled
    running = submitted(store)
    store.claim()
    asked = store.cancel(running.id)
    assert (asked.state, asked.cancel_asked) == (JobState.running, True)
    store.ended(running.id, JobState.done, exit_status=0, error=None, log_tail=["x"])
    assert store.cancel(running.id).state is JobState.done
    assert store.cancel("0" * 32) is None


def test_only_the_newest_jobs_that_are_over_are_kept(store, monkeypatch):
    monkeypatch.setattr(store_module, "MOST_KEPT", 2)
    over = [submitted(store).id for _ in range(4)]
    for job_id in over:
        store.cancel(job_id)
        (store.folder / job_id).mkdir()
    submitted(store)
    assert [store.get(job_id) is None for job_id in over] == [True, True, False, False]
    assert [(store.folder / job_id).is_dir() for job_id in over] == [False, False, True, True]


@pytest.mark.parametrize(
    ("after", "due"),
    [  # Friday to Monday, and both changes of the clock
        ("2026-11-20T23:00:00+00:00", "2026-11-23T22:30:00+00:00"),
        ("2026-03-06T23:00:00+00:00", "2026-03-09T21:30:00+00:00"),
        ("2026-10-30T23:00:00+00:00", "2026-11-02T22:30:00+00:00"),
    ],
)
def test_a_cron_is_new_york_time(after, due):
    found = next_due("30 17 * * 1-5", datetime.fromisoformat(after))
    assert found == datetime.fromisoformat(due)


@pytest.mark.parametrize(
    ("cron", "complaint"),
    [
        ("0 12 * * *", "12:00 New York time, while the market is open"),
        ("*/5 * * * *", "while the market is open"),
        ("30 9 1 1 *", "while the market is open"),
        ("0 17 31 2 *", "cron="),
        ("99 17 * * *", "is not a time"),
        ("0 0 17 * * *", "needs five fields"),
        ("@daily", "needs five fields"),
    ],
)
def test_a_cron_during_trading_hours_or_of_no_time_is_refused(cron, complaint):
    with pytest.raises(ConfigError, match=complaint):
        check_after_the_close(cron, datetime(2026, 11, 22, tzinfo=UTC))


def test_a_cron_after_the_close_or_before_the_open_is_taken():
    for cron in ("0 16 * * 1-5", "30 17 * * FRI", "29 9 * * *"):
        check_after_the_close(cron, datetime(2026, 11, 22, tzinfo=UTC))
