"""What runs came to."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException
from starlette.responses import FileResponse, Response

from intraday_rl.web.desk import Desk
from intraday_rl.web.routes.documents import RunKey, refusals
from intraday_rl.web.runs import Runs

# The report brings its own scripts: they may run, in a page that belongs to nobody.
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'none'"
)


def result_routes(desk: Desk) -> APIRouter:
    """`/api/runs`."""
    router = APIRouter(prefix="/api/runs", tags=["runs"])
    runs = Runs(desk.outputs, desk.survey, desk.plan.tracking)

    @router.get("", responses=refusals())
    def listed() -> dict[str, Any]:
        """Every run under `paths.outputs`, the newest first; the verdict comes first."""
        return {"runs": runs.listed()}

    @router.get("/{key}", responses=refusals(404, 422))
    def detailed(key: RunKey) -> dict[str, Any]:
        """One run: verdict, folds, equity curves, costs, plan."""
        found = runs.detailed(key)
        if found is None:
            raise HTTPException(404, f"no run {key}")
        return found

    @router.get(
        "/{key}/report",
        response_class=Response,
        responses={200: {"content": {"text/html": {}}}, **refusals(404, 422)},
    )
    def report(key: RunKey) -> Response:
        """The run's report, a page of its own that needs no network."""
        found = runs.report(key)
        if found is None:
            raise HTTPException(404, f"run {key} has no report")
        headers = {"Content-Security-Policy": REPORT_POLICY}
        return FileResponse(found, media_type="text/html", headers=headers)

    return router
