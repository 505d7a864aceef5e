"""Agents over HTTP: made from a typed payload, told what to do, stopped at once."""

from __future__ import annotations

import json
import logging
import shlex
import threading
from copy import deepcopy
from dataclasses import fields, replace

import pytest

from intraday_rl.agents.card import Card
from intraday_rl.config import compose_plan, saved
from intraday_rl.market.files import BarLabel
from intraday_rl.plan import Plan
from intraday_rl.records import read_json, write_json
from intraday_rl.roster import store
from intraday_rl.tasks import Paper, RiskLimits
from intraday_rl.web.words import NOT_OPTIONS, words_of
from tests.web.conftest import MODEL, served

NOW = "2026-11-23T14:00:00+00:00"
ALPACA = {"model": "champion", "feed": "alpaca"}


def fed(desk, **options):
    """The same desk on a server that was told where bars grow."""
    task = replace(desk.plan.task, feed_folder="bars", feed_bar_label=BarLabel.start, **options)
    return replace(desk, plan=replace(desk.plan, task=task))


@pytest.fixture
def agents(desk, registered):
    """A server with a model, and with a folder in which bars grow."""
    registered()
    with served(fed(desk, feed_bar_minutes=5, feed_timezone="America/New_York")) as client:
        yield client


def make(desk, *names: str, starts: bool = False) -> None:
    for name in names:
        desk.roster.create(name, {"name": name}, ("task=paper",), auto_restart=True, now=NOW)
        if starts:
            desk.roster.start(name, once=False, now=NOW)


def played(desk, name: str) -> Plan:
    """The plan of one of its sessions, as the scheduler would word it."""
    words = [*desk.roster.get(name).words, f"task.agent={name}", "task.day='2022-03-14'"]
    return compose_plan(words)


# --- create -------------------------------------------------------------------------------------


def test_an_agent_is_made_stopped_and_its_words_build_a_session(agents, desk):
    payload = {
        "name": "alpha-1", "model": "champion", "symbol": "TQQQ", "broker": "paper",
        "auto_restart": False, "bar_grace_seconds": 20.0, "exit_lead_seconds": 30.0,
        "risk": {"daily_loss_limit": 0.02, "max_orders_per_minute": 3},
        "data": {"kind": "synthetic", "start": "2018-01-02"},
    }  # fmt: skip
    answer = agents.post("/api/agents", json=payload)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == "/api/agents/alpha-1"
    made = answer.json()
    assert (made["status"], made["at_work"], made["auto_restart"]) == ("stopped", False, False)
    assert (made["payload"], made["session"]) == (payload, None)
    assert made == agents.get("/api/agents/alpha-1").json()
    assert agents.get("/api/agents").json() == {"agents": [made]}

    words = desk.roster.get("alpha-1").words
    assert shlex.split(made["command"])[1:] == list(words)
    said = {word.partition("=")[0] for word in words}
    assert not said & {"task.agent", "task.day", "task.flatten", "name", "auto_restart"}
    plan = played(desk, "alpha-1")
    task = plan.task
    assert (task.feed.name, task.broker.name, task.model) == ("file", "paper", "champion")
    assert task.feed_folder.startswith("/")
    assert task.feed_folder.endswith("/bars")
    assert (task.feed_bar_minutes, task.feed_bar_label) == (5, BarLabel.start)
    assert task.feed_timezone == "America/New_York"
    assert (task.bar_grace_seconds, task.exit_lead_seconds) == (20.0, 30.0)
    assert task.risk == RiskLimits(daily_loss_limit=0.02, max_orders_per_minute=3)
    assert (plan.data.start, plan.paths.state) == ("2018-01-02", str(desk.plan.paths.state))


def test_the_command_of_an_agent_is_shown_without_making_one(agents, desk):
    answer = agents.post("/api/agents/command", json={"name": "alpha", "model": "champion"})
    assert answer.status_code == 200, answer.text
    assert "task=paper" in answer.json()["command"]
    assert desk.roster.all() == []


def test_a_model_that_is_named_in_full_brings_its_symbol(agents, desk):
    registry = desk.outputs / "registry.json"
    content = read_json(registry)
    content["models"][MODEL]["versions"][-1]["tags"]["symbol"] = "SPY"
    write_json(registry, content)
    assert agents.post("/api/agents", json={"name": "a", "model": f"{MODEL}:1"}).status_code == 201
    assert "symbol=SPY" in desk.roster.get("a").words


