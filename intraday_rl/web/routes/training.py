"""Start a walk-forward or a fine-tune, ask what it would do, or how it would be typed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from intraday_rl.jobs.job import Order
from intraday_rl.jobs.schedule import check_after_the_close, next_due
from intraday_rl.model_choice import choose_model
from intraday_rl.plan import Plan
from intraday_rl.tracking.registry_file import Registry
from intraday_rl.web.answers import Accepted, Checked, DryRun, accepted, command_line
from intraday_rl.web.desk import Desk
from intraday_rl.web.dry_run import dry_run
from intraday_rl.web.routes.documents import IdempotencyKey, refusals, taking
from intraday_rl.web.subjects import subject
from intraday_rl.web.words import literal, words_of


@dataclass(frozen=True, slots=True)
class _Asked:
    """A payload that has been understood."""

    order: Order
    plan: Plan


def training_routes(desk: Desk) -> APIRouter:
    """`/api/walk-forward` and `/api/fine-tune`."""
    router = APIRouter(prefix="/api", tags=["training"])

    def walk_forward(payload: Any, key: IdempotencyKey = None) -> Response:
        """Train, choose and test on every fold and seed; with `dry_run` only say on which."""
        asked = _walk_forward(desk, payload, key)
        return _dry_run(desk, asked) if payload.dry_run else submit(desk, asked.order)

    def fine_tune(payload: Any, key: IdempotencyKey = None) -> Response:
        """Train a model further on recent days; with `cron` again and again, after the close.

        With `dry_run` only say what would be done, and whether every check passes.
        """
        asked = _fine_tune(desk, payload, key)
        return _dry_run(desk, asked) if payload.dry_run else submit(desk, asked.order)

    def walk_forward_command(payload: Any) -> Checked:
        """The command line that means the same; refuses what cannot be built."""
        return Checked(command=command_line(_walk_forward(desk, payload, None).order.words))

    def fine_tune_command(payload: Any) -> Checked:
        """The same of a fine-tune."""
        return Checked(command=command_line(_fine_tune(desk, payload, None).order.words))

    model = desk.wire.walk_forward
    _add(router, "/walk-forward", taking(model, walk_forward))
    _add_command(router, "/walk-forward/command", taking(model, walk_forward_command))
    model = desk.wire.fine_tune
    _add(router, "/fine-tune", taking(model, fine_tune))
    _add_command(router, "/fine-tune/command", taking(model, fine_tune_command))
    return router


def submit(desk: Desk, order: Order) -> Response:
    """202 with the new job, or with the one that came under the same key."""
    job, _ = desk.jobs.submit(order, most_queued=desk.options.queue_limit)
    answer = accepted(job).model_dump()
    return JSONResponse(answer, 202, headers={"Location": f"/api/jobs/{job.id}"})


def registry_of(desk: Desk) -> Registry:
    """What `registry.json` says; the server never asks MLflow itself."""
    return desk.registry


def symbol_words(payload: Any, registry: Registry) -> list[str]:
    """The symbol of a model that is named in full, unless the request says one."""
    whole = registry.models.get(payload.model.rpartition(":")[0])
    if "symbol" in payload.model_fields_set or whole is None:
        return []
    return [f"symbol={literal(whole.versions[-1].tags.get('symbol', ''))}"]


def _walk_forward(desk: Desk, payload: BaseModel, key: str | None) -> _Asked:
    preset = getattr(payload, "preset", None)
    chosen = [f"preset={preset}"] if preset is not None else []
    words = desk.completed(["task=walk_forward", *chosen, *words_of(payload)])
    plan = desk.planned(words)
    return _Asked(Order("walk_forward", _sent(payload), words, idempotency_key=key), plan)


def _fine_tune(desk: Desk, payload: Any, key: str | None) -> _Asked:
    registry = registry_of(desk)
    said = [*words_of(payload, flat="task"), *symbol_words(payload, registry)]
    words = desk.completed(["task=fine_tune", *said])
    plan = desk.planned(words)
    chosen = choose_model(plan, payload.model, registry=registry)
    order = Order(
        "fine_tune", _sent(payload), words, subject=subject(desk, chosen), idempotency_key=key
    )
    if payload.cron is not None:
        now = datetime.now(UTC)
        check_after_the_close(payload.cron, now)
        order = replace(order, cron=payload.cron, due=next_due(payload.cron, now).isoformat())
    return _Asked(order, plan)


def _dry_run(desk: Desk, asked: _Asked) -> Response:
    words = asked.order.words
    found = dry_run(desk, words)
    answer = DryRun(
        command=command_line(words),
        passed=found.exit_status == 0,
        exit_status=found.exit_status,
        result=found.document,
        error=found.error,
    )
    return JSONResponse(answer.model_dump(), 200)


def _sent(payload: BaseModel) -> dict[str, Any]:
    return payload.model_dump(mode="json", exclude_unset=True)


def _add(router: APIRouter, path: str, function: Any) -> None:
    router.add_api_route(
        path,
        function,
        methods=["POST"],
        status_code=202,
        response_model=Accepted,
        responses={
            200: {"model": DryRun, "description": "what the job would do; nothing was started"},
            **refusals(400, 404, 409, 413, 415, 422, 429),
        },
    )


def _add_command(router: APIRouter, path: str, function: Any) -> None:
    router.add_api_route(
        path,
        function,
        methods=["POST"],
        response_model=Checked,
        responses=refusals(400, 404, 413, 415, 422),
    )
