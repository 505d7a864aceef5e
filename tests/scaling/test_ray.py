"""A sweep on a real Ray cluster of two nodes, here two on one machine."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from intraday_rl.config.complaints import complaint
from intraday_rl.entry.ray_cluster import cores_of_a_job
from tests.scaling.services import answers, finished_runs, free_port, run, service, start, until

EIGHT = (
    "-m",
    "debug=tiny",
    "reward=dsr,net_return",
    "env/slippage=none,bps",
    "agent.learning_rate=1e-3,3e-4",
    "hydra/launcher=ray",
)
NODE = re.compile(r"\(_run_job pid=\d+(?:, ip=([\d.]+))?\)")


@dataclass
class Cluster:
    address: str
    folder: Path
    environment: dict[str, str]

    def words(self, outputs: Path) -> list[str]:
        return [f"hydra.launcher.ray.init.address={self.address}", f"paths.outputs={outputs}"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head and a second node with a core each, in processes of their own, behind a token."""
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # its sockets need a short path
    token = folder / "token"
    token.write_text(secrets.token_hex(16))
    environment = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    port, client_port = free_port(), free_port()
    ray = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--num-cpus=1"]
    ray.append("--object-store-memory=80000000")
    head = [
        *ray,
        "--head",
        f"--port={port}",
        f"--ray-client-server-port={client_port}",
        "--node-ip-address=127.0.0.1",
        "--include-dashboard=false",
        f"--temp-dir={folder}",
    ]
    second = [*ray, f"--address=127.0.0.1:{port}", "--node-ip-address=127.0.0.2"]
    log = folder / "nodes.log"
    with ExitStack() as nodes:
        nodes.enter_context(service(head, log, lambda: started(log, 1), environment))
        nodes.enter_context(service(second, log, lambda: started(log, 2), environment))
        assert answers(port)
        yield Cluster(f"127.0.0.1:{port}", folder, environment)
    shutil.rmtree(folder)


def started(log: Path, nodes: int) -> bool:
    return log.read_text("utf-8").count("Ray runtime started") == nodes


def store(outputs: Path) -> str:
    return f"sqlite:///{outputs}/mlflow.db"


@pytest.mark.slow("ray")
def test_a_sweep_of_eight_runs_on_both_nodes_into_one_place(
    cluster: Cluster, tmp_path: Path
) -> None:
    outputs = tmp_path / "outputs"
    status, said = run(
        *EIGHT, *cluster.words(outputs), folder=tmp_path, environment=cluster.environment
    )
    assert status == 0, said
    assert len(set(NODE.findall(said))) == 2, said
    parents = finished_runs(store(outputs), "parent", 8)
    finished_runs(store(outputs), "fold", 8)
    for parent in parents:
        assert parent.info.artifact_uri.startswith(f"file://{outputs}/artifacts/")
        assert (outputs / "runs" / parent.data.tags["run_key"] / "verdict.json").is_file()
    assert len(list(outputs.glob("sweeps/*/jobs/*.json"))) == 8
    assert len(list(outputs.glob("sweeps/*/report.html"))) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outputs"]


def workers_of(cluster: Cluster) -> list[int]:
    """Ids of the processes that carry out a job on this cluster's nodes."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cmdline").read_text().startswith("ray::_run_job"):
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                if str(cluster.folder) in Path("/proc", parent, "cmdline").read_text():
                    found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
    return found


def kill_one_in_the_middle_of_a_job(cluster: Cluster, outputs: Path) -> None:
    """`kill -9` of a worker whose run has begun and has no result."""

    def begun() -> list[Path]:
        return [p for p in outputs.glob("runs/*/mlflow.json") if not verdict(p).is_file()]

    def verdict(path: Path) -> Path:
        return path.with_name("verdict.json")

    until(begun, "a job that has begun", 300.0)
    workers = workers_of(cluster)
    assert workers
    os.kill(workers[0], signal.SIGKILL)


@pytest.mark.slow("ray")
def test_the_same_command_again_completes_a_sweep_whose_worker_was_killed(
    cluster: Cluster, tmp_path: Path
) -> None:
    outputs = tmp_path / "outputs"
    words = [*EIGHT, *cluster.words(outputs), "+hydra.launcher.ray.remote.max_retries=0"]
    first = start(*words, folder=tmp_path, environment=cluster.environment)
    kill_one_in_the_middle_of_a_job(cluster, outputs)
    said, _ = first.communicate(timeout=600)
    assert first.returncode == 1, said
    assert "the sweep broke off: " in said
    assert "Type the same command again: finished work is kept" in said
    assert "Traceback" not in said

    status, said = run(*words, folder=tmp_path, environment=cluster.environment)
    assert status == 0, said
    finished_runs(store(outputs), "parent", 8)
    finished_runs(store(outputs), "fold", 8)
    assert len(list(outputs.glob("runs/*/verdict.json"))) == 8


@pytest.mark.slow("ray")
def test_ray_itself_repeats_the_job_of_a_killed_worker(cluster: Cluster, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    words = [word for word in EIGHT if not word.startswith(("env", "agent"))]
    sweep = start(*words, *cluster.words(outputs), folder=tmp_path, environment=cluster.environment)
    kill_one_in_the_middle_of_a_job(cluster, outputs)
    said, _ = sweep.communicate(timeout=600)
    assert sweep.returncode == 0, said
    finished_runs(store(outputs), "parent", 2)
    finished_runs(store(outputs), "fold", 2)


@pytest.mark.slow("ray")
def test_without_an_address_a_sweep_starts_a_cluster_of_its_own(tmp_path: Path) -> None:
    words = ("-m", "debug=tiny", "agent=flat", "reward=dsr,net_return", "hydra/launcher=ray")
    cores = "+hydra.launcher.ray.remote.num_cpus=2"
    token = tmp_path / "token"
    token.write_text(secrets.token_hex(16))  # else Ray leaves one in the user's home
    environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    status, said = run(*words, cores, folder=tmp_path, environment=environment)
    assert status == 0, said
    finished_runs(store(tmp_path / "outputs"), "parent", 2)
    plans = [OmegaConf.load(path) for path in tmp_path.glob("outputs/sweeps/*/jobs/*.yaml")]
    assert [plan.parallel.workers for plan in plans] == [2, 2]


@pytest.mark.slow("ray")
def test_a_cluster_that_does_not_answer_is_one_message_within_seconds(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    words = ("-m", "agent=flat", "seeds=[0],[1]", "hydra/launcher=ray")
    status, said = run(*words, f"hydra.launcher.ray.init.address={address}", folder=tmp_path)
    assert status == 2
    assert said.startswith(f"hydra.launcher.ray.init.address={address}: no Ray cluster answers")
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_launcher_that_is_not_installed_names_what_to_install() -> None:
    from hydra.errors import MissingConfigException

    error = MissingConfigException("no", "hydra/launcher/ray", options=["basic", "joblib"])
    expected = "hydra/launcher=ray: needs Ray: pip install 'intraday-rl[ray]'"
    assert str(complaint(error)) == expected


def test_a_job_on_ray_trains_with_the_cores_that_ray_keeps_for_it() -> None:
    launcher = OmegaConf.create({"ray": {"init": {}, "remote": {}}})
    assert cores_of_a_job(launcher) == 1
    launcher.ray.remote.num_cpus = 4
    assert cores_of_a_job(launcher) == 4
