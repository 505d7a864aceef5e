"""When a periodic job is due: five fields of cron, New York time, outside trading hours."""

from __future__ import annotations

import datetime as dt
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from intraday_rl.errors import ConfigError

NEW_YORK = ZoneInfo("America/New_York")
OPEN, CLOSE = dt.time(9, 30), dt.time(16, 0)
TIMES_CHECKED = 500


def next_due(cron: str, after: dt.datetime) -> dt.datetime:
    """The first time (UTC) after `after`."""
    found = next(_times(cron, after), None)
    if found is None:
        raise ConfigError("cron", cron, "never comes; give a day that exists")
    return found.astimezone(dt.UTC)


def check_after_the_close(cron: str, now: dt.datetime) -> None:
    """Refuse times between the regular open and close: the day's bars are not complete."""
    if len(cron.split()) != 5:
        raise ConfigError("cron", cron, "needs five fields, such as '30 17 * * 1-5'")
    for time in islice(_times(cron, now), TIMES_CHECKED):
        if OPEN <= time.time() < CLOSE:
            raise ConfigError(
                "cron",
                cron,
                f"comes at {time:%H:%M} New York time, while the market is open; choose a time "
                "after the close, such as '30 17 * * 1-5'",
            )
    next_due(cron, now)


def _times(cron: str, after: dt.datetime) -> CronSim:
    try:
        return CronSim(cron, after.astimezone(NEW_YORK))
    except CronSimError as error:
        remedy = f"is not a time ({error}); such as '30 17 * * 1-5', minute to weekday"
        raise ConfigError("cron", cron, remedy) from error
