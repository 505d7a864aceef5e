"""Options of the tasks that look after `paths.outputs`."""

from __future__ import annotations

from dataclasses import dataclass

from intraday_rl.errors import check_range


@dataclass(slots=True, kw_only=True)
class Status:
    """Show what lies under `paths.outputs`: finished, running, failed, left behind; its size."""


@dataclass(slots=True, kw_only=True)
class Clean:
    """Remove what no finished or running work needs.

    | field | unit | |
    |---|---|---|
    | `apply` | | false: only say what would go |
    | `older_than_days` | days | unfinished runs and feature tables untouched for so long may go |
    """

    apply: bool = False
    older_than_days: float = 30.0

    def __post_init__(self) -> None:
        check_range("older_than_days", self.older_than_days, 0.0, 36_500.0)
