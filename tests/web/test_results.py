"""What a page needs to show: options, presets, bars, runs, models; and one that can be followed."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from intraday_rl.config import compose_plan
from intraday_rl.config.describing import described
from intraday_rl.jobs.job import JobState, Order
from intraday_rl.records import RunFolder, write_json, write_text
from intraday_rl.web.words import words_of
from tests.web.conftest import MODEL, served

pytestmark = pytest.mark.slow("service")

PRESETS = {  # learning rate, gamma, batch, tau, entropy, memory, position
    "conservative": (1e-4, 0.99, 512, 0.005, "0.1", 100_000, 0.7),
    "balanced": (3e-4, 0.99, 256, 0.005, "0.2", 100_000, 0.85),
    "aggressive": (5e-4, 0.95, 128, 0.01, "0.3", 50_000, 1.0),
}
SCRIPT = "<script>alert(1)</script>"


def fields_of(schema, group, option):
    return {one["name"]: one for one in schema["groups"][group]["options"][option]["fields"]}


def test_the_schema_has_every_option_with_type_default_range_unit_and_help(common):
    schema = common.get("/api/schema").json()
    sac = fields_of(schema, "agent", "sac")
    assert sac["learning_rate"] == {
        "name": "learning_rate",
        "key": "agent.learning_rate",
        "path": ["agent", "learning_rate"],
        "type": "number",
        "nullable": False,
        "default": 1e-4,
        "required": False,
        "choices": [],
        "unit": "per update",
        "help": "Adam step of actor, critics and entropy coefficient",
        "range": {"low": 0.0, "high": 1.0, "low_open": True, "high_open": False},
    }
    assert fields_of(schema, "agent", "hold") == {}
    assert fields_of(schema, "reward", "net_return") == {}
    assert set(fields_of(schema, "reward", "dsr")) == {"eta", "variance_floor_ratio", "clip"}
    assert fields_of(schema, "env/slippage", "cents")["per_share"]["default"] == 0.01
    assert "csv" not in schema["groups"]["data"]["options"]
    assert "store" not in fields_of(schema, "data", "store")
    tune = {one["name"]: one for one in schema["tasks"]["fine_tune"]["fields"]}
    assert tune["sessions"]["range"] == {
        "low": 1, "high": 10_000, "low_open": False, "high_open": False,
    }  # fmt: skip
    assert tune["promote"]["choices"] == ["never", "gate", "always"]


def test_every_option_says_what_it_is(common):
    schema = common.get("/api/schema").json()
    fields = [
        *(one for task in schema["tasks"].values() for one in task["fields"]),
        *(one for group in schema["groups"].values()
          for option in group["options"].values() for one in option["fields"]),
    ]  # fmt: skip
    assert not {one["key"] for one in fields if not (one["help"] or one["unit"])}


def test_no_two_options_of_a_part_have_the_same_help():
    """A row for several fields says of none of them which it is."""
    found = described()
    parts = [
        *(option["fields"] for group in found["groups"].values()
          for option in group["options"].values()),
        *found["sections"].values(),
        *(task["fields"] for task in found["tasks"].values()),
    ]  # fmt: skip
    for fields in parts:
        said = Counter(one["help"] for one in fields if one["help"])
        assert not [text for text, times in said.items() if times > 1 and "as of" not in text]
        assert not [one["key"] for one in fields if "caller" in one["help"]]
        assert not [one["key"] for one in fields if not (one["help"] or one["unit"])]


def test_defaults_of_the_schema_are_those_of_the_composed_plan(common):
    schema, plan = common.get("/api/schema").json(), compose_plan([])
    for name, group in schema["groups"].items():
        part = plan
        for step in name.split("/"):
            part = getattr(part, step)
        for field in group["options"][group["default"]]["fields"]:
            value = getattr(part, field["name"])
            assert field["default"] == getattr(value, "name", value), field["key"]


def test_a_range_is_what_the_part_itself_checks(common):
    schema = common.get("/api/schema").json()
    gamma = fields_of(schema, "agent", "sac")["gamma"]["range"]
    for value, status in ((gamma["high"], 200), (gamma["high"] + 0.01, 422)):
        payload = {"agent": {"kind": "sac", "gamma": value}}
        assert common.post("/api/walk-forward/command", json=payload).status_code == status


def test_the_presets_have_the_values_that_they_are_known_for(common):
    presets = common.get("/api/presets").json()["presets"]
    assert set(presets) == set(PRESETS)
    for name, wanted in PRESETS.items():
        payload = presets[name]["payload"]
        agent, env = payload["agent"], payload["env"]
        found = [agent[key] for key in (
            "learning_rate", "gamma", "batch_size", "tau", "ent_coef", "buffer_size")]  # fmt: skip
        assert (*found, env["action"]["max_position"]) == wanted
        assert (env["cutoff"]["kind"], env["slippage"]["kind"]) == ("ny_1545", "tick")
        assert presets[name]["help"]


def test_a_preset_and_its_payload_are_the_same_plan(common, desk):
    presets = common.get("/api/presets").json()["presets"]
    for name, preset in presets.items():
        payload = desk.wire.walk_forward.model_validate(preset["payload"])
        assert compose_plan(words_of(payload)) == compose_plan([f"preset={name}"])


def test_openapi_has_an_example_for_both_ways_to_train(common):
    document = common.get("/api/openapi.json").json()
    for name in ("WalkForwardRequest", "FineTuneRequest"):
        (example,) = document["components"]["schemas"][name]["examples"]
        path = "/api/walk-forward/command" if name.startswith("Walk") else None
        if path:
            assert common.post(path, json=example).status_code == 200
    assert "text/event-stream" in str(document["paths"]["/api/jobs/{job_id}/events"])


def written_run(desk, key="abc123", symbol="SPY"):
    run = RunFolder.of(str(desk.outputs), key)
    facts = {"run_key": key, "symbol": symbol, "agent": "sac", "reward": "dsr", "fold_keys": {}}
    write_json(run.data, facts)
    metrics = {"sharpe": 1.5, "sharpe_low": 0.2, "sharpe_high": 2.5, "total_return": 0.1}
    verdict = {
        "verdict": "no_edge", **facts, "as_traded": metrics, "hold": {"sharpe": 0.5},
        "folds": {"w": {"verdict": "no_edge", "sharpe": 1.5}},
        "dates": ["2022-01-03", "2022-01-04"],
        "daily_returns": {"as_traded": [0.1, -0.5], "raw": [0.0, 0.0], "hold": [0.01, 0.01]},
    }  # fmt: skip
    write_json(run.verdict, verdict)
    write_json(run.fold("w").window, {"costs": {"commission": 5.0, "net_pnl": -1.0}})
    write_text(run.command, "intraday-rl symbol=SPY\n")
    write_text(run.report, f"<h1>{SCRIPT}</h1>")
    return run


def test_a_run_is_shown_verdict_first_with_its_curves_and_costs(client, desk):
    written_run(desk)
    (brief,) = client.get("/api/runs").json()["runs"]
    assert next(iter(brief)) == "verdict"
    assert (brief["verdict"], brief["key"], brief["sharpe"]) == ("no_edge", "abc123", 1.5)
    run = client.get("/api/runs/abc123").json()
    assert run["equity"]["as_traded"] == [1.1, 0.55]
    assert run["equity"]["dates"] == ["2022-01-03", "2022-01-04"]
    assert run["costs"][0]["commission"] == 5.0
    assert run["folds"] == [{"window": "w", "verdict": "no_edge", "sharpe": 1.5}]
    assert run["command"] == "intraday-rl symbol=SPY"
    assert client.get("/api/runs/nope").status_code == 404


def test_a_script_in_a_name_stays_text(client, desk):
    written_run(desk, symbol=SCRIPT)
    for path in ("/api/runs", "/api/runs/abc123"):
        answer = client.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert SCRIPT in answer.text
    report = client.get("/api/runs/abc123/report").headers["content-security-policy"]
    assert report.startswith("sandbox allow-scripts;")
    assert "allow-same-origin" not in report


def test_half_written_and_broken_files_do_not_break_the_list(client, desk):
    run = written_run(desk)
    run.verdict.write_text('{"verdict": ')
    assert client.get("/api/runs").json()["runs"][0]["verdict"] is None
    assert client.get("/api/runs/abc123").status_code == 200


def test_models_are_those_of_the_registry_file(client, registered):
    assert client.get("/api/models").json() == {"models": []}
    registered()
    (model,) = client.get("/api/models").json()["models"]
    assert (model["name"], model["champion"]) == (MODEL, 1)
    assert [one["number"] for one in model["versions"]] == [2, 1]
    assert model["versions"][1]["aliases"] == ["champion"]
    assert model["versions"][0]["spec"] == f"{MODEL}:2"


def test_coverage_says_what_the_store_has(client, desk):
    assert client.get("/api/coverage").json() == {"series": []}
    part = {
        "state": "complete", "first_session": "2018-01-02", "last_session": "2018-01-31",
        "sessions_expected": 21, "sessions_found": 20, "bars": 520, "left_out": 0,
        "adjusted_through": None, "fetched_at": "2026-01-01T00:00:00", "fingerprint": "x",
    }  # fmt: skip
    content = {
        "symbol": "SPY", "vendor": "alpaca", "bar_minutes": 15, "prices": "adjusted",
        "reconstructed": False, "origin": "", "splits": None, "splits_through": None,
        "parts": {"2018-01": part},
    }  # fmt: skip
    folder = desk.outputs.parent / "bars" / "SPY" / "alpaca-15min"
    write_json(folder / "catalogue.json", content)
    (series,) = client.get("/api/coverage").json()["series"]
    assert (series["symbol"], series["sessions_found"]) == ("SPY", 20)
    assert series["months"] == {"complete": 1}
    (folder / "catalogue.json").write_text("{")
    assert client.get("/api/coverage").status_code == 422


def test_a_job_that_is_over_is_told_to_its_end(client, desk):
    job, _ = desk.jobs.submit(Order("test", {}, ("x",)), most_queued=1)
    write_text(desk.jobs.log(job.id), "first\nsecond\n")
    desk.jobs.ended(job.id, JobState.done, exit_status=0, error=None, log_tail=["second"])
    text = client.get(f"/api/jobs/{job.id}/events").text
    events = [dict(line.split(": ", 1) for line in block.splitlines())
              for block in text.strip().split("\n\n")]  # fmt: skip
    assert [event["event"] for event in events] == ["log", "job", "end"]
    assert json.loads(events[0]["data"]) == {"lines": ["first", "second"]}
    assert json.loads(events[-1]["data"])["state"] == "done"
    later = client.get(f"/api/jobs/{job.id}/events", headers={"Last-Event-ID": events[-1]["id"]})
    assert "first" not in later.text
    assert client.get(f"/api/jobs/{'0' * 32}/events").status_code == 404


def test_too_many_streams_are_refused_and_ended_ones_give_their_place_back(client, desk):
    job, _ = desk.jobs.submit(Order("test", {}, ("x",)), most_queued=1)
    desk.jobs.cancel(job.id)
    for _ in range(40):
        assert client.get(f"/api/jobs/{job.id}/events").status_code == 200
    while desk.streams.acquire(blocking=False):
        pass
    assert client.get(f"/api/jobs/{job.id}/events").status_code == 429


def test_a_server_without_a_page_says_so(desk, monkeypatch, tmp_path):
    monkeypatch.setattr("intraday_rl.web.app.CONSOLE", tmp_path / "nowhere")
    with served(desk) as client:
        assert client.get("/", headers={"Authorization": ""}).status_code == 404
    page = tmp_path / "console"
    page.mkdir()
    (page / "index.html").write_text("<p>page")
    (page / "page.js").write_text("1")
    monkeypatch.setattr("intraday_rl.web.app.CONSOLE", page)
    with served(desk) as client:
        for path in ("/", "/console/page.js"):
            answer = client.get(path, headers={"Authorization": ""})
            assert answer.status_code == 200
            policy = answer.headers["content-security-policy"]
            assert "script-src 'self';" in policy
            assert "unsafe" not in policy
        assert client.get("/console/../../app.py").status_code == 404
