"""How far a job is, from the events it tells."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LONGEST_READ = 1_000_000  # bytes at a time
TAIL_BYTES, TAIL_LINES = 16_384, 60


@dataclass(slots=True)
class Progress:
    """Folds the events of one process, read as far as `offset`."""

    file: Path
    offset: int = 0
    run_key: str | None = None
    ended: dict[str, Any] | None = None
    _fits: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    _first: tuple[float, float] | None = None  # (seconds, share) of the first news
    _last: tuple[float, float] | None = None

    def read(self) -> bool:
        """Take in what was told since; whether there was anything."""
        lines, self.offset = new_lines(self.file, self.offset)
        for line in lines:
            try:
                told = json.loads(line)
            except ValueError:  # written by a process that was killed in the middle of a line
                continue
            if isinstance(told, dict):
                self._take(told)
        return bool(lines)

    def shown(self) -> dict[str, Any] | None:
        """`share` done, `eta_seconds` (null until known), every fit; null where nothing is fitted.

        What ended well is done, also if a fit's last news came before its last decision.
        """
        if not self._fits:
            return None
        return {
            "share": round(self.share, 6),
            "eta_seconds": self._seconds_left(),
            "fits": list(self._fits.values()),
        }

    @property
    def share(self) -> float:
        """Of all decisions, fits counting alike; 1 only when all are over."""
        if self.ended is not None and self.ended.get("status") == 0:
            return 1.0
        if not self._fits:
            return 0.0
        return sum(_share(fit) for fit in self._fits.values()) / len(self._fits)

    def _take(self, told: dict[str, Any]) -> None:
        event = told.get("event")
        if event == "run":
            self.run_key = told["run_key"]
        elif event == "fits":
            for fit in told["fits"]:
                self._fit(fit)
        elif event == "progress":
            fit = self._fit(told)
            fit |= {"done": min(told["done"], told["total"]), "total": told["total"]}
            if told.get("validation_sharpe") is not None:
                fit["validation_sharpe"] = told["validation_sharpe"]
            self._timed(told["time"])
        elif event == "fold":
            self._fit(told)["status"] = told["status"]
            self._timed(told["time"])
        elif event == "ended":
            self.ended = told

    def _fit(self, told: dict[str, Any]) -> dict[str, Any]:
        empty = {
            "window": told["window"],
            "seed": told["seed"],
            "done": 0,
            "total": None,
            "validation_sharpe": None,
            "status": None,
        }
        return self._fits.setdefault((told["window"], told["seed"]), empty)

    def _timed(self, time: str) -> None:
        news = (datetime.fromisoformat(time).timestamp(), self.share)
        self._first = self._first or news
        self._last = news

    def _seconds_left(self) -> float | None:
        """At the pace since the first news: a fit that went on from a checkpoint began late."""
        if self._first is None or self._last is None or self.ended is not None:
            return None
        seconds, share = (after - before for before, after in zip(*self._times(), strict=True))
        if share <= 0.0 or seconds <= 0.0:
            return None
        since = datetime.now(UTC).timestamp() - self._last[0]
        return round(max(0.0, (1.0 - self._last[1]) * seconds / share - since), 1)

    def _times(self) -> tuple[tuple[float, float], tuple[float, float]]:
        assert self._first is not None
        assert self._last is not None
        return self._first, self._last


def new_lines(file: Path, offset: int) -> tuple[list[str], int]:
    """Whole lines from `offset` on, and where they end; from the start if the file is new."""
    try:
        if file.stat().st_size < offset:
            offset = 0
        with file.open("rb") as content:
            content.seek(offset)
            read = content.read(LONGEST_READ)
    except FileNotFoundError:
        return [], 0
    whole = read.rpartition(b"\n")[0]
    if not whole:
        if len(read) < LONGEST_READ:
            return [], offset
        whole = read  # an endless line
        return [whole.decode("utf-8", "replace")], offset + len(whole)
    return whole.decode("utf-8", "replace").splitlines(), offset + len(whole) + 1


def tail_of(log: Path) -> list[str]:
    """The last lines of a log."""
    try:
        with log.open("rb") as content:
            content.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return content.read().decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
    except FileNotFoundError:
        return []


def _share(fit: dict[str, Any]) -> float:
    if fit["status"] not in (None, "stopped"):
        return 1.0
    return fit["done"] / fit["total"] if fit["total"] else 0.0
