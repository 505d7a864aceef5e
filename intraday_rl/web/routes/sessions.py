"""Sessions of an agent: how each day went, one day as it goes, its report."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from starlette.responses import FileResponse, Response

from intraday_rl.web.agent_answers import SessionDetail, SessionList
from intraday_rl.web.desk import Desk
from intraday_rl.web.routes.documents import AgentName, Day, refusals
from intraday_rl.web.session_files import SessionFiles

MOST_LISTED = 1_000
# A session's report has a style of its own and no script.
REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def session_routes(desk: Desk) -> APIRouter:
    """`/api/agents/{name}/sessions`."""
    router = APIRouter(prefix="/api/agents/{name}/sessions", tags=["agents"])
    files = SessionFiles(desk.roster, desk.outputs)

    @router.get("", responses=refusals(404, 422))
    def listed(
        name: AgentName, limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 250
    ) -> SessionList:
        """The days that it has played, the newest first, with what each came to."""
        return SessionList(sessions=files.listed(desk.roster.get(name).name, limit))

    @router.get("/{day}", responses=refusals(404, 422))
    def detailed(name: AgentName, day: Day) -> SessionDetail:
        """One day, over or still on: what it came to, and the last lines of its journal."""
        found = files.detailed(desk.roster.get(name).name, day)
        if found is None:
            raise HTTPException(404, f"agent {name} has no session of {day}")
        return found

    @router.get(
        "/{day}/report",
        response_class=Response,
        responses={200: {"content": {"text/html": {}}}, **refusals(404, 422)},
    )
    def report(name: AgentName, day: Day) -> Response:
        """The day's report, a page of its own that needs no network and runs nothing."""
        found = files.report(desk.roster.get(name).name, day)
        if found is None:
            raise HTTPException(404, f"the session of {day} of agent {name} has no report")
        headers = {"Content-Security-Policy": REPORT_POLICY}
        return FileResponse(found, media_type="text/html", headers=headers)

    return router
