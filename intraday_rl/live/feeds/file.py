"""Bars in files that grow while the session goes on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from intraday_rl.errors import ConfigError
from intraday_rl.live.feeds.feed import DayBars
from intraday_rl.live.feeds.growing_csv import GrowingCsv
from intraday_rl.live.feeds.growing_folder import GrowingFolder
from intraday_rl.live.feeds.intake import Intake
from intraday_rl.live.feeds.rows import bars_of_day
from intraday_rl.live.feeds.session import SessionIntake
from intraday_rl.market.files import BarLabel, check_timezone

Sources = tuple[GrowingCsv, GrowingFolder]


class FileFeed:
    """Follows `<folder>/<symbol>.csv` and `<folder>/<symbol>/*.parquet`; the benchmark's alike.

    | given | |
    |---|---|
    | `session` | the symbol and benchmark whose bars are wanted, of which day and length |
    | `bar_label` | which end of a bar its stamp names |
    | `timezone` | zone of stamps without an offset; null = there are none such |

    Files hold `timestamp, open, high, low, close[, volume]`, prices as they are traded; other
    columns and other days are passed over. A CSV line counts once its end is written, a parquet
    file once it can be read. They are looked at when `known` or `opening` is asked, never between.
    """

    def __init__(
        self, folder: Path, session: SessionIntake, *, bar_label: BarLabel, timezone: str | None
    ) -> None:
        if timezone is not None:
            check_timezone(timezone, "task.feed_timezone")
        self._folder, self._session = folder, session
        self._label, self._timezone = bar_label, timezone
        self._sources = [(intake, self._sources_of(intake)) for intake in session.intakes]

    def known(self, now: pd.Timestamp) -> DayBars:
        self._look(now)
        return self._session.known(now)

    def opening(
        self, boundary: pd.Timestamp, now: pd.Timestamp
    ) -> tuple[pd.Timestamp, float] | None:
        self._look(now)
        return self._session.opening(boundary, now)

    def close(self) -> None:
        """There is nothing to let go of: files are opened to be read, and closed again."""

    def _sources_of(self, intake: Intake) -> Sources:
        name = intake.symbol
        if Path(name).name != name:
            raise ConfigError("symbol", name, "must be the name of a file in task.feed_folder")
        findings = self._session.findings
        csv = GrowingCsv(self._folder / f"{name}.csv", findings)
        return csv, GrowingFolder(self._folder / name, intake.grace, findings)

    def _look(self, now: pd.Timestamp) -> None:
        findings = self._session.findings
        for intake, sources in self._sources:
            for source in sources:
                for place, table in source.new_tables(now):
                    bars = bars_of_day(
                        table, place, intake.grid, self._label, self._timezone, findings
                    )
                    for bar in bars:
                        self._session.take(intake, bar, now)
            first_due = intake.grid.fine_end(intake.grid.open_ns) + intake.grace.value
            if now.value >= first_due and not any(source.exists() for source in sources):
                name = intake.symbol
                findings.say(f"no {name}.csv and no folder {name} in {self._folder}")
