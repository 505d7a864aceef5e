"""Registered models, and which of them is champion."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from intraday_rl.errors import ConfigError, ModelError
from intraday_rl.jobs.job import Order
from intraday_rl.model_choice import choose_model
from intraday_rl.tracking.registry_file import CHAMPION, RegisteredModel
from intraday_rl.web.answers import Accepted
from intraday_rl.web.desk import Desk
from intraday_rl.web.routes.documents import IdempotencyKey, refusals
from intraday_rl.web.routes.training import registry_of, submit
from intraday_rl.web.wire import PromoteRequest
from intraday_rl.web.words import literal

LINEAGE = (
    "kind", "symbol", "agent", "reward", "window", "seed", "run_key", "train_end", "validation_end",
    "validation_score", "abstained", "synthetic", "reconstructed", "data_source", "bar_minutes",
    "expires_at", "parent", "outcome", "gate",
)  # fmt: skip


def model_routes(desk: Desk) -> APIRouter:
    """`/api/models`."""
    router = APIRouter(prefix="/api/models", tags=["models"])

    @router.get("", responses=refusals())
    def models() -> dict[str, Any]:
        """Every registered model: aliases, versions (newest first) with lineage, changes.

        `outcome` and `gate` are of a fine-tune: what became of it, and why.
        """
        found = registry_of(desk).models
        return {"models": [_shown(model) for _, model in sorted(found.items())]}

    @router.post(
        "/promote",
        status_code=202,
        response_model=Accepted,
        responses=refusals(400, 404, 409, 413, 415, 422, 429),
    )
    def promote(payload: PromoteRequest, key: IdempotencyKey = None) -> Response:
        """Move an alias to a version, forward or back: a job, as MLflow is asked for it."""
        return submit(desk, _order(desk, payload, key))

    return router


def _order(desk: Desk, payload: PromoteRequest, key: str | None) -> Order:
    said = [
        "task=promote",
        f"task.model={literal(payload.model)}",
        f"task.alias={literal(payload.alias)}",
        f"task.reason={literal(payload.reason)}",
    ]
    registry = registry_of(desk)
    symbol = payload.symbol
    whole = registry.models.get(payload.model.rpartition(":")[0])
    if symbol is None and whole is not None:
        symbol = whole.versions[-1].tags.get("symbol")
    if symbol is not None:
        said.append(f"symbol={literal(symbol)}")
    words = desk.completed(said)
    chosen = choose_model(
        desk.planned(words), payload.model, refuse_abstained=True, registry=registry
    )
    if chosen.name is None:
        raise ModelError(f"{payload.model} is not registered, so no alias can name it")
    if payload.alias == "latest":
        raise ConfigError("alias", payload.alias, "is always the newest version, never an alias")
    sent = payload.model_dump(mode="json", exclude_unset=True)
    subject = f"alias {payload.alias} of {chosen.name}"
    return Order("promote", sent, words, subject=subject, idempotency_key=key)


def _shown(model: RegisteredModel) -> dict[str, Any]:
    named: dict[int, list[str]] = {}
    for alias, number in model.aliases.items():
        named.setdefault(number, []).append(alias)
    return {
        "name": model.name,
        "champion": model.aliases.get(CHAMPION),
        "aliases": dict(model.aliases),
        "versions": [
            {
                "number": version.number,
                "spec": f"{model.name}:{version.number}",
                "aliases": named.get(version.number, []),
                "created_ms": version.created_ms,
                **{key: version.tags.get(key) for key in LINEAGE},
            }
            for version in reversed(model.versions)
        ],
        "alias_changes": [asdict(change) for change in reversed(model.changes)],
    }
