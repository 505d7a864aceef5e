"""One process at a time works on a fold; a dead one's lease is taken over."""

from __future__ import annotations

import multiprocessing
import os
import platform
import signal
import time

from intraday_rl.records import WorkFolder, write_json
from intraday_rl.research.lease import STALE_SECONDS, holder, is_held, leased


def hold_until_killed(path, ready):
    with leased(WorkFolder(path), None) as held:
        assert held
        ready.set()
        signal.pause()


def other_process(path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold_until_killed, args=(path, ready), daemon=True)
    process.start()
    assert ready.wait(60)
    return process


def test_a_second_process_does_not_get_it_until_the_first_is_dead(tmp_path):
    work = WorkFolder(tmp_path / "work")
    process = other_process(work.path)
    with leased(work, None) as held:
        assert not held
    assert is_held(work)
    assert holder(work).process == process.pid
    asked = iter([False, True])
    with leased(work, lambda: next(asked)) as held:  # waits, and gives up when told to
        assert not held
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not is_held(work)
    assert holder(work).process == process.pid  # who left without saying so is still known
    with leased(work, None) as held:
        assert held
        assert holder(work).process == os.getpid()
    assert holder(work) is None


def test_a_young_heartbeat_of_another_machine_counts_as_held_an_old_one_does_not(tmp_path):
    work = WorkFolder(tmp_path)
    write_json(work.lease, {"host": "another-host", "process": 1, "started": "2026-01-01"})
    assert is_held(work)
    with leased(work, None) as held:
        assert not held
    before = time.time() - STALE_SECONDS - 1
    os.utime(work.lease, (before, before))
    with leased(work, None) as held:
        assert held
        assert holder(work).host == platform.node()


def test_a_lease_is_free_again_after_an_error_inside(tmp_path):
    work = WorkFolder(tmp_path)
    try:
        with leased(work, None):
            raise ValueError("planted")
    except ValueError:
        pass
    assert not is_held(work)
    assert holder(work) is None
