"""Requests made from the OpenAPI document, right and wrong ones: no 5xx, and nothing hangs."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from tests.service.conftest import Server

schemathesis = pytest.importorskip("schemathesis")

LONGEST_SECONDS = 60.0
A_ROUND = 40  # requests of one kind
ONE_DRY_RUN_IN = 200  # each is a process of its own, for seconds


@dataclass
class Asked:
    """How often each status came, and the slowest answer."""

    server: Server
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.statuses.values())

    def send(self, case: Any) -> None:
        if isinstance(case.body, dict) and self.count % ONE_DRY_RUN_IN:
            case.body.pop("dry_run", None)
        start = time.monotonic()
        answer = case.call(
            base_url=str(self.server.client.base_url),
            headers=dict(self.server.client.headers),
            timeout=LONGEST_SECONDS,
        )
        self.slowest = max(self.slowest, time.monotonic() - start)
        self.statuses[answer.status_code] += 1
        assert answer.status_code < 500, (case.method, case.path, case.body, answer.text)


def asked(server: Server, cases: int) -> Asked:
    """Rounds of right and of wrong requests to every route; streams, which do not end, left out."""
    document = server.client.get("/api/openapi.json").json()
    del document["paths"]["/api/jobs/{job_id}/events"]
    schema = schemathesis.openapi.from_dict(document)
    operations = [found.ok() for found in schema.get_all_operations()]
    kinds = [(one, mode) for one in operations for mode in schemathesis.GenerationMode]
    found = Asked(server)
    while found.count < cases:
        for operation, mode in list(kinds):
            strategy = operation.as_strategy(generation_mode=mode)
            try:
                given(case=strategy)(_settings(lambda case: found.send(case)))()
            except Unsatisfiable:  # without parameters nothing about a request can be wrong
                kinds.remove((operation, mode))
    return found


def _settings(function: Any) -> Any:
    return settings(
        max_examples=A_ROUND,
        deadline=None,
        database=None,
        print_blob=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(function)


@pytest.mark.slow("service-quick")
def test_hundreds_of_generated_requests_meet_no_error(server_of_the_module):
    assert asked(server_of_the_module, 300).count >= 300
    assert server_of_the_module.client.get("/health").status_code == 200


@pytest.mark.slow("service")
@pytest.mark.timeout(1_500)
def test_ten_thousand_generated_requests_meet_no_error(server_of_the_module):
    found = asked(server_of_the_module, 10_000)
    print(dict(found.statuses), f"slowest {found.slowest:.1f} s")
    assert {200, 202, 404, 422} <= set(found.statuses)
    assert found.slowest < LONGEST_SECONDS
    assert server_of_the_module.client.get("/health").status_code == 200
    assert "Traceback" not in server_of_the_module.log()
