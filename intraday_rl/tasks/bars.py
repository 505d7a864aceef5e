"""Options of the tasks that fetch, import and inspect bars."""

from __future__ import annotations

from dataclasses import dataclass, field

from intraday_rl.errors import ConfigError, check_range
from intraday_rl.market.calendar import FULL_SESSION_MINUTES
from intraday_rl.market.files import BarLabel, Prices, check_timezone
from intraday_rl.market.splits import check_splits
from intraday_rl.market.store_data import VENDOR
from intraday_rl.tasks.days import parse_day


@dataclass(slots=True, kw_only=True)
class Download:
    """Fetch the bars of symbol and benchmark from the vendor named by `data` into the store.

    | field | unit | |
    |---|---|---|
    | `start` | ISO date | from the beginning of its month |
    | `end` | ISO date | to the end of its month; null = the last session that is over |
    | `bar_minutes` | minutes | of the bars that are stored; any multiple can be traded |
    """

    start: str = "???"
    end: str | None = None
    bar_minutes: int = 1

    def __post_init__(self) -> None:
        check_range("bar_minutes", self.bar_minutes, 1, FULL_SESSION_MINUTES)
        start = None if self.start == "???" else parse_day("start", self.start)
        end = None if self.end is None else parse_day("end", self.end)
        if start and end and start > end:
            raise ConfigError("end", self.end, f"must not lie before task.start={self.start}")


@dataclass(slots=True, kw_only=True)
class ImportBars:
    """Bring files of bars into the store; what is guessed about them is shown and confirmed.

    | field | unit | |
    |---|---|---|
    | `path` | | a CSV or parquet file, or a folder of them |
    | `symbol` | | of all of them; null = a column `symbol`, else the beginning of each name |
    | `bar_label` | | end of a bar that its stamp names; null = found against the calendar |
    | `timezone` | | of stamps without one; null = found against the exchange's calendar |
    | `columns` | | our name: the file's name; what is missing is guessed from the names |
    | `prices` | adjusted, traded | what the files' prices are |
    | `adjusted_through` | ISO date | later splits are not in them; null = the files' last session |
    | `vendor` | | the name the bars are stored under |
    | `confirm` | | false: only show what was found, store nothing |
    """

    path: str = "???"
    symbol: str | None = None
    bar_label: BarLabel | None = None
    timezone: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    prices: Prices = Prices.adjusted
    adjusted_through: str | None = None
    vendor: str = "imported"
    confirm: bool = False

    def __post_init__(self) -> None:
        if not self.path.strip() or not self.path.isprintable():
            raise ConfigError("path", repr(self.path), "name a file or a folder with bars")
        if self.timezone is not None:
            check_timezone(self.timezone)
        if self.adjusted_through is not None:
            check_splits(None, self.adjusted_through)
            if self.prices is Prices.traded:
                remedy = "prices=traded are adjusted for no split; leave it out"
                raise ConfigError("adjusted_through", self.adjusted_through, remedy)
        if not VENDOR.fullmatch(self.vendor):
            remedy = "must be lower-case letters, digits and _, such as imported"
            raise ConfigError("vendor", self.vendor, remedy)


@dataclass(slots=True, kw_only=True)
class Inspect:
    """Say what the bars of `data` hold, and where they differ from another source's.

    | field | |
    |---|---|
    | `against` | a vendor in the store, or a file in the form that `data` describes; null = none |
    | `against_label` | which end of its bars that file's stamps name; null = as `data` says |
    | `against_timezone` | of that file's stamps; null = as `data` says |
    """

    against: str | None = None
    against_label: BarLabel | None = None
    against_timezone: str | None = None

    def __post_init__(self) -> None:
        if self.against is not None and not (self.against.strip() and self.against.isprintable()):
            raise ConfigError("against", repr(self.against), "name a vendor or a file")
        if self.against_timezone is not None:
            check_timezone(self.against_timezone, "against_timezone")
