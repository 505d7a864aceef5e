"""Ctrl-C and SIGTERM: a fit under way writes its checkpoint first; anything else ends at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PARENT_SECONDS = 1.0


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end; nobody who handles errors shall take it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number

    def __reduce__(self) -> tuple[type[Interrupted], tuple[int]]:
        return type(self), (self.number,)

    @property
    def status(self) -> int:
        """As shells report a process that a signal ended."""
        return 128 + self.number


class _Process:
    """What this process has been asked, and whether it may finish what it is doing."""

    patient = False
    asked: int | None = None
    watched = False


@contextmanager
def listening() -> Iterator[None]:
    """Turn the signals into `Interrupted`, raised where the main thread is; outside it, nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _answer) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def patiently() -> Iterator[None]:
    """Within it a first signal is only noted, for `asked_to_stop`; it is raised at the end.

    A second signal is raised at once.
    """
    _Process.patient, _Process.asked = True, None
    try:
        yield
    except Exception as error:
        if _Process.asked is not None:  # whoever asked waits for the end, not for the reason
            raise Interrupted(_Process.asked) from error
        raise
    finally:
        _Process.patient = False
    if _Process.asked is not None:
        raise Interrupted(_Process.asked)


def asked_to_stop() -> bool:
    """Whether a signal has come since `patiently` began."""
    return _Process.asked is not None


def end_with_the_parent() -> None:
    """In a launcher's process: a job whose sweep was killed would train on and hold its leases."""
    if not _Process.watched:
        _Process.watched = True
        threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)  # between two looks: the system tells nobody
    os._exit(1)


def _answer(number: int, frame: FrameType | None) -> None:
    if not _Process.patient or _Process.asked is not None:
        raise Interrupted(number)
    _Process.asked = number
    sys.stderr.write("stopping: fits under way write a checkpoint first; once more ends at once\n")