@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        ({"name": "Alpha"}, ["name"], "match"),
        ({"name": "a" * 33}, ["name"], "match"),
        ({"name": "-a"}, ["name"], "match"),
        ({"name": "a\n"}, ["name"], "match"),
        ({"name": None}, ["name"], "string"),
        ({"model": "../x"}, ["model"], "match"),
        ({"feed": "replay"}, ["feed"], "alpaca"),
        ({"broker": "alpaca_real"}, ["broker"], "paper"),
        ({"i_accept_real_orders": True}, ["i_accept_real_orders"], "permitted"),
        ({"feed_folder": "/etc"}, ["feed_folder"], "permitted"),
        ({"task": {"feed_folder": "/etc"}}, ["task"], "permitted"),
        ({"agent": "alpha"}, ["agent"], "permitted"),
        ({"day": "2022-03-14"}, ["day"], "permitted"),
        ({"flatten": True}, ["flatten"], "permitted"),
        ({"clock": {"speed": 2.0}}, ["clock"], "permitted"),
        ({"paths": {"state": "x"}}, ["paths"], "permitted"),
        ({"risk": {"max_positon": 1.0}}, ["risk", "max_positon"], "permitted"),
        ({"risk": {"max_position": -1.0}}, ["risk", "max_position"], "number in [0, 100]"),
        ({"risk": {"max_position": "1"}}, ["risk", "max_position"], "number"),
        ({"risk": {"_target_": "os.system"}}, ["risk", "_target_"], "permitted"),
        ({"_target_": "os.system"}, ["_target_"], "permitted"),
        ({"data": {"kind": "synthetic", "_target_": "x"}}, ["data", "_target_"], "permitted"),
        ({"data": {"kind": "csv", "path": "x"}}, ["data"], "does not match"),
        ({"symbol": "${oc.env:HOME}"}, ["symbol"], "${"),
        ({"model": "${oc.env:HOME}"}, ["model"], "match"),
        ({"name": "${oc.env:HOME}"}, ["name"], "match"),
        ({"data": {"kind": "synthetic", "start": "${oc.env:HOME}"}}, ["data", "start"], "${"),
        ({"symbol": "../x"}, ["symbol"], "ticker"),
        ({"exit_lead_seconds": 601.0}, ["exit_lead_seconds"], "[0, 600]"),
        ({"exit_lead_seconds": None}, ["exit_lead_seconds"], "number"),
        ({"auto_restart": "yes"}, ["auto_restart"], "boolean"),
    ],
)
def test_what_is_refused_names_its_field_and_makes_no_agent(common, changed, field, message):
    answer = common.post("/api/agents", json={"name": "alpha", **ALPACA, **changed})
    assert answer.status_code == 422, answer.text
    (problem, *_) = answer.json()["detail"]
    assert problem["loc"] == ["body", *field]
    assert message in problem["msg"]
    assert common.get("/api/agents").json() == {"agents": []}


def test_a_server_without_a_folder_of_bars_says_what_to_do(client, registered):
    registered()
    for payload in ({}, {"feed": "file"}):
        answer = client.post("/api/agents", json={"name": "a", "model": "champion", **payload})
        assert answer.status_code == 422
        (problem,) = answer.json()["detail"]
        assert problem["loc"] == ["body", "feed"]
        assert "task.feed_folder=<folder>" in problem["msg"]
    assert client.post("/api/agents", json={"name": "a", **ALPACA}).status_code == 201


def test_an_unknown_model_is_404_a_taken_name_409_and_a_full_table_429(
    client, desk, registered, monkeypatch
):
    assert client.post("/api/agents", json={"name": "a", **ALPACA}).status_code == 404
    registered()
    assert client.post("/api/agents", json={"name": "a", **ALPACA, "model": "7"}).status_code == 404
    assert desk.roster.all() == []
    assert client.post("/api/agents", json={"name": "a", **ALPACA}).status_code == 201
    again = client.post("/api/agents", json={"name": "a", **ALPACA})
    assert (again.status_code, "already" in again.json()["detail"]) == (409, True)
    monkeypatch.setattr(store, "MOST_AGENTS", 1)
    full = client.post("/api/agents", json={"name": "b", **ALPACA})
    assert full.status_code == 429
    assert full.headers["retry-after"]


