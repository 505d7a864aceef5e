"""Attacks, one test each: who has no business here gets nothing, and holds up nobody."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from urllib.parse import quote

import anyio
import pytest
from starlette.testclient import TestClient

from intraday_rl.config import compose_plan
from intraday_rl.errors import ConfigError
from intraday_rl.web.guard import DEEPEST, LARGEST_BODY, BodyChecked, _depth
from intraday_rl.web.token import SHORTEST, Token, token_of
from tests.web.conftest import AUTHORIZATION, TOKEN, desk_in, served

JSON = {"Content-Type": "application/json"}


def every_route(client: TestClient) -> list[tuple[str, str]]:
    paths = client.get("/api/openapi.json").json()["paths"]
    found = [(method, path) for path, methods in paths.items() for method in methods]
    assert len(found) > 25
    values = {"{job_id}": "0" * 32, "{key}": "abc", "{name}": "alpha", "{day}": "2022-03-14"}
    for place, value in values.items():
        found = [(method, path.replace(place, value)) for method, path in found]
    return found


def test_every_route_but_health_needs_the_token(common):
    for method, path in [*every_route(common), ("get", "/api/openapi.json"), ("get", "/api/nope")]:
        for header in ("", "Bearer another-token-that-nobody-gave-out"):
            answer = common.request(method, path, headers={"Authorization": header})
            assert answer.status_code == (200 if path == "/health" else 401), path
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN},Bearer {TOKEN}",
        "Bearer \xe9".encode("latin-1"),
        "Bearer null",
    ],
)
def test_a_wrong_token_opens_nothing(common, header):
    assert common.get("/api/jobs", headers={"Authorization": header}).status_code == 401


def test_two_authorization_headers_open_nothing(common):
    twice = [("Authorization", "Bearer x"), *AUTHORIZATION.items()]
    with served_plain(common) as plain:
        assert plain.get("/api/jobs", headers=twice).status_code == 401


def served_plain(client: TestClient) -> TestClient:
    return TestClient(client.app, base_url="http://127.0.0.1")


def test_paths_that_only_look_open_need_the_token(common):
    for path in ("//health", "/health/", "/health/../api/jobs", "/console", "/HEALTH", "/api"):
        assert (
            common.get(f"http://127.0.0.1{path}", headers={"Authorization": ""}).status_code == 401
        ), path
    for path in ("/console/../api/jobs", "/console/..%2fapi/jobs", "/console/%2e%2e/api/jobs"):
        answer = common.get(path, headers={"Authorization": ""})
        assert answer.status_code in (401, 404), path
        assert "jobs" not in answer.json()


def test_comparing_takes_as_long_whatever_is_wrong():
    token = Token(TOKEN)

    first, last = b"Bearer x" + TOKEN[1:].encode(), b"Bearer " + TOKEN[:-1].encode() + b"x"
    quickest = dict.fromkeys((first, last), 1.0)
    for _ in range(2_000):  # in turn; the quickest is what the machine's other work leaves alone
        for header in quickest:
            start = time.perf_counter()
            assert not token.is_borne_by(header)
            quickest[header] = min(quickest[header], time.perf_counter() - start)
    assert 0.5 < quickest[first] / quickest[last] < 2.0


def test_a_failed_attempt_waits_and_holds_up_nobody_else(desk, caplog):
    with served(desk, failed_seconds=1.0) as client:
        waited: list[float] = []

        def attempt() -> None:
            start = time.perf_counter()
            headers = {"Authorization": "Bearer x"}
            client.get("/api/jobs%0d%0aroot:%20all%20is%20well", headers=headers)
            waited.append(time.perf_counter() - start)

        thread = threading.Thread(target=attempt)
        thread.start()
        start = time.perf_counter()
        assert client.get("/api/jobs").status_code == 200
        assert time.perf_counter() - start < 0.9
        thread.join()
    assert waited[0] >= 1.0
    (line,) = [record.getMessage() for record in caplog.records if "refused" in record.msg]
    assert "\n" not in line
    assert TOKEN not in caplog.text


def test_a_token_file_must_be_a_secret(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    for mode in (0o644, 0o640, 0o604, 0o660):
        file.chmod(mode)
        with pytest.raises(ConfigError, match="chmod 600"):
            token_of(str(file), {})
    file.chmod(0o600)
    assert token_of(str(file), {}).is_borne_by(AUTHORIZATION["Authorization"].encode())
    for text in ("", "short", "x" * (SHORTEST - 1), "with a space in the middle of it"):
        file.write_text(text)
        with pytest.raises(ConfigError, match=f"needs {SHORTEST} or more"):
            token_of(str(file), {})
    for wrong in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match=r"task\.token_file"):
            token_of(str(wrong), {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_token_file_of_another_user_is_refused(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    os.chown(file, 12345, 12345)
    with pytest.raises(ConfigError, match="yours alone"):
        token_of(str(file), {})


def test_without_a_token_nothing_is_served_wherever_it_would_listen():
    for environment in ({}, {"INTRADAY_RL_TOKEN": ""}, {"INTRADAY_RL_TOKEN": "short"}):
        with pytest.raises(ConfigError) as refused:
            token_of(None, environment)
        assert "short" not in str(refused.value)
    assert compose_plan(["task=serve"]).task.is_loopback
    assert not compose_plan(["task=serve", "task.host='0.0.0.0'"]).task.is_loopback


def test_a_request_to_another_host_is_refused(common):
    for host in ("evil.example", "127.0.0.1.evil.example", "", "127.0.0.1@evil.example"):
        answer = common.get("/api/jobs", headers={"Host": host})
        assert answer.status_code == 400, host
        assert "addressed to another host" in answer.json()["detail"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    for host in ("localhost:8000", "127.0.0.1:1", "[::1]:8000"):
        assert common.get("/api/jobs", headers={"Host": host}).status_code == 200, host


def test_an_address_of_ipv6_is_reached_by_the_name_that_a_browser_gives_it(tmp_path, choices, wire):
    plan = compose_plan(["task=serve", "task.host='fd00:0::0:1'", "tracking=none"])
    assert plan.task.shown_host == "[fd00::1]"
    with served(desk_in(tmp_path, plan, choices, wire)) as client:
        for host, status in (("[fd00::1]:8000", 200), ("[fd00::2]:8000", 400), ("[::1]", 200)):
            assert client.get("/api/jobs", headers={"Host": host}).status_code == status, host


def test_a_mistake_of_the_server_is_told_in_the_same_shape(desk):
    def survey():
        raise ZeroDivisionError("secret")

    with served(replace(desk, survey=survey)) as client:
        answer = client.get("/api/runs")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["detail"]


def test_what_is_not_json_is_refused_with_a_list_as_every_wrong_payload_is(common):
    answer = common.post("/api/walk-forward", content="{", headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][0] == "body"


def test_no_other_site_may_read_an_answer(common):
    origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for answer in (
        common.get("/api/jobs", headers=origin),
        common.options("/api/walk-forward", headers=origin),
        common.get("/health", headers=origin),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_every_answer_has_the_security_headers(common):
    for path in ("/health", "/", "/api/jobs", "/api/jobs/x", "/api/nope"):
        headers = common.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == ("no-cache" if path == "/" else "no-store")
    assert common.get("/api/jobs", headers={"Authorization": ""}).headers["x-frame-options"]


def test_a_huge_body_is_refused_also_if_it_does_not_say_so(common):
    huge = b'{"symbol": "' + b"x" * LARGEST_BODY + b'"}'
    assert common.post("/api/walk-forward", content=huge, headers=JSON).status_code == 413
    parts = (huge[i : i + 1_000] for i in range(0, len(huge), 1_000))
    assert common.post("/api/walk-forward", content=parts, headers=JSON).status_code == 413


@pytest.mark.parametrize("sign", ["[", '{"a":'])
def test_a_deeply_nested_body_is_refused(common, sign):
    answer = common.post("/api/walk-forward", content=sign * (DEEPEST + 1), headers=JSON)
    assert answer.status_code == 400
    assert "nested" in answer.json()["detail"]
    inside = '{"symbol": "' + "[" * 50 + '"}'
    assert common.post("/api/walk-forward", content=inside, headers=JSON).status_code == 422


@pytest.mark.parametrize(
    "body",
    ["", "{", "null", "[]", "1e999", "\x00", '{"symbol": NaN}', '{"seeds": [1e400]}',
     '{"seeds": [' + "9" * 5_000 + "]}", '{"symbol": "\\ud800"}', '"text"', "{'a': 1}"],
)  # fmt: skip
def test_what_is_no_payload_is_refused(common, body):
    answer = common.post("/api/walk-forward", content=body, headers=JSON)
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("piece", [b'\\"', b'"', b"\\", b'"\\', b"[", b'""', b'"["'])
def test_looking_for_brackets_takes_twice_as_long_for_twice_as_long_a_body(piece):
    """Also where no string ever ends."""
    sizes = (LARGEST_BODY // 16, LARGEST_BODY // 8, LARGEST_BODY // 4)
    bodies = {size: b'"' + piece * (size // len(piece) - 1) for size in sizes}
    quickest = dict.fromkeys(sizes, 60.0)
    for _ in range(5):  # in turn; the quickest is what the machine's other work leaves alone
        for size, body in bodies.items():
            start = time.perf_counter()
            _depth(body)
            quickest[size] = min(quickest[size], time.perf_counter() - start)
    assert quickest[sizes[1]] < 3 * quickest[sizes[0]]
    assert quickest[sizes[2]] < 3 * quickest[sizes[1]]


def test_brackets_count_outside_strings_only_also_when_a_string_never_ends():
    assert _depth(b'[{"[[[": "\\"[[["}, []]') == 2
    assert _depth(b'["[[[[') == 1
    assert _depth(b'["\\"[[[[') == 1


def test_a_body_of_thousands_of_mistakes_is_answered_by_the_first_ones(common):
    for payload in ({f"k{number}": 0 for number in range(6_000)}, {"seeds": ["x"] * 12_000}):
        answer = common.post("/api/walk-forward/command", json=payload)
        assert answer.status_code == 422
        assert len(answer.json()["detail"]) <= 100
        assert len(answer.content) < LARGEST_BODY


def test_a_body_of_another_kind_is_refused_so_that_no_form_can_send_one(common):
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        answer = common.post("/api/walk-forward", content="{}", headers={"Content-Type": media})
        assert answer.status_code == 415


def test_a_slow_body_is_given_up():
    sent = []

    async def app(scope, receive, send):
        raise AssertionError("the body never came")

    async def receive():
        await anyio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "headers": [], "path": "/api/walk-forward"}
    anyio.run(BodyChecked(app, body_seconds=0.1), scope, receive, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


TRAVERSALS = (
    "..", "../jobs", "../../etc/passwd", "..\\..", "a/../b", "\0", "a\0b", "~", "/etc/passwd",
    "c:", "a'b", "a;b", "abc\r\nx: y", "é", "\u202e", "x" * 10_000,
)  # fmt: skip


@pytest.mark.parametrize("name", TRAVERSALS, ids=range(len(TRAVERSALS)))
def test_no_id_leads_anywhere_else(common, name):
    for path in ("/api/jobs/{}", "/api/runs/{}", "/api/runs/{}/report", "/api/jobs/{}/events"):
        for quoted in (quote(name, safe=""), quote(quote(name, safe=""), safe="")):
            answer = common.get(path.format(quoted))
            assert answer.status_code in (404, 422), answer.text
            assert set(answer.json()) == {"detail"}


def test_a_run_that_is_a_link_to_elsewhere_is_not_shown(client, desk):
    elsewhere = desk.outputs.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "data.json").write_text('{"symbol": "secret"}')
    (elsewhere / "report.html").write_text("secret")
    (desk.outputs / "runs").mkdir()
    (desk.outputs / "runs" / "abc").symlink_to(elsewhere)
    for path in ("/api/runs/abc", "/api/runs/abc/report"):
        assert client.get(path).status_code == 404
    assert "secret" not in client.get("/api/runs").text


def test_headers_cannot_be_injected_by_what_was_sent(common):
    key = {"Idempotency-Key": "a\tb"}
    answer = common.post("/api/walk-forward", json={}, headers=key)
    assert answer.status_code == 422
    assert "a\tb" not in answer.text
    answer = common.get("/api/jobs/%0d%0aSet-Cookie:%20x=1")
    assert "set-cookie" not in answer.headers
