"""A server without a socket: the real routes and guards around a queue that nobody works off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from intraday_rl.agents.card import Card
from intraday_rl.config import compose_plan
from intraday_rl.config.describing import described, presets
from intraday_rl.entry.serving import _surveyed
from intraday_rl.jobs.store import JobStore
from intraday_rl.plan import Paths, Plan
from intraday_rl.records import write_json
from intraday_rl.roster.store import Roster
from intraday_rl.web.app import create_app
from intraday_rl.web.choices import Choices
from intraday_rl.web.desk import Desk
from intraday_rl.web.token import Token
from intraday_rl.web.wire import Wire

TOKEN = "a-token-that-is-long-enough-for-anyone"
AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}
MODEL = "intraday_rl.synthetic.TQQQ.sac"


@pytest.fixture(scope="session")
def choices() -> Choices:
    return Choices(described(), presets())


@pytest.fixture(scope="session")
def wire(choices) -> Wire:
    return Wire(choices)


@pytest.fixture(scope="session")
def composed_plan() -> Plan:
    return compose_plan(["task=serve", "task.queue_limit=3", "tracking=none"])


def desk_in(folder: Path, plan: Plan, choices: Choices, wire: Wire) -> Desk:
    """A desk whose runs and jobs lie in `folder`."""
    outputs = folder / "outputs"
    outputs.mkdir()
    own = [f"paths.outputs={outputs}", f"paths.state={folder}", "tracking=none"]
    return Desk(
        plan=replace(plan, paths=Paths(outputs=str(outputs), state=str(folder))),
        own_words=own,
        compose=compose_plan,
        survey=lambda: _surveyed(outputs),
        choices=choices,
        wire=wire,
        jobs=JobStore(folder / "jobs"),
        roster=Roster(folder / "live"),
    )


@pytest.fixture
def desk(tmp_path, composed_plan, choices, wire) -> Desk:
    return desk_in(tmp_path, composed_plan, choices, wire)


@pytest.fixture
def client(desk) -> Iterator[TestClient]:
    with served(desk) as client:
        yield client


@pytest.fixture(scope="session")
def common(tmp_path_factory, composed_plan, choices, wire) -> Iterator[TestClient]:
    """One server for the tests that leave nothing behind."""
    with served(desk_in(tmp_path_factory.mktemp("common"), composed_plan, choices, wire)) as client:
        yield client


@contextmanager
def served(desk: Desk, **settings: Any) -> Iterator[TestClient]:
    """Whoever asks bears the token; what the server did not expect is a 500, as on a socket."""
    app = create_app(desk, Token(TOKEN), **{"failed_seconds": 0.0, **settings})
    with TestClient(
        app,
        base_url="http://127.0.0.1",
        headers=AUTHORIZATION,
        raise_server_exceptions=False,
    ) as client:
        yield client


@pytest.fixture
def registered(desk) -> Callable[[], None]:
    """Write a registry with one model of two versions, whose bundles are there."""

    def write() -> None:
        versions = []
        for number in (1, 2):
            bundle = desk.outputs / "runs" / f"run{number}" / "folds" / "w" / "seed=0" / "bundle"
            facts = {"train_end": f"2022-0{number}-01"}
            card = Card(
                agent="sac", fold="w", seed=0, a0=0.0, b0=0.0, data_fingerprint="", code_hash="",
                facts=facts,
            )  # fmt: skip
            write_json(bundle / "card.json", card.as_dict())
            tags = {
                "bundle": str(bundle.relative_to(desk.outputs)),
                "symbol": "TQQQ",
                "data_source": "synthetic",
                "train_end": f"2022-0{number}-01",
                "run_key": f"run{number}",
            }
            versions.append(
                {"number": number, "created_ms": number, "run_id": "", "source": "", "tags": tags}
            )
        model = {"aliases": {"champion": 1}, "versions": versions, "alias_changes": []}
        content = {"schema_version": 1, "store": None, "models": {MODEL: model}}
        write_json(desk.outputs / "registry.json", content)

    return write
