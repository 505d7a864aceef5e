"""Starting jobs over HTTP: typed payloads become the words of the same command line."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from intraday_rl.config import compose_plan, saved
from intraday_rl.config.bundles import bundles
from intraday_rl.config.describing import described, presets
from intraday_rl.errors import ConfigError
from intraday_rl.jobs.job import JobState
from intraday_rl.records import read_json, write_json
from intraday_rl.web import dry_run
from intraday_rl.web.choices import Choices
from intraday_rl.web.routes import training
from intraday_rl.web.subjects import subjects_by_now
from intraday_rl.web.wire import Wire
from intraday_rl.web.words import literal, words_of
from tests.web.conftest import MODEL, served

pytestmark = pytest.mark.slow("service")

SMALL = {
    "symbol": "SPY",
    "data": {"kind": "synthetic", "start": "2018-01-02", "edge": 0.25},
    "env": {"slippage": {"kind": "cents", "per_share": 0.01}, "fill": "next_close"},
    "agent": {"kind": "sac", "net_arch": [8], "ent_coef": "auto_0.1"},
    "reward": {"kind": "net_return"},
    "seeds": [0, 1],
    "gates": {"min_trades": None},
}


def words_in(command: str) -> list[str]:
    return shlex.split(command)[1:]


def test_a_payload_is_the_command_line_that_it_says(common):
    answer = common.post("/api/walk-forward/command", json={"preset": "balanced", **SMALL})
    assert answer.status_code == 200, answer.text
    plan = compose_plan(words_in(answer.json()["command"]))
    assert (plan.symbol, plan.seeds, plan.env.slippage.per_share) == ("SPY", [0, 1], 0.01)
    assert plan.env.slippage.half_spread_ticks == 0.0
    assert (plan.agent.net_arch, plan.agent.ent_coef, plan.agent.gamma) == ([8], "auto_0.1", 0.99)
    assert plan.env.action.max_position == 0.85
    assert "data.start='2018-01-02'" in words_in(answer.json()["command"])


def test_a_walk_forward_is_queued_and_seen(client, desk):
    answer = client.post("/api/walk-forward", json=SMALL)
    assert answer.status_code == 202
    assert set(answer.json()) == {"status", "job_id", "submitted_at"}
    job_id = answer.json()["job_id"]
    assert answer.headers["location"] == f"/api/jobs/{job_id}"
    seen = client.get(f"/api/jobs/{job_id}").json()
    assert (seen["state"], seen["kind"], seen["payload"]) == ("queued", "walk_forward", SMALL)
    assert client.get("/api/jobs").json()["jobs"][0]["id"] == job_id
    assert client.get("/api/jobs?state=done").json() == {"jobs": []}
    assert client.post(f"/api/jobs/{job_id}/cancel").json()["state"] == "cancelled"


@pytest.mark.parametrize(
    ("payload", "field", "message"),
    [
        ({"symbl": "SPY"}, ["symbl"], "not permitted"),
        ({"agent": {"kind": "sac", "gamma": 1.5}}, ["agent", "gamma"], "number in [0, 1]"),
        ({"agent": {"kind": "sac", "entropy_coef": "1"}}, ["agent", "entropy_coef"], "permitted"),
        ({"agent": {"kind": "hold", "gamma": 0.9}}, ["agent", "gamma"], "not permitted"),
        ({"agent": {"gamma": 0.9}}, ["agent"], "kind"),
        ({"agent": {"kind": "sac", "learning_rate": "1e-4"}}, ["agent", "learning_rate"], "number"),
        ({"agent": {"kind": "sac", "batch_size": True}}, ["agent", "batch_size"], "integer"),
        ({"env": {"slippage": {"kind": "bps", "bps": -1}}}, ["env", "slippage", "bps"], "[0, 1000"),
        ({"env": {"cutoff": {"kind": "ny_1545", "latest_time": "25:00"}}},
         ["env", "cutoff", "latest_time"], "quoted time"),
        ({"env": {"fill": "always"}}, ["env", "fill"], "next_open"),
        ({"seeds": [0, 0]}, ["seeds"], "distinct"),
        ({"windows": {"kind": "explicit", "folds": [{"train_start": "2018-01-01"}]}},
         ["windows", "folds", 0], "must have exactly"),
        ({"windows": {"kind": "explicit", "folds": [{"train_start": 1}]}},
         ["windows", "folds", 0, "train_start"], "string"),
        ({"seeds": [2**70]}, ["seeds", 0], "less than or equal"),
        ({"symbol": "../x"}, ["symbol"], "ticker"),
        ({"data": {"kind": "csv", "path": "x"}}, ["data"], "does not match"),
        ({"data": {"kind": "store", "store": "elsewhere"}}, ["data", "store"], "not permitted"),
        ({"paths": {"outputs": "x"}}, ["paths"], "not permitted"),
        ({"tracking": {"kind": "mlflow", "uri": "x"}}, ["tracking"], "not permitted"),
        ({"preset": "wild"}, ["preset"], "balanced"),
        ({"preset": "balanced", "agent": {"kind": "hold"}}, [], "Hold does not have"),
    ],
)  # fmt: skip
def test_what_is_refused_names_its_field(common, payload, field, message):
    answer = common.post("/api/walk-forward", json=payload)
    assert answer.status_code == 422
    (problem, *_) = answer.json()["detail"]
    assert problem["loc"] == ["body", *field]
    assert message in problem["msg"]


HARMFUL = (
    "${oc.env:HOME}", "${paths.outputs}", "a\\", "x\ny", "x\x00", "\u202ex", "???",
    "'; ls", "_target_=os.system", "a,b", "glob(*)", "' _target_='x",
)  # fmt: skip


def places(payload: object) -> list[list[str | int]]:
    """Every place of a string in a payload, but for the ones that say which kind."""
    if isinstance(payload, dict):
        return [[key, *rest] for key, value in payload.items() if key != "kind"
                for rest in places(value)]  # fmt: skip
    return [[]] if isinstance(payload, str) else []


@pytest.mark.parametrize("text", HARMFUL)
def test_no_string_is_more_than_a_string(common, wire, text):
    """It is refused, or it is the value of its own key and of nothing else."""
    payload = {
        "symbol": "SPY",
        "agent": {"kind": "sac", "ent_coef": "auto"},
        "env": {"cutoff": {"kind": "ny_1545", "latest_time": "15:45"}, "fill": "next_open"},
    }  # fmt: skip
    for place in places(payload):
        changed = json.loads(json.dumps(payload))
        inner = changed
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = text
        answer = common.post("/api/walk-forward", json=changed)
        assert answer.status_code == 422, (place, answer.text)
    assert common.post("/api/walk-forward/command", json=payload).status_code == 200


@given(st.text(st.characters(codec="utf-8"), max_size=30))
@settings(max_examples=150, deadline=None)
def test_a_text_reads_back_as_itself_or_cannot_be_written(text):
    try:
        word = literal(text)
    except ConfigError:
        assert "${" in text or "\\" in text or not text.isprintable()
        return
    (parsed,) = OverridesParser.create().parse_overrides([f"task.reason={word}"])
    assert parsed.value() == text
    assert parsed.key_or_group == "task.reason"


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    )
)
@settings(max_examples=150, deadline=None)
def test_a_value_reads_back_as_itself(value):
    (parsed,) = OverridesParser.create().parse_overrides([f"key={literal(value)}"])
    assert parsed.value() == value


def test_only_what_was_sent_is_said(wire):
    payload = wire.walk_forward.model_validate({"agent": {"kind": "sac"}, "env": None})
    assert words_of(payload) == ["agent=sac"]
    assert words_of(wire.walk_forward.model_validate({})) == []


def desk_started_with(desk, own):
    """The same desk on a server that was started with these words."""
    choices = Choices(described(), presets())
    choices.stand_on(saved(compose_plan(["task=serve", *own])), own)
    return replace(desk, own_words=own, choices=choices, wire=Wire(choices), bundles=bundles(own))


def planned_on(desk, own, payload):
    """The plan of a job on a server that was started with these words."""
    desk = desk_started_with(desk, [*desk.own_words, *own])
    with served(desk) as client:
        answer = client.post("/api/walk-forward/command", json=payload)
    assert answer.status_code == 200, answer.text
    return compose_plan(words_in(answer.json()["command"]))


def test_the_servers_own_words_give_way_to_what_a_job_chooses(desk):
    own = [
        "symbol=SPY", "data=parquet", "data.path=x.parquet", "data.bar_label=start",
        "env/slippage=none", "seeds=[1]",
    ]  # fmt: skip
    desk = desk_started_with(desk, own)
    said = ["data=synthetic", "data.edge=0.1", "symbol=QQQ"]
    assert desk.completed(said) == ("symbol=SPY", "env/slippage=none", "seeds=[1]", *said)
    assert desk.completed(["symbol=QQQ"]) == (*own, "symbol=QQQ")
    again = ["data=parquet"]  # the server's own option, said again, has the server's values
    assert desk.completed(again) == (*(word for word in own if word not in again), *again)


def test_a_preset_that_a_job_chooses_beats_whatever_the_server_was_started_with(desk):
    slippage = ["env/slippage=cents", "env.slippage.per_share=0.05"]
    payload = {"preset": "aggressive", "agent": {"kind": "sac", "gamma": 0.9}}
    for words in (["agent.learning_rate=0.001", "agent.n_envs=4"], ["preset=balanced"],
                  ["experiment=quickstart"], ["debug=tiny"], ["agent=hold"], slippage):  # fmt: skip
        plan = planned_on(desk, words, payload)
        found = (plan.agent.learning_rate, plan.agent.batch_size, plan.agent.gamma)
        assert found == (5e-4, 128, 0.9), words
        assert plan.env.action.max_position == 1.0
        assert plan.env.slippage == compose_plan(["preset=aggressive"]).env.slippage
    kept = planned_on(desk, ["agent.n_envs=4", "agent.tau=0.5"], payload).agent
    assert (kept.n_envs, kept.tau) == (4, 0.01)


@pytest.mark.parametrize("word", ["preset=balanced", "experiment=quickstart", "debug=tiny"])
def test_every_kind_of_the_schema_is_taken_whatever_the_server_was_started_with(desk, word):
    started = desk_started_with(desk, [*desk.own_words, word])
    for group in ("agent", "data", "windows", "env/slippage"):
        for option, one in started.choices.groups[group]["options"].items():
            if any(field["required"] for field in one["fields"]):
                continue
            said = [f"{group}={option}"]
            assert started.planned(started.completed(["task=walk_forward", *said])), said


def test_what_the_server_was_started_with_stays_where_a_job_chooses_something_else(desk):
    plan = planned_on(desk, ["preset=balanced"], {"agent": {"kind": "hold"}})
    assert plan.env.action.max_position == 0.85
    plan = planned_on(desk, ["preset=balanced", "debug=tiny"], {"windows": {"kind": "canonical"}})
    assert (plan.agent.batch_size, plan.agent.gamma) == (32, 0.99)  # debug over preset, as ever
    assert not plan.registry.register
    plan = planned_on(desk, ["preset=balanced"], {"preset": "aggressive"})
    assert plan.agent.gamma == 0.95


def test_a_servers_preset_is_written_out_only_where_a_part_of_it_falls_away(desk):
    started = desk_started_with(desk, ["preset=balanced"])
    assert started.completed(["task=walk_forward"]) == ("preset=balanced", "task=walk_forward")
    words = started.completed(["agent=hold"])
    assert "preset=balanced" not in words
    assert not [word for word in words if word.startswith("agent.")]


def test_the_defaults_that_are_shown_are_those_of_the_server(desk):
    own = ["data=parquet", "data.path=x.parquet", "data.bar_label=start", "symbol=SPY",
           "agent.gamma=0.9", "env/slippage=cents", "env.slippage.per_share=0.03"]  # fmt: skip
    shown = desk_started_with(desk, own).choices.shown()
    groups = shown["groups"]

    def default(group, option, name):
        fields = groups[group]["options"][option]["fields"]
        return next(one["default"] for one in fields if one["name"] == name)

    assert groups["data"]["default"] == "parquet"
    assert groups["data"]["options"]["parquet"]["fields"] == []
    assert groups["env/slippage"]["default"] == "cents"
    assert default("env/slippage", "cents", "per_share") == 0.03
    assert default("agent", "sac", "gamma") == 0.9
    assert default("agent", "sac_jax", "gamma") == 0.99
    assert shown["tasks"]["walk_forward"]["fields"][0]["default"] == "SPY"
    # Where bars grow, an agent's bars come from files; elsewhere that is no default.
    with_bars = ["task.feed_folder=bars", "task.feed_bar_label=start"]
    unchanged = desk_started_with(desk, with_bars).choices.shown()
    assert unchanged == Choices(described(), presets()).shown()


# --- fine-tune ----------------------------------------------------------------------------------


def test_a_fine_tune_needs_a_model_that_is_there(client, registered):
    assert client.post("/api/fine-tune", json={"model": "champion"}).status_code == 404
    registered()
    answer = client.post("/api/fine-tune", json={"model": "7", "days": 30})
    assert answer.status_code == 404
    assert MODEL in answer.json()["detail"]
    assert client.post("/api/fine-tune", json={"days": 30}).status_code == 422


def test_a_fine_tune_is_queued_once_a_model_at_a_time(client, desk, registered):
    registered()
    first = client.post("/api/fine-tune", json={"model": "champion", "timesteps": 100})
    assert first.status_code == 202
    words = desk.jobs.get(first.json()["job_id"]).order.words
    assert words[-2:] == ("task.model=champion", "task.timesteps=100")
    for spec in ("1", f"{MODEL}:1", "sac:1", "champion"):
        assert client.post("/api/fine-tune", json={"model": spec}).status_code == 409, spec
    assert client.post("/api/fine-tune", json={"model": "latest"}).status_code == 202
    assert client.post(f"/api/jobs/{first.json()['job_id']}/cancel").status_code == 200
    assert client.post("/api/fine-tune", json={"model": "1"}).status_code == 202


@pytest.mark.parametrize(
    "model",
    ["../x", "/etc", "a/b", "runs/x/bundle", "./x", "", "a b", "x" * 300, "${x}", "a:b:c",
     "abc/w/seed=0/../..", ".ssh/w/seed=1"],
)  # fmt: skip
def test_a_model_is_never_a_path(common, model):
    answer = common.post("/api/fine-tune", json={"model": model})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "model"]


def test_a_periodic_fine_tune_waits_for_the_close(client, registered):
    registered()
    payload = {"model": "champion", "cron": "30 17 * * 1-5"}
    job_id = client.post("/api/fine-tune", json=payload).json()["job_id"]
    job = client.get(f"/api/jobs/{job_id}").json()
    assert (job["state"], job["cron"]) == ("queued", "30 17 * * 1-5")
    assert job["due"] > job["submitted_at"]
    assert client.post("/api/fine-tune", json={"model": "champion"}).status_code == 202
    for cron in ("0 12 * * *", "nonsense", "0 17 * * * ${x}"):
        answer = client.post("/api/fine-tune", json={"model": "champion", "cron": cron})
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", "cron"]


def test_the_same_periodic_fine_tune_is_refused_until_the_first_is_cancelled(client, registered):
    registered()
    payload = {"model": "champion", "cron": "30 17 * * 1-5"}
    first = client.post("/api/fine-tune", json=payload).json()["job_id"]
    answer = client.post("/api/fine-tune", json=payload)
    assert answer.status_code == 409
    assert first in answer.json()["detail"]
    assert client.post("/api/fine-tune", json={**payload, "days": 40}).status_code == 202
    client.post(f"/api/jobs/{first}/cancel")
    assert client.post("/api/fine-tune", json=payload).status_code == 202


def test_an_alias_locks_the_version_that_it_names_when_the_job_begins(
    client, desk, registered, monkeypatch
):
    registered()
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(training, "next_due", lambda cron, after: long_ago)
    payload = {"model": "champion", "cron": "30 17 * * 1-5"}
    job_id = client.post("/api/fine-tune", json=payload).json()["job_id"]
    file = desk.outputs / "registry.json"
    content = read_json(file)
    content["models"][MODEL]["aliases"]["champion"] = 2
    write_json(file, content)
    by_now = subjects_by_now(desk)
    assert desk.jobs.claim(by_now).id == job_id
    assert client.post("/api/fine-tune", json={"model": f"{MODEL}:2"}).status_code == 409
    assert client.post("/api/fine-tune", json={"model": f"{MODEL}:1"}).status_code == 202
    assert desk.jobs.claim(by_now) is not None


def test_a_job_whose_model_is_gone_begins_and_says_so_itself(client, desk, registered):
    registered()
    job_id = client.post("/api/fine-tune", json={"model": "champion"}).json()["job_id"]
    (desk.outputs / "registry.json").unlink()
    assert desk.jobs.claim(subjects_by_now(desk)).id == job_id


def test_options_of_a_fine_tune_are_refused_by_their_own_names(client, registered):
    registered()
    for field, value in (("days", 0), ("sessions", 5), ("learning_rate", 2.0), ("gamma", 0.9)):
        answer = client.post("/api/fine-tune", json={"model": "champion", field: value})
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", field]


def test_promoting_is_a_job_and_a_rollback_is_the_same(client, desk, registered):
    registered()
    payload = {"model": f"{MODEL}:2", "reason": "its gate's finding; back if it isn't"}
    answer = client.post("/api/models/promote", json=payload)
    assert answer.status_code == 202
    words = desk.jobs.get(answer.json()["job_id"]).order.words
    assert compose_plan(words).task.reason == payload["reason"]
    assert client.post("/api/models/promote", json={"model": f"{MODEL}:1"}).status_code == 409
    assert client.post("/api/models/promote", json={"model": f"{MODEL}:9"}).status_code == 404
    latest = {"model": f"{MODEL}:1", "alias": "latest"}
    assert client.post("/api/models/promote", json=latest).status_code == 422


# --- floods and repeats -------------------------------------------------------------------------


def test_a_flood_of_jobs_ends_at_the_queues_limit(client):
    answers = [client.post("/api/walk-forward", json={}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
    assert answers[-1].headers["retry-after"]


def test_an_idempotency_key_starts_one_job(client):
    key = {"Idempotency-Key": "mine-1"}
    first, again = (client.post("/api/walk-forward", json=SMALL, headers=key) for _ in range(2))
    assert first.json() == again.json()
    assert len(client.get("/api/jobs").json()["jobs"]) == 1
    other = client.post("/api/walk-forward", json={}, headers=key)
    assert other.status_code == 422


def test_a_dry_run_answers_at_once_and_starts_nothing(client, desk, monkeypatch):
    seen: list[list[str]] = []

    def says(words):
        seen.append(words)
        text = {"passed": '{"windows": []}', "refused": ""}[answers.pop(0)]
        script = f"import sys; print({text!r}); print('no bars', file=sys.stderr)"
        return [sys.executable, "-c", script if text else f"{script}; sys.exit(3)"]

    answers = ["passed", "refused"]
    monkeypatch.setattr(dry_run, "command_of", says)
    passed = client.post("/api/walk-forward", json={**SMALL, "dry_run": True})
    assert passed.status_code == 200
    assert passed.json()["result"] == {"windows": []}
    assert (passed.json()["passed"], passed.json()["status"]) == (True, "dry_run")
    refused = client.post("/api/walk-forward", json={"dry_run": True}).json()
    assert (refused["passed"], refused["exit_status"], refused["error"]) == (False, 3, "no bars")
    assert seen[0][-2:] == ["dry_run=true", "format=json"]
    assert client.get("/api/jobs").json() == {"jobs": []}
    assert desk.jobs.newest(1, JobState.queued) == []


def test_too_many_dry_runs_at_once_are_refused(client, desk):
    held = 0
    while desk.dry_runs.acquire(blocking=False):
        held += 1
    assert held
    assert client.post("/api/walk-forward", json={"dry_run": True}).status_code == 429
