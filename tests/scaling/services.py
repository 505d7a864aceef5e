"""Real services on this machine: started by a fixture, waited for by a condition, ended by it."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

END_SECONDS = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, host: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def until(condition: Callable[[], object], what: str, seconds: float = 120.0) -> None:
    """Wait for a condition, not for a time; say what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.05)


@contextmanager
def service(
    arguments: list[str],
    log: Path,
    ready: Callable[[], object],
    environment: dict[str, str] | None = None,
    user: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own group, up when `ready`; its whole group ends with the block."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            arguments,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
            cwd=log.parent,
            user=user,
            start_new_session=True,
        )

    def up() -> object:
        assert process.poll() is None, f"{arguments[0]} ended:\n{log.read_text('utf-8')}"
        return ready()

    try:
        until(up, " ".join(arguments))
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with suppress(ProcessLookupError):  # the group ended with its leader, as it should
            os.killpg(process.pid, signal.SIGKILL)


def start(
    *words: str, folder: Path, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """The real entry in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "intraday_rl", *words],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state"), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(*words: str, folder: Path, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit status and everything that was printed."""
    process = start(*words, folder=folder, environment=environment)
    output, _ = process.communicate(timeout=900)
    return process.returncode, output


def runs_of(uri: str, kind: str) -> list[Run]:
    """Every run of a kind (`parent`, `fold`) in the store, whatever its state."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("intraday_rl")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'"))


def finished_runs(uri: str, kind: str, count: int) -> list[Run]:
    """Those runs, after a check that they are so many, each once, and all finished."""
    runs = runs_of(uri, kind)
    assert [run.info.status for run in runs] == ["FINISHED"] * count
    key = "run_key" if kind == "parent" else "fold_key"
    assert len({run.data.tags[key] for run in runs}) == count
    return runs


@dataclass
class Database:
    """A PostgreSQL of its own; `environment` holds the password, `uri` does not."""

    uri: str
    password: str
    environment: dict[str, str]


@contextmanager
def postgresql() -> Iterator[Database]:
    """A fresh PostgreSQL on loopback that asks for a password; gone afterwards."""
    programs = postgresql_programs()
    owner = pwd.getpwnam("postgres").pw_uid if os.getuid() == 0 else os.getuid()
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # its socket needs a short path
    password, port = f"p-{secrets.token_hex(12)}", free_port()
    environment = {"PGPASSWORD": password}
    try:
        (folder / "password").write_text(password)
        for path in (folder, folder / "password"):
            os.chown(path, owner, -1)
        setup = [programs / "initdb", "--pgdata=data", "--username=quant", "--pwfile=password"]
        setup += ["--auth=scram-sha-256", "--no-sync"]
        subprocess.run(setup, cwd=folder, user=owner, check=True, capture_output=True)
        where = ["-h", "127.0.0.1", "-p", str(port), "-U", "quant"]
        server = [programs / "postgres", "-D", folder / "data", "-k", folder, "-p", port]
        server += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]

        def ready() -> bool:
            asked = subprocess.run([programs / "pg_isready", *where], capture_output=True)
            return asked.returncode == 0

        with service([str(word) for word in server], folder / "log", ready, user=owner):
            create = [programs / "createdb", *where, "runs"]
            subprocess.run(create, env={**os.environ, **environment}, check=True)
            yield Database(f"postgresql://quant@127.0.0.1:{port}/runs", password, environment)
    finally:
        shutil.rmtree(folder)


def postgresql_programs() -> Path:
    """The folder of `initdb`; Debian keeps it out of PATH."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = [folder for folder in folders if (folder / "initdb").is_file()]
    assert found, "PostgreSQL is not installed: `make services` as root (Debian: postgresql)"
    return found[-1]


@dataclass
class ObjectStore:
    """An S3-compatible server with the bucket `runs`."""

    environment: dict[str, str]

    def client(self) -> Any:
        import boto3  # of an extra: the fast suite has none

        return boto3.client(
            "s3",
            endpoint_url=self.environment["MLFLOW_S3_ENDPOINT_URL"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
        )

    def sizes(self) -> dict[str, int]:
        """Bytes of every object by its key."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket="runs")
        return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """A real S3 server (signed requests, multipart uploads) over files below `folder`."""
    port, key, secret = free_port(), "quant", secrets.token_hex(16)
    program = str(Path(sys.executable).with_name("nanio"))
    arguments = [program, "serve", f"--data-dir={folder / 's3'}", "--host=127.0.0.1"]
    arguments += [f"--port={port}", "--no-access-log"]
    credentials = {"NANIO_ACCESS_KEY": key, "NANIO_SECRET_KEY": secret}
    with service(arguments, folder / "s3.log", lambda: answers(port), credentials):
        store = ObjectStore(
            {
                "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": key,
                "AWS_SECRET_ACCESS_KEY": secret,
                "AWS_DEFAULT_REGION": "us-east-1",
            }
        )
        store.client().create_bucket(Bucket="runs")
        yield store


@contextmanager
def mlflow_server(folder: Path, backend: str, environment: dict[str, str]) -> Iterator[str]:
    """MLflow's own server on loopback, which alone knows the bucket; its address."""
    port = free_port()
    program = str(Path(sys.executable).with_name("mlflow"))
    arguments = [program, "server", f"--backend-store-uri={backend}", "--host=127.0.0.1"]
    arguments += ["--artifacts-destination=s3://runs", f"--port={port}", "--workers=2"]

    def healthy() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2.0) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    with service(arguments, folder / "mlflow.log", healthy, environment):
        yield f"http://127.0.0.1:{port}"


def start_together(
    jobs: Sequence[Sequence[str]], folder: Path, environment: dict[str, str] | None = None
) -> list[str]:
    """Run the real entry once per job, all released at one moment; what the failed ones said."""
    gate = folder / f"gate-{secrets.token_hex(4)}"
    gate.mkdir()
    program = str(Path(__file__).with_name("one_of_many.py"))
    processes = [
        subprocess.Popen(
            [sys.executable, program, str(gate), str(number), str(len(jobs)), *words],
            cwd=folder,
            env={**os.environ, "XDG_STATE_HOME": str(folder / "state"), **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number, words in enumerate(jobs)
    ]
    said = [process.communicate(timeout=600)[0] for process in processes]
    return [text for process, text in zip(processes, said, strict=True) if process.returncode]
