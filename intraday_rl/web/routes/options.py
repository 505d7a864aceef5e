"""What can be asked for: options, presets, and the bars that are there."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from intraday_rl.loading import store_folder
from intraday_rl.market.catalogue import Catalogue
from intraday_rl.market.store import Series, stored_series
from intraday_rl.web.desk import Desk
from intraday_rl.web.routes.documents import refusals


def option_routes(desk: Desk) -> APIRouter:
    """`/api/schema`, `/api/presets`, `/api/coverage`."""
    router = APIRouter(prefix="/api", tags=["options"])
    schema = json.dumps(desk.choices.shown(), allow_nan=False).encode()
    presets = {
        name: {**content, "payload": desk.choices.payload_of(name)}
        for name, content in desk.choices.presets.items()
    }

    @router.get("/schema", response_model=dict[str, Any], responses=refusals())
    def schema_of_options() -> Response:
        """Every option of the requests: type, default, range, unit, help, and where it applies."""
        return Response(schema, media_type="application/json")

    @router.get("/presets", responses=refusals())
    def named_settings() -> dict[str, Any]:
        """Several settings at once, and the payload that means the same."""
        return {"presets": presets}

    @router.get("/coverage", responses=refusals())
    def coverage() -> dict[str, Any]:
        """The bars in the store: which symbol, whose, from when to when, how complete."""
        found = ((series, series.read()) for series in stored_series(store_folder(desk.plan)))
        return {"series": [_shown(series, kept) for series, kept in found if kept is not None]}

    return router


def _shown(series: Series, kept: Catalogue) -> dict[str, Any]:
    parts = list(kept.parts.values())
    states = [part.state.value for part in parts]
    return {
        "symbol": series.symbol,
        "vendor": series.vendor,
        "bar_minutes": series.bar_minutes,
        "prices": kept.prices.value,
        "reconstructed": kept.reconstructed,
        "first_session": min((part.first_session for part in parts), default=None),
        "last_session": max((part.last_session for part in parts), default=None),
        "sessions_expected": sum(part.sessions_expected for part in parts),
        "sessions_found": sum(part.sessions_found for part in parts),
        "bars": sum(part.bars for part in parts),
        "months": {state: states.count(state) for state in sorted(set(states))},
        "fingerprint": kept.fingerprint(),
    }
