"""The server process: HTTP in the main thread, the supervisor of jobs and what else in others."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack

import uvicorn

from intraday_rl.errors import ConfigError
from intraday_rl.jobs.supervisor import Supervisor
from intraday_rl.tasks import Serve
from intraday_rl.web.app import create_app
from intraday_rl.web.desk import Desk
from intraday_rl.web.patience import PatientProtocol
from intraday_rl.web.subjects import subjects_by_now
from intraday_rl.web.token import Token

logger = logging.getLogger(__name__)

IDLE_SECONDS = 5  # between two requests of one connection
LEAVING_SECONDS = 3


def serve(desk: Desk, token: Token, beside: Sequence[AbstractContextManager[object]] = ()) -> None:
    """Serve until a signal comes; jobs and sessions that run go on without us.

    `beside`: what works as long as the server does, such as the agents' scheduler.
    """
    options = desk.options
    settings = uvicorn.Config(
        create_app(desk, token),
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whoever sends them could say anything
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=LEAVING_SECONDS,
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    with ExitStack() as stack:
        listener = stack.enter_context(_listener(options))
        stack.enter_context(
            Supervisor(
                desk.jobs,
                options.job_workers,
                options.cancel_grace_seconds,
                subjects_by_now(desk),
            )
        )
        for one in beside:
            stack.enter_context(one)
        logger.info("serving on http://%s:%d", options.shown_host, options.port)
        uvicorn.Server(settings).run(sockets=[listener])


def _listener(options: Serve) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family)
    except OSError as error:
        remedy = f"cannot be listened on at {options.shown_host} ({error.strerror}); choose another"
        raise ConfigError("task.port", options.port, remedy) from error
