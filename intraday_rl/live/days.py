"""Which session is today's or the next one, and which were begun and never closed.

For whoever watches over sessions and plays none: nothing here loads what a session plays with.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from intraday_rl.live.journal import Journal
from intraday_rl.market.calendar import NEW_YORK, sessions

LONGEST_CLOSURE = timedelta(days=14)
JOURNAL = "journal.jsonl"


def next_session(now: pd.Timestamp) -> date:
    """Today's session until it closes, then the next one."""
    today = now.tz_convert(NEW_YORK).date()
    table = sessions(today, today + LONGEST_CLOSURE)
    return pd.Timestamp(table.index[table["close"] > now][0]).date()


def unclosed(folder: Path, day: date) -> list[date]:
    """Sessions before `day` that were begun and never closed, the oldest first."""
    earlier = [one for one in sorted(folder.glob("????-??-??")) if one.name < str(day)]
    return [
        date.fromisoformat(one.name)
        for one in earlier
        if Journal(one / JOURNAL).last_event() not in (None, "closed")
    ]
