"""From the report's content to one HTML file: template, style, script and plotly.js inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

_HERE = Path(__file__).parent


def render(page: dict[str, Any], template: Path = _HERE / "report.html.j2") -> str:
    """The HTML of a page; every value is escaped, only this package's own files are not.

    Templates of other folders extend `base.html.j2` and use the macros of this one.
    """
    environment = Environment(
        loader=FileSystemLoader([_HERE, template.parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(
        page=page,
        style=_own("report.css"),
        script=_own("report.js"),
        plotly=Markup(get_plotlyjs()),  # ends no script element: a test looks
    )


def _own(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))
