"""From a registered model to another champion, over HTTP."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.service.conftest import served

pytestmark = pytest.mark.slow("service")
DATA = {"kind": "synthetic", "start": "2021-01-04", "end": "2021-12-31"}
MODEL = "intraday_rl.synthetic.TQQQ.sac"
FINAL_FIT = [
    "task=final_fit", "task.until=2021-08-31", "data.start=2021-01-04", "data.end=2021-09-30",
    "windows.validation_sessions=40", "selection.abstain=false", "agent.net_arch=[8]",
    "agent.batch_size=32", "agent.total_timesteps=320", "agent.learning_starts=64",
    "agent.eval_freq=160", "agent.n_envs=8", "parallel.workers=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One whose runs hold a champion; its `registry.json` is lost, as after a copy of the store."""
    folder = tmp_path_factory.mktemp("tuning")
    command = [sys.executable, "-m", "intraday_rl", *FINAL_FIT, f"paths.outputs={folder}/outputs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "outputs" / "registry.json").unlink()
    with served(folder, tracked=True) as one:
        yield one


def test_a_model_is_tuned_gated_shown_and_promoted(server):
    (model,) = server.client.get("/api/models").json()["models"]
    assert (model["name"], model["champion"]) == (MODEL, 1)

    payload = {"model": f"{MODEL}:1", "data": DATA, "timesteps": 160, "days": 30}
    dry = server.client.post("/api/fine-tune", json={**payload, "dry_run": True}, timeout=120.0)
    assert dry.status_code == 200
    assert dry.json()["passed"], dry.text
    assert dry.json()["result"]["planned"]["training_decisions"] == 160
    assert {check["passed"] for check in dry.json()["result"]["checks"]} == {True}
    refused = {**payload, "data": {**DATA, "end": "2021-09-30"}, "days": 3_000, "dry_run": True}
    found = server.client.post("/api/fine-tune", json=refused, timeout=120.0).json()
    assert (found["status"], found["passed"]) == ("dry_run", False)

    job_id = server.submit(payload, "/api/fine-tune")
    assert server.client.post("/api/fine-tune", json=payload).status_code == 409
    job = server.finished(job_id)
    assert job["state"] == "done", job["log_tail"]
    run = server.client.get(f"/api/runs/{job['run_key']}").json()
    assert (run["kind"], run["fine_tune"]["parent"]["version"]) == ("fine_tune", 1)
    assert run["fine_tune"]["gate"]["reason"]
    (model,) = server.client.get("/api/models").json()["models"]
    assert [version["number"] for version in model["versions"]] == [2, 1]

    for number in (2, 1):  # forward, and back
        body = {"model": f"{MODEL}:{number}", "reason": "tried it"}
        promoting = server.finished(server.submit(body, "/api/models/promote"))
        assert promoting["state"] == "done", promoting["log_tail"]
        (model,) = server.client.get("/api/models").json()["models"]
        assert model["champion"] == number
    assert model["alias_changes"][0]["reason"] == "tried it"
