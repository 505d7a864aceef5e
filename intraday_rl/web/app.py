"""The application: guards around routes around one desk."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.middleware import Middleware

from intraday_rl.web.desk import Desk
from intraday_rl.web.guard import (
    BODY_SECONDS,
    FAILED_SECONDS,
    BodyChecked,
    NotTooMany,
    OwnHosts,
    SecurityHeaders,
    TokenRequired,
)
from intraday_rl.web.refusals import add_refusals
from intraday_rl.web.routes.agents import agent_routes
from intraday_rl.web.routes.emergency import emergency_routes
from intraday_rl.web.routes.following import job_routes
from intraday_rl.web.routes.models import model_routes
from intraday_rl.web.routes.options import option_routes
from intraday_rl.web.routes.page import add_page
from intraday_rl.web.routes.results import result_routes
from intraday_rl.web.routes.sessions import session_routes
from intraday_rl.web.routes.training import training_routes
from intraday_rl.web.token import Token

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
ROUTES = (
    training_routes, job_routes, result_routes, model_routes, option_routes, agent_routes,
    session_routes, emergency_routes,
)  # fmt: skip
CONSOLE = Path(__file__).parent / "console"


def create_app(
    desk: Desk,
    token: Token,
    *,
    failed_seconds: float = FAILED_SECONDS,
    body_seconds: float = BODY_SECONDS,
) -> FastAPI:
    """Every route of one server; nothing of it is reachable without the guards."""
    hosts = [*LOOPBACK_NAMES, desk.options.shown_host, *desk.options.allowed_hosts]
    app = FastAPI(
        title="intraday-rl",
        version="1",
        openapi_url="/api/openapi.json",
        docs_url=None,  # would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(NotTooMany),
            Middleware(OwnHosts, hosts=hosts),
            Middleware(TokenRequired, token=token, failed_seconds=failed_seconds),
            Middleware(BodyChecked, body_seconds=body_seconds),
        ],
    )
    add_refusals(app, desk.choices)
    for routes in ROUTES:
        app.include_router(routes(desk))
    add_page(app, CONSOLE)
    return app
