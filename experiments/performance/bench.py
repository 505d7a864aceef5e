"""`make bench`: every comparison in one run, printed and written to docs/performance.md."""

from __future__ import annotations

import os
import platform
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

from end_to_end import compare_end_to_end, compare_workers
from environments import compare_environments
from growth import MINUTE_BARS, growth_rows, start_rows
from timing import Compared
from updates import compare_updates

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- MEASURED BEGIN -->", "<!-- MEASURED END -->"
PACKAGES = ("torch", "stable-baselines3", "numba", "numpy", "gymnasium", "gym-trading-env",
            "gym-anytrading", "sbx-rl", "jax")  # fmt: skip
HEAD = ["| what | here | the other | ratio: median (range) | goal |", "|---|---|---|---|---|"]


def main() -> None:
    """Measure, print, and replace the measured part of the page."""
    os.chdir(ROOT)
    quick = "--quick" in sys.argv
    rounds = 1 if quick else 3
    compared = [
        *compare_environments(),
        compare_updates(256, goal=2.5),
        compare_updates(64, goal=3.0),
        compare_end_to_end(64, 8_000 if quick else 40_000, 6.0, rounds),
        compare_end_to_end(256, 4_000 if quick else 20_000, 3.0, rounds),
        compare_workers(64, 8_000 if quick else 40_000, rounds),
    ]
    lines = [BEGIN, *_machine(), "", *_table(compared), "", *_growth(), END]
    print("\n".join(lines))  # noqa: T201
    if not quick:
        text = PAGE.read_text("utf-8")
        before, _, rest = text.partition(BEGIN)
        PAGE.write_text(before + "\n".join(lines) + rest.partition(END)[2], "utf-8")


def _machine() -> list[str]:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        f"Measured {date.today().isoformat()} on {os.cpu_count()} cores ({platform.machine()}), "  # noqa: DTZ011
        f"Python {platform.python_version()}; {versions}.",
    ]


def _table(compared: list[Compared]) -> list[str]:
    return [*HEAD, *(one.row() for one in compared)]


def _growth() -> list[str]:
    folder = Path(os.environ.get("INTRADAY_RL_DATA", ROOT.parent / "shared" / "data"))
    minute_bars = folder / MINUTE_BARS
    rows = growth_rows(minute_bars if minute_bars.is_file() else None)
    return [
        "| what grows | seconds | peak MiB |", "|---|---|---|", *rows, "",
        "| start | seconds: median (range) |", "|---|---|", *start_rows(),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
