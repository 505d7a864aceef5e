"""Ctrl-C and SIGTERM: a fit under way writes its checkpoint first; anything else ends at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
    finally:
        _Process.patient = False
    if _Process.asked is not None:
        raise Interrupted(_Process.asked)


def asked_to_stop() -> bool:
    """Whether a signal has come since `patiently` began."""
    return _Process.asked is not None


def leave_signals_to_the_parent() -> None:
    """In a worker: a Ctrl-C reaches the whole group, and the parent tells its workers itself."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _answer(number: int, frame: FrameType | None) -> None:
    if not _Process.patient or _Process.asked is not None:
        raise Interrupted(number)
    _Process.asked = number
    sys.stderr.write("stopping: fits under way write a checkpoint first; once more ends at once\n")
