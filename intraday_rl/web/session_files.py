"""What sessions of agents have left on the disk, and what one that is on has written so far.

| where | what |
|---|---|
| below `paths.state`, a folder a day | the journal; once closed `session.json`: these are kept |
| below `paths.outputs`, a folder a day | `session.json` again, and the report: may be deleted |
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from intraday_rl.roster.store import Roster
from intraday_rl.web.agent_answers import SessionBrief, SessionDetail
from intraday_rl.web.runs import content_of

MOST_LINES = 200
MOST_BYTES = 4_000_000  # of the end of a journal; a session writes some hundred thousand
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class SessionFiles:
    """The sessions of all agents of one server; what cannot be read counts as not there."""

    def __init__(self, roster: Roster, outputs: Path) -> None:
        self._roster, self._outputs = roster, outputs

    def listed(self, agent: str, limit: int) -> list[SessionBrief]:
        """The newest days first."""
        days = {
            folder.name
            for place in (self._roster.sessions(agent), self._shown(agent))
            if place.is_dir()
            for folder in place.iterdir()
            if _DAY.fullmatch(folder.name)
        }
        newest = sorted(days, reverse=True)[:limit]
        return [SessionBrief(**self._brief(agent, day)) for day in newest]

    def detailed(self, agent: str, day: str) -> SessionDetail | None:
        """One day with its newest journal lines; None if there is none."""
        brief = self._brief(agent, day)
        journal = self._roster.sessions(agent) / day / "journal.jsonl"
        lines = _last_lines(journal)
        if not (brief["closed"] or lines):
            return None
        result = self._result(agent, day) or None
        if result is None:
            brief["alarms"] = [
                str(one.get("text"))
                for one in _entries(line for line in lines if b'"alarm"' in line)
                if one.get("event") == "alarm"
            ]
        journal_lines = list(_entries(lines[-MOST_LINES:]))
        return SessionDetail(**brief, result=result, journal=journal_lines)

    def report(self, agent: str, day: str) -> Path | None:
        """The page of a session; None if it has none, or lies elsewhere."""
        file = self._shown(agent) / day / "report.html"
        inside = file.resolve().is_relative_to(self._outputs.resolve())
        return file if inside and file.is_file() else None

    def _shown(self, agent: str) -> Path:
        return self._outputs / "paper" / agent

    def _result(self, agent: str, day: str) -> dict[str, Any]:
        kept = content_of(self._roster.sessions(agent) / day / "session.json")
        return dict(kept or content_of(self._shown(agent) / day / "session.json"))

    def _brief(self, agent: str, day: str) -> dict[str, Any]:
        result = self._result(agent, day)
        leave: Mapping[str, Any] = result.get("exit") or {}
        return {
            "day": day,
            "closed": bool(result),
            "net_return_bps": result.get("net_return_bps"),
            "equity_before": result.get("equity_before"),
            "equity_after": result.get("equity_after"),
            "exit_reason": leave.get("reason"),
            # Who held nothing had nothing to close: then when the broker agreed that it is flat.
            "exit_at": leave.get("filled_at") or leave.get("broker_agreed_at"),
            "orders": (result.get("orders") or {}).get("sent"),
            "skipped": sum(result["skipped"].values()) if "skipped" in result else None,
            "alarms": result.get("alarms") or [],
            "has_report": self.report(agent, day) is not None,
        }


def _last_lines(file: Path) -> list[bytes]:
    """Whole lines from the end of a file that grows."""
    try:
        with file.open("rb") as content:
            start = max(0, file.stat().st_size - MOST_BYTES)
            content.seek(start)
            read = content.read(MOST_BYTES)
    except OSError:
        return []
    whole = read.rpartition(b"\n")[0].split(b"\n")
    return [line for line in (whole[1:] if start else whole) if line]


def _entries(lines: Iterator[bytes] | list[bytes]) -> Iterator[dict[str, Any]]:
    """A line that is none is left out: the session itself refuses such a journal."""
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry
