"""The shape of an interactive plot: plain plotly dictionaries, colours by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure: `title` heads it, `caption` says in words what it shows.

    A colour is written `var(--name)`; the page resolves it for light or dark.
    """

    key: str
    title: str
    caption: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]
