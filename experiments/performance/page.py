"""The measured part of docs/performance.md: tables between two markers, the rest is by hand."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

BEGIN, END = "<!-- MEASURED BEGIN -->", "<!-- MEASURED END -->"


def with_measured(page: str, measured: Sequence[str]) -> str:
    """The page with other lines between its markers; the text around them stays as it is."""
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"the page needs one {BEGIN} and after it one {END}")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, "", *measured, "", END + after])


def table(head: Sequence[str], rows: Sequence[str]) -> list[str]:
    """Lines of a markdown table, with an empty one before."""
    return ["", *head, *rows]


def machine_line(packages: Sequence[str]) -> str:
    """When, on what, with which versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {_processor()}, {os.cpu_count()} cores, "
        f"{platform.system()}, Python {platform.python_version()}; {versions}."
    )


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