def test_a_model_that_abstained_may_play_on_paper_but_not_at_a_broker(client, desk, registered):
    registered()
    bundle = desk.outputs / "runs" / "run2" / "folds" / "w" / "seed=0" / "bundle"
    card = Card.from_dict(read_json(bundle / "card.json"))
    write_json(bundle / "card.json", replace(card, facts={"abstained": True}).as_dict())
    payload = {"name": "a", "model": "2", "feed": "alpaca", "broker": "alpaca"}
    answer = client.post("/api/agents", json=payload)
    assert answer.status_code == 404
    assert "abstained" in answer.json()["detail"]
    assert desk.roster.all() == []
    assert client.post("/api/agents", json={**payload, "broker": "paper"}).status_code == 201


# --- what the form is made of -------------------------------------------------------------------


def test_the_options_of_an_agent_are_those_of_the_part_itself(common):
    task = common.get("/api/schema").json()["tasks"]["agent"]
    shown = {".".join(one["path"]): one for one in task["fields"]}
    assert task["groups"] == ["data"]
    assert [name for name, one in shown.items() if one["required"]] == ["name", "model"]
    assert shown["feed"]["choices"] == ["file", "alpaca"]
    assert shown["broker"]["choices"] == ["paper", "alpaca"]
    defaults = Paper(day="2022-03-14")
    for name in ("bar_grace_seconds", "late_decision_seconds", "exit_lead_seconds"):
        assert (shown[name]["default"], shown[name]["unit"]) == (getattr(defaults, name), "seconds")
    limits = RiskLimits()
    risk = {name.partition(".")[2] for name in shown if name.startswith("risk.")}
    assert risk == {one.name for one in fields(RiskLimits)}
    for name in risk:
        assert shown[f"risk.{name}"]["default"] == getattr(limits, name)
    assert shown["risk.daily_loss_limit"]["range"] == {
        "low": 0.0, "high": 1.0, "low_open": True, "high_open": False,
    }  # fmt: skip
    assert shown["risk.max_notional_usd"]["unit"] == "USD"
    assert shown["bridge_ttl_seconds"]["applies"] == {"path": ["broker"], "values": ["alpaca"]}


def test_a_server_that_knows_no_folder_offers_the_feed_that_it_has(choices):
    def feed(*words: str) -> str:
        agent = deepcopy(choices.agent)
        agent.stand_on(saved(compose_plan(["task=serve", *words])))
        return next(one["default"] for one in agent.shown([]) if one["name"] == "feed")

    assert feed() == "alpaca"
    assert feed("task.feed_folder=bars", "task.feed_bar_label=start") == "file"


def test_no_option_of_a_part_is_called_like_what_is_no_option(choices):
    """Names that requests use for themselves are left out of the words."""
    every = [
        one["name"]
        for group in choices.groups.values()
        for option in group["options"].values()
        for one in option["fields"]
    ]
    every += [one["name"] for part in choices.sections.values() for one in part]
    every += [one["name"] for one in [*choices.fine_tune, *choices.agent.options]]
    assert not set(every) & set(NOT_OPTIONS)


def test_only_what_was_sent_of_an_agent_is_said(wire):
    sent = {"name": "a", "model": "champion", "risk": {"max_position": 1.0}}
    payload = wire.agent.model_validate({**sent, "data": {"kind": "synthetic", "edge": 0.1}})
    assert words_of(payload, flat="task") == [
        "data=synthetic",
        "task.model=champion",
        "data.edge=0.1",
        "task.risk.max_position=1.0",
    ]


# --- telling agents what to do --------------------------------------------------------------------


def test_start_run_once_and_stop_say_how_the_agent_stands(client, desk):
    make(desk, "alpha")
    started = client.post("/api/agents/alpha/start").json()
    assert (started["status"], started["once"]) == ("running", False)
    assert started["started_at"] > NOW
    assert client.post("/api/agents/alpha/run-once").json()["once"]
    assert client.post("/api/agents/alpha/stop").json()["status"] == "stopped"
    assert client.post("/api/agents/alpha/start", json={}).json()["status"] == "running"
    for path in ("start", "run-once", "stop"):
        assert client.post(f"/api/agents/nobody/{path}").status_code == 404


def test_an_agent_is_removed_only_when_nothing_of_it_is_at_work(client, desk):
    make(desk, "alpha", starts=True)
    refused = client.delete("/api/agents/alpha")
    assert (refused.status_code, "stop it first" in refused.json()["detail"]) == (409, True)
    desk.roster.stop("alpha")
    desk.roster.process("alpha", 17, 1.5, 0)
    assert client.get("/api/agents/alpha").json()["at_work"]
    assert client.delete("/api/agents/alpha").status_code == 409
    desk.roster.process("alpha", None, None, 0)
    assert client.delete("/api/agents/alpha").status_code == 204
    assert client.delete("/api/agents/alpha").status_code == 404
    assert client.get("/api/agents/alpha").status_code == 404


