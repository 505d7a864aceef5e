"""The emergency stop: everything flat, then halted."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter

from intraday_rl.errors import one_line_of
from intraday_rl.web.agent_answers import EmergencyStopped
from intraday_rl.web.desk import Desk
from intraday_rl.web.routes.documents import refusals
from intraday_rl.web.wire import LONGEST_REASON, EmergencyStop

logger = logging.getLogger(__name__)


def emergency_routes(desk: Desk) -> APIRouter:
    """`/api/emergency-stop`."""
    router = APIRouter(prefix="/api", tags=["agents"])

    @router.post("/emergency-stop", responses=refusals(400, 404, 413, 415, 422))
    async def emergency_stop(payload: EmergencyStop) -> EmergencyStopped:
        """Every session of one agent (null: of all, also of those typed in a shell) flattens.

        Then it opens nothing more, and the agent plays no session until it is started again.
        Asking again changes nothing.
        """
        reason = one_line_of(payload.reason, LONGEST_REASON)
        # A thread of its own: those that other requests share may all be composing.
        meant = await run_sync(_stop, desk, payload.agent, reason, limiter=CapacityLimiter(1))
        return EmergencyStopped(agents=meant, reason=reason)

    return router


def _stop(desk: Desk, agent: str | None, reason: str) -> list[str]:
    meant = desk.roster.emergency_stop(agent, reason, datetime.now(UTC).isoformat())
    whom = "everything" if agent is None else f"agent {agent}"
    logger.warning("emergency stop of %s (%s): %s", whom, ", ".join(meant) or "no agent", reason)
    return meant
