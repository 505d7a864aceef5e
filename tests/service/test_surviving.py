"""Jobs and servers that are killed: whatever happens, a job ends once, complete."""

from __future__ import annotations

import signal

import psutil
import pytest

from intraday_rl.records import read_json
from tests.service.conftest import TRAINING, Server, wait_until

pytestmark = pytest.mark.slow("service")


def process_of(server: Server) -> psutil.Process:
    """Of the one job that runs."""
    (found,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if "task=walk_forward" in (process.info["cmdline"] or ())
        and f"paths.state={server.folder}/state" in process.info["cmdline"]
    ]
    return found


def verdict_of(server: Server, key: str) -> dict:
    return read_json(server.folder / "outputs" / "runs" / key / "verdict.json")


def test_a_killed_servers_job_goes_on_and_the_next_server_sees_its_end(server):
    job_id = server.submit(TRAINING)
    server.training(job_id)
    before = process_of(server).pid
    server.stop(signal.SIGKILL)
    assert psutil.pid_exists(before)
    server.start()
    assert server.job(job_id)["state"] in ("running", "done")
    job = server.finished(job_id)
    assert (job["state"], job["exit_status"], job["starts"]) == ("done", 0, 1)
    assert verdict_of(server, job["run_key"])["folds_failed"] == 0
    assert len(list((server.folder / "outputs" / "runs").iterdir())) == 1


def test_a_job_killed_with_its_server_goes_on_from_its_checkpoint(server):
    job_id = server.submit(TRAINING)
    server.training(job_id)
    process = process_of(server)
    server.stop(signal.SIGKILL)
    process.kill()
    wait_until(lambda: not process.is_running(), 10.0, "the job does not die")
    server.start()
    job = server.finished(job_id)
    assert (job["state"], job["exit_status"], job["starts"]) == ("done", 0, 2)
    log = server.client.get(f"/api/jobs/{job_id}").json()["log_tail"]
    assert [line for line in log if "going on from" in line]
    (run,) = server.client.get("/api/runs").json()["runs"]
    assert (run["key"], run["state"]) == (job["run_key"], "finished")


def test_killing_the_server_again_and_again_leaves_one_complete_job(server):
    job_id = server.submit(TRAINING)
    for share in (0.1, 0.3, 0.5):
        server.training(job_id, share)
        server.stop(signal.SIGKILL)
        server.start()
    job = server.finished(job_id)
    assert (job["state"], job["starts"]) == ("done", 1)
    assert len(server.client.get("/api/jobs").json()["jobs"]) == 1


def test_cancelling_ends_every_process_and_the_same_payload_goes_on(server):
    job_id = server.submit({**TRAINING, "seeds": [0, 1]})
    server.training(job_id, 0.1)
    process = process_of(server)
    group = [process, *process.children(recursive=True)]
    server.client.post(f"/api/jobs/{job_id}/cancel")
    assert server.finished(job_id, 60.0)["state"] == "cancelled"
    assert not [one for one in group if one.is_running() and one.status() != "zombie"]
    again = server.finished(server.submit({**TRAINING, "seeds": [0, 1]}))
    assert again["state"] == "done"
    assert [line for line in again["log_tail"] if "going on from" in line or "finished" in line]


def test_a_server_that_is_asked_to_stop_leaves_its_job_to_the_next_one(server):
    job_id = server.submit(TRAINING)
    server.training(job_id)
    assert server.stop(signal.SIGTERM) == 0
    assert "jobs that run go on" in server.log()
    server.start()
    job = server.finished(job_id)
    assert (job["state"], job["starts"]) == ("done", 1)
    assert job["cpu_seconds"] > 1.0
    assert job["peak_memory_bytes"] > 10_000_000


def test_the_server_never_loads_what_trains(server):
    server.finished(server.submit({**TRAINING, "agent": {"kind": "hold"}}))
    server.client.get("/api/schema")
    maps = psutil.Process(server.process.pid).memory_maps()
    loaded = {one.path for one in maps}
    assert not [path for path in loaded if "torch" in path or "llvmlite" in path]
