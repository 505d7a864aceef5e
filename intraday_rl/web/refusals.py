"""Every way a request can be wrong as one shape: `detail`, a text or a list of fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse, Response

from intraday_rl.errors import ConfigError, IntradayRLError, ModelError
from intraday_rl.jobs.store import KeyReused, QueueFull, SubjectBusy
from intraday_rl.roster.store import AgentBusy, AgentUnknown, TooManyAgents
from intraday_rl.web.choices import Choices
from intraday_rl.web.dry_run import TooManyDryRuns

STATUSES: dict[type[IntradayRLError], int] = {
    ModelError: 404,
    AgentUnknown: 404,
    SubjectBusy: 409,
    AgentBusy: 409,
    QueueFull: 429,
    TooManyDryRuns: 429,
    TooManyAgents: 429,
    KeyReused: 422,
}
RETRY_SECONDS = "5"
LONGEST_MESSAGE = 1_000
_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]{1,9})\]")  # a name, or a place in a list
MOST_PROBLEMS = 100  # said of one payload: a body holds thousands of unknown keys


def add_refusals(app: FastAPI, choices: Choices) -> None:
    """Answer errors of ours and of the payload's types; what was sent is not sent back."""

    async def of_payload(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return unprocessable(
            [
                (_path(one["loc"], choices), str(one["msg"]).removeprefix("Value error, "))
                for one in error.errors()
            ]
        )

    async def of_nobody(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": "a mistake of the server's; its log says more"}, 500)

    async def of_ours(request: Request, error: Exception) -> Response:
        if isinstance(error, ConfigError):
            return unprocessable([(_path_of(error.key), error.remedy)])
        for kind, status in STATUSES.items():
            if isinstance(error, kind):
                headers = {"Retry-After": RETRY_SECONDS} if status == 429 else None
                return JSONResponse(
                    {"detail": str(error)[:LONGEST_MESSAGE]}, status, headers=headers
                )
        return unprocessable([(["body"], str(error))])

    handlers: dict[type[Exception], Callable[..., Any]] = {
        RequestValidationError: of_payload,
        IntradayRLError: of_ours,
        Exception: of_nobody,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def unprocessable(problems: Sequence[tuple[Sequence[str | int], str]]) -> JSONResponse:
    """422 with the path of each field and what is wrong with it."""
    detail = [
        {"loc": list(path), "msg": message[:LONGEST_MESSAGE], "type": "refused"}
        for path, message in problems[:MOST_PROBLEMS]
    ]
    return JSONResponse({"detail": detail}, 422)


def _path_of(key: str) -> list[str | int]:
    """Where a key of the configuration, such as `windows.folds[0]`, stands in a payload."""
    steps = _STEP.findall(key.removeprefix("task."))
    return ["body", *(int(number) if number else name for name, number in steps)]


def _path(loc: Sequence[str | int], choices: Choices) -> list[str | int]:
    """The path as it was sent: pydantic puts the chosen option between a group and its fields."""
    path: list[str | int] = []
    after_group = False
    for part in loc:
        if after_group:
            after_group = False
            continue
        path.append(part if isinstance(part, int) else str(part)[:100])
        after_group = "/".join(map(str, path[1:])) in choices.groups
    return path
