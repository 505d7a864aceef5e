"""`/health` and the page: what needs no token."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles


def add_page(app: FastAPI, console: Path) -> None:
    """`/` is the page's `index.html`; its other files lie below `/console/`."""
    page = console / "index.html"

    @app.get("/health", tags=["health"])
    def health() -> dict[str, str]:
        """Whether the server answers; says nothing else."""
        return {"status": "ok"}

    @app.get("/", include_in_schema=False)
    def index() -> Response:
        if not page.is_file():
            raise HTTPException(404, "there is no page in this installation; see /health")
        return FileResponse(page)

    if console.is_dir():
        app.mount("/console", StaticFiles(directory=console))
