"""What the routes' functions have in common where OpenAPI is concerned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Header, Path

from intraday_rl.web.answers import Refusal
from intraday_rl.web.wire import AGENT

JobId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
AgentName = Annotated[str, Path(pattern=AGENT)]
Day = Annotated[str, Path(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$", examples=["2022-03-14"])]
RunKey = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern="^[A-Za-z0-9_.:-]{1,128}$",
        description="the same key with the same payload gives the job of the first time",
    ),
]
_MEANING = {
    400: "nested too deep, or addressed to another host",
    401: "no token, or another one",
    404: "there is none",
    409: "another job is at it, or the name is taken, or the agent is at work",
    413: "the body is too large",
    415: "the body is not application/json",
    422: "not JSON, or a field is refused; `loc` says which",
    429: "too many of them; come again",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for OpenAPI."""
    return {
        status: {"model": Refusal, "description": _MEANING[status]} for status in (401, *statuses)
    }


def taking(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its `payload` typed by a model that is made when the server starts."""
    function.__annotations__["payload"] = model
    return function
