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


class OtherPage(ValueError):
    """Rows that are measured now do not belong to what the page holds."""


def with_rows(page: str, machine: str, names: Sequence[str], rows: Sequence[str]) -> str:
    """The page with some rows of its first table measured again, or added to it; it says so.

    Refused unless the page is of the same machine and versions (`machine_line`): figures of one
    table must be of one kind.
    """
    day, _, same = machine.partition(" on ")
    if f" on {same}" not in page:
        raise OtherPage("the page is of another machine or other versions: measure all of it")
    lines = page.splitlines()
    at = next(number for number, line in enumerate(lines) if f" on {same}" in line)
    again = f"{day} again: {', '.join(names)}."
    if names and again not in lines:
        lines[at + 1 : at + 1] = ["", again]
    for row in rows:
        what = row.split("|")[1]
        same = [at for at, line in enumerate(lines) if line.startswith(f"|{what}|")]
        if same:
            lines[same[0]] = row
        else:
            first = next(at for at, line in enumerate(lines) if line.startswith("| what | here |"))
            end = next(at for at in range(first, len(lines)) if not lines[at].startswith("|"))
            lines.insert(end, row)
    return "\n".join(lines) + "\n"


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