def test_an_emergency_stop_says_who_was_meant_and_is_logged(client, desk, caplog):
    make(desk, "alpha", "beta", "gamma", starts=True)
    caplog.set_level(logging.WARNING)
    one = client.post("/api/emergency-stop", json={"agent": "beta", "reason": "x\ny: all is well"})
    assert one.status_code == 200
    assert one.json() == {"agents": ["beta"], "reason": "x\\ny: all is well"}
    assert client.get("/api/agents/alpha").json()["halted_at"] is None
    every = {"agents": ["alpha", "beta", "gamma"], "reason": "over HTTP"}
    for body in ({}, {"agent": None}):  # again: the same
        assert client.post("/api/emergency-stop", json=body).json() == every
    for agent in client.get("/api/agents").json()["agents"]:
        assert (agent["status"], agent["halt_reason"]) == ("stopped", "over HTTP")
        assert desk.roster.asked(agent["name"], 0) == "emergency_stop"
    said = [one.getMessage() for one in caplog.records if "emergency stop" in one.getMessage()]
    assert said[0] == "emergency stop of agent beta (beta): x\\ny: all is well"
    assert said[1] == "emergency stop of everything (alpha, beta, gamma): over HTTP"
    client.post("/api/agents/beta/start")
    assert client.get("/api/agents/beta").json()["halt_reason"] is None


def test_an_emergency_stop_of_nobody_or_of_a_typing_mistake_is_refused(client, desk):
    make(desk, "alpha", starts=True)
    for body, status in (
        ({"agent": "nobody"}, 404),
        ({"agent": "Alpha"}, 422),
        ({"agnet": "alpha"}, 422),
        ({"agent": ["alpha"]}, 422),
        ({"reason": "x" * 501}, 422),
        (None, 422),
    ):
        assert client.post("/api/emergency-stop", json=body).status_code == status, body
    assert client.get("/api/agents/alpha").json()["status"] == "running"


def test_a_reason_of_an_emergency_stop_may_be_any_text(client):
    for reason in ("", "${oc.env:HOME}", "a\\b", "\x00", "é\u202e", "'; DROP TABLE agents; --"):
        assert client.post("/api/emergency-stop", json={"reason": reason}).status_code == 200


def test_an_emergency_stop_does_not_wait_for_those_who_compose(desk, registered):
    """More requests than there are threads wait for the one composer; the stop passes them."""
    registered()
    make(desk, "alpha", starts=True)
    found: list[int] = []
    plan = compose_plan(["task=paper", "task.model=champion", "task.day='2022-03-14'"])
    with served(replace(desk, compose=lambda words: plan)) as client:
        asks = {"args": ("/api/agents",), "kwargs": {"json": {"name": "a", **ALPACA}}}
        waiting = [threading.Thread(target=client.post, **asks) for _ in range(45)]
        stop = threading.Thread(
            target=lambda: found.append(client.post("/api/emergency-stop", json={}).status_code)
        )
        with desk.composing:
            for thread in [*waiting, stop]:
                thread.start()
            stop.join(20)
            assert found == [200]
        for thread in waiting:
            thread.join(120)
    assert desk.roster.asked("alpha", 0) == "emergency_stop"


def test_how_old_the_news_is_is_told_by_the_machines_clock(client, desk):
    make(desk, "alpha")
    assert client.get("/api/agents/alpha").json()["seconds_since_update"] is None
    desk.roster.show("alpha", {"time": "2018-03-14 13:35:00+00:00", "position": 3.0})
    shown = client.get("/api/agents/alpha").json()
    assert shown["session"] == {"time": "2018-03-14 13:35:00+00:00", "position": 3.0}
    assert 0.0 <= shown["seconds_since_update"] < 60.0


def test_openapi_shows_an_example_of_every_request_of_an_agent(common):
    document = common.get("/api/openapi.json").json()
    named = document["components"]["schemas"]
    for name in ("AgentRequest", "AgentAnswer", "EmergencyStop", "EmergencyStopped"):
        assert named[name]["examples"], name
    created = document["paths"]["/api/agents"]["post"]["responses"]
    assert {"201", "401", "404", "409", "422", "429"} <= set(created)
    assert "204" in document["paths"]["/api/agents/{name}"]["delete"]["responses"]
    assert json.dumps(document)
