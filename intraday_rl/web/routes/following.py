"""See jobs, follow one as it goes, end one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, HTTPException, Query
from fastapi.sse import format_sse_event
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from intraday_rl.jobs.job import Job, JobState
from intraday_rl.jobs.progress import new_lines
from intraday_rl.web.answers import JobAnswer, JobDetail, JobList, State, detailed, shown
from intraday_rl.web.desk import Desk
from intraday_rl.web.routes.documents import JobId, refusals

LOOK_SECONDS = 0.5  # between two looks at the row and the log of a job that is followed
QUIET_SECONDS = 15.0  # after which a comment tells proxies that somebody is there
FIRST_BYTES = 65_536  # of the log that is there already
MOST_LISTED = 200


def job_routes(desk: Desk) -> APIRouter:
    """`/api/jobs`."""
    router = APIRouter(prefix="/api/jobs", tags=["jobs"])

    def known(job_id: str) -> Job:
        job = desk.jobs.get(job_id)
        if job is None:
            raise HTTPException(404, f"no job {job_id}")
        return job

    @router.get("", responses=refusals(422))
    def jobs(
        state: State | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 50,
    ) -> JobList:
        """The newest jobs, of one state or of all."""
        found = desk.jobs.newest(limit, None if state is None else JobState(state))
        return JobList(jobs=[shown(job) for job in found])

    @router.get("/{job_id}", responses=refusals(404, 422))
    def job(job_id: JobId) -> JobDetail:
        """One job, with the last lines of its log."""
        return detailed(known(job_id), desk.jobs)

    @router.post("/{job_id}/cancel", responses=refusals(404, 422))
    def cancel(job_id: JobId) -> JobAnswer:
        """End it: at once if it waits, with a checkpoint if it trains; nothing if it is over."""
        found = desk.jobs.cancel(job_id)
        if found is None:
            raise HTTPException(404, f"no job {job_id}")
        return shown(found)

    @router.get(
        "/{job_id}/events",
        response_class=Response,
        responses={
            200: {
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
                "description": "events `job`, `log`, and `end` as the last",
            },
            **refusals(404, 422, 429),
        },
    )
    async def events(
        job_id: JobId,
        last: Annotated[str | None, Header(alias="Last-Event-ID", pattern="^[0-9]{1,15}$")] = None,
    ) -> Response:
        """Server-sent events: `job` whenever it changes, `log` with new lines, `end`.

        The id of an event is how far the log has been sent.
        """
        await run_sync(known, job_id)
        if not desk.streams.acquire(blocking=False):
            raise HTTPException(429, "too many streams are open")
        return _Stream(desk, job_id, None if last is None else int(last))

    return router


class _Stream(StreamingResponse):
    """Gives its place back however it ends."""

    def __init__(self, desk: Desk, job_id: str, offset: int | None) -> None:
        super().__init__(_follow(desk, job_id, offset), media_type="text/event-stream")
        self.headers["X-Accel-Buffering"] = "no"  # of proxies
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._desk.streams.release()


async def _follow(desk: Desk, job_id: str, sent: int | None) -> AsyncIterator[bytes]:
    log = desk.jobs.log(job_id)
    there = log.stat().st_size if log.is_file() else 0
    offset = max(0, there - FIRST_BYTES) if sent is None else sent
    before: dict[str, Any] = {}
    quiet = 0.0
    while True:
        job = await run_sync(desk.jobs.get, job_id)
        lines, offset = await run_sync(new_lines, log, offset)
        if lines:
            yield _event("log", {"lines": lines}, offset)
        if job is None:  # forgotten meanwhile
            return
        now = shown(job).model_dump(mode="json", exclude={"payload", "command"})
        if now != before:
            before = now
            yield _event("job", now, offset)
        if job.state.is_over and not lines:
            yield _event("end", now, offset)
            return
        quiet = 0.0 if lines else quiet + LOOK_SECONDS
        if quiet >= QUIET_SECONDS:
            quiet = 0.0
            yield b": still there\n\n"
        await anyio.sleep(LOOK_SECONDS)


def _event(name: str, content: dict[str, Any], offset: int) -> bytes:
    return format_sse_event(data_str=json.dumps(content), event=name, id=str(offset))
