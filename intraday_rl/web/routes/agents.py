"""Agents: make one, tell it to play sessions or to stop, remove it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from intraday_rl.errors import ConfigError
from intraday_rl.model_choice import choose_model
from intraday_rl.tasks import BrokerKind, FeedKind, Serve
from intraday_rl.web.agent_answers import AgentAnswer, AgentList, agent_shown
from intraday_rl.web.answers import Checked, command_line
from intraday_rl.web.desk import Desk
from intraday_rl.web.routes.documents import AgentName, refusals, taking
from intraday_rl.web.routes.training import registry_of, symbol_words
from intraday_rl.web.words import literal, words_of


def agent_routes(desk: Desk) -> APIRouter:
    """`/api/agents`."""
    router = APIRouter(prefix="/api/agents", tags=["agents"])

    @router.get("", responses=refusals())
    def agents() -> AgentList:
        """Every agent by name, with how its newest session stands."""
        return AgentList(agents=[agent_shown(agent) for agent in desk.roster.all()])

    def create(payload: Any) -> Response:
        """A new agent, stopped; its model and options are checked before anything is kept."""
        words = _words(desk, payload)
        sent = payload.model_dump(mode="json", exclude_unset=True)
        made = desk.roster.create(
            payload.name, sent, words, auto_restart=payload.auto_restart, now=_now()
        )
        answer = agent_shown(made).model_dump()
        return JSONResponse(answer, 201, headers={"Location": f"/api/agents/{made.name}"})

    def command(payload: Any) -> Checked:
        """The command line of its sessions, without name and day; refuses what cannot be built."""
        return Checked(command=command_line(_words(desk, payload)))

    router.add_api_route(
        "",
        taking(desk.wire.agent, create),
        methods=["POST"],
        status_code=201,
        response_model=AgentAnswer,
        responses=refusals(400, 404, 409, 413, 415, 422, 429),
    )
    router.add_api_route(
        "/command",
        taking(desk.wire.agent, command),
        methods=["POST"],
        response_model=Checked,
        responses=refusals(400, 404, 413, 415, 422),
    )

    @router.get("/{name}", responses=refusals(404, 422))
    def agent(name: AgentName) -> AgentAnswer:
        """One agent."""
        return agent_shown(desk.roster.get(name))

    @router.delete(
        "/{name}", status_code=204, response_class=Response, responses=refusals(404, 409, 422)
    )
    def remove(name: AgentName) -> Response:
        """Forget it; what its sessions have written stays. Refused while it is at work."""
        desk.roster.remove(name)
        return Response(status_code=204)

    @router.post("/{name}/start", responses=refusals(404, 422))
    def start(name: AgentName) -> AgentAnswer:
        """From now on it plays every session; ends an emergency stop."""
        return agent_shown(desk.roster.start(name, once=False, now=_now()))

    @router.post("/{name}/run-once", responses=refusals(404, 422))
    def run_once(name: AgentName) -> AgentAnswer:
        """It plays the session that is on, or the next one, and stops; ends an emergency stop."""
        return agent_shown(desk.roster.start(name, once=True, now=_now()))

    @router.post("/{name}/stop", responses=refusals(404, 422))
    def stop(name: AgentName) -> AgentAnswer:
        """It closes what is open, and plays no further session."""
        return agent_shown(desk.roster.stop(name))

    return router


def _words(desk: Desk, payload: Any) -> tuple[str, ...]:
    """The whole command line of its sessions; the scheduler adds whose it is, and of which day."""
    registry = registry_of(desk)
    said = [*words_of(payload, flat="task"), *symbol_words(payload, registry)]
    fed = _feed_words(desk.options, payload.feed)
    words = desk.completed(["task=paper", *said, *fed])
    plan = desk.planned([*words, f"task.agent={literal(payload.name)}"])
    real = plan.task.broker is not BrokerKind.paper
    choose_model(plan, payload.model, refuse_abstained=real, registry=registry)
    return words


def _feed_words(options: Serve, feed: str) -> list[str]:
    """Where its bars come from; a folder is the server's to name."""
    said = [f"task.feed={feed}"]
    if feed != FeedKind.file.name:
        return said
    if not options.feed_folder or options.feed_bar_label is None:
        remedy = (
            "this server was started without a folder in which bars grow: choose alpaca, or start "
            "it with task.feed_folder=<folder> and task.feed_bar_label=start or end"
        )
        raise ConfigError("feed", feed, remedy)
    # Its sessions may be begun by another server, somewhere else.
    folder = Path(options.feed_folder).expanduser().absolute()
    said += [
        f"task.feed_folder={literal(str(folder))}",
        f"task.feed_bar_minutes={options.feed_bar_minutes}",
        f"task.feed_bar_label={options.feed_bar_label.name}",
    ]
    if options.feed_timezone is not None:
        said.append(f"task.feed_timezone={literal(options.feed_timezone)}")
    return said


def _now() -> str:
    return datetime.now(UTC).isoformat()
