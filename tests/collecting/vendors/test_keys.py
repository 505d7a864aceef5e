"""A key is in the environment and in the requests; nowhere else, whatever goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.collecting.vendors.conftest import Command, Place
from tests.collecting.vendors.serving import Reply
from tests.collecting.vendors.test_vendors import BUSY, PASSING

pytestmark = pytest.mark.slow("vendors")
ROOT = Path(__file__).parents[3]


def echo(place: Place, status: int) -> Reply:
    """A refusal that repeats the keys."""
    words = f"what are {' and '.join(place.secrets)} to you?"
    return Reply({"message": words, "code": status, "status": "error"}, status)


def loud(place: Place) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own, with every log and every traceback there is."""
    return subprocess.run(
        [sys.executable, "-m", "tests.collecting.vendors.impatient", *place.overrides],
        cwd=ROOT, env={**os.environ, "HYDRA_FULL_ERROR": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(params=["alpaca", "twelvedata"])
def keyed(request: pytest.FixtureRequest) -> Place:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Place)
    return found


def assert_nowhere(place: Place, *streams: str) -> None:
    for secret in place.secrets:
        assert not any(secret in stream for stream in streams)
        for file in place.folder.rglob("*"):
            assert secret not in str(file)
            assert not file.is_file() or secret.encode() not in file.read_bytes()


@pytest.mark.parametrize("what", ["works", "400", "401", "403", "404", "418", "busy", *PASSING])
def test_a_key_is_nowhere_after_success_and_each_kind_of_failure(keyed: Place, what: str) -> None:
    if what == "busy":
        keyed.server.faults += [BUSY[keyed.vendor]] * 50
    elif what in PASSING:
        keyed.server.faults += [PASSING[what]] * 50
    elif what != "works":
        keyed.server.faults += [echo(keyed, int(what))] * 50
    ended = loud(keyed)
    assert ended.returncode == (0 if what == "works" else 3), ended.stderr[-2000:]
    assert "DEBUG" in ended.stderr
    assert_nowhere(keyed, ended.stdout, ended.stderr)


def test_a_refused_key_says_which_variable_to_look_at(keyed: Place, command: Command) -> None:
    keyed.server.faults += [echo(keyed, 401)] * 50
    ended = command(*keyed.overrides)
    assert ended.status == 3
    name = {"alpaca": "APCA_API_SECRET_KEY", "twelvedata": "TWELVEDATA_API_KEY"}[keyed.vendor]
    assert name in ended.err.splitlines()[-1]
    assert len(keyed.server.asked) == 1  # asking again would not help
    assert_nowhere(keyed, ended.out, ended.err)


@pytest.mark.parametrize("value", [None, "", "a key\nof two lines", "ключ"])
def test_a_missing_or_mistaken_key_is_refused_by_its_name_and_not_shown(
    keyed: Place, command: Command, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    name = {"alpaca": "APCA_API_SECRET_KEY", "twelvedata": "TWELVEDATA_API_KEY"}[keyed.vendor]
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    ended = command(*keyed.overrides)
    assert ended.status == 2
    assert name in ended.err
    assert not value or value.split()[-1] not in ended.err
    assert keyed.server.asked == []


def test_a_dry_run_needs_no_key(
    keyed: Place, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "TWELVEDATA_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    ended = command(*keyed.overrides, "dry_run=true")
    assert ended.status == 0, ended.err
    assert "8 months to fetch" in ended.out
    assert keyed.server.asked == []
