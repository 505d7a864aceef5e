"""A journal is whole after whatever happened while it was written."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from intraday_rl.errors import DataError
from intraday_rl.interruption import Interrupted, listening
from intraday_rl.live import journal as room
from intraday_rl.live.journal import Journal

TIME = "2022-03-14 13:30:00+00:00"


@pytest.fixture
def journal(tmp_path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")


def test_half_a_line_is_cut_off_and_never_happened(journal):
    with journal:
        journal.write("opened", TIME)
    with journal.file.open("ab") as lines:
        lines.write(b'{"number": 1, "event": "dec')
    with journal:
        journal.write("bar", TIME)
    assert [entry["event"] for entry in journal.read()] == ["opened", "bar"]
    assert journal.last_event() == "bar"


def test_a_write_that_fails_leaves_it_as_it_was(journal, monkeypatch):
    with journal:
        journal.write("opened", TIME)
        monkeypatch.setattr(room.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
        for _ in range(3):
            with pytest.raises(OSError, match="full"):
                journal.write("bar", TIME, text="x" * 100)
        monkeypatch.undo()
        journal.write("closed", TIME)
    assert [(one["number"], one["event"]) for one in journal.read()] == [
        (0, "opened"), (1, "closed"),
    ]  # fmt: skip


def test_a_signal_in_the_middle_of_a_write_leaves_whole_lines_without_a_gap(journal):
    def write_until_interrupted() -> None:
        with journal, listening():
            threading.Timer(0.03, os.kill, (os.getpid(), signal.SIGTERM)).start()
            while True:
                journal.write("bar", TIME, text="x" * 50)

    for _ in range(8):
        with pytest.raises(Interrupted):
            write_until_interrupted()
    journal.read()  # refuses a gap


def test_one_process_at_a_time_writes(journal):
    with journal, pytest.raises(DataError, match="another process runs this session"):
        Journal(journal.file).__enter__()


def test_a_line_that_somebody_changed_is_refused(journal):
    with journal:
        journal.write("opened", TIME)
        journal.write("bar", TIME)
    journal.file.write_text(journal.file.read_text().replace('"number": 0', '"number": 4'))
    with pytest.raises(DataError, match="line 1 is not what was written there"):
        journal.read()


def test_the_last_event_of_no_journal_is_none(journal):
    assert journal.last_event() is None


def test_the_last_event_is_that_of_the_last_whole_line_however_long_the_journal(journal):
    with journal:
        for _ in range(40):
            journal.write("bar", TIME, text="x" * 5_000)
        journal.write("leaving", TIME)
    assert journal.last_event() == "leaving"
    with journal.file.open("ab") as lines:
        lines.write(b'{"number": 41, "event": "clo')  # killed in the middle of it
    assert journal.last_event() == "leaving"
    journal.file.write_text(journal.file.read_text() + "sed\n")
    with pytest.raises(DataError, match="its last line is not what was written there"):
        journal.last_event()
