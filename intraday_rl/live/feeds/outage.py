"""A connection that is down: since when, why, and that it is up again, each said once."""

from __future__ import annotations

import pandas as pd

from intraday_rl.live.feeds.findings import Findings
from intraday_rl.market.calendar import NEW_YORK


class Outage:
    """Of what is called `name`; times are those at which the session heard of it."""

    def __init__(self, name: str, findings: Findings) -> None:
        self._name, self._findings = name, findings
        self._since: pd.Timestamp | None = None

    def begins(self, reason: str, now: pd.Timestamp) -> None:
        """It fails; one that is down already stays down since then."""
        self._since = self._since or now
        self._findings.say(f"{self._name} is down since {_time(self._since)} ({reason})")

    def ends(self, now: pd.Timestamp) -> None:
        """It works; a finding if it did not before."""
        if self._since is not None:
            span = f"it was down from {_time(self._since)} to {_time(now)}"
            self._findings.say(f"{self._name} is up again: {span}")
        self._since = None


def _time(moment: pd.Timestamp) -> str:
    return f"{moment.tz_convert(NEW_YORK):%H:%M:%S}"
