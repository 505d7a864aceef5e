"""Days of an agent over HTTP: over or still on, and nothing but what lies in its own folders."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from intraday_rl.records import write_json, write_text

DAY, NEXT = "2022-03-14", "2022-03-15"
SCRIPT = "<script>alert(1)</script>"
RESULT = {
    "day": DAY,
    "net_return_bps": -3.25,
    "equity_before": 100_000.0,
    "equity_after": 99_967.5,
    "orders": {"sent": 7, "filled": 7},
    "skipped": {"late": 1, "stale_data": 2},
    "alarms": [SCRIPT],
    "exit": {"reason": "cutoff", "filled_at": "2022-03-14 19:45:00+00:00"},
}
TRAVERSALS = (  # a client resolves ".." by itself, and asks for something else
    "../beta", "../../etc/passwd", "..\\..", "a/../b", "\0", "~", "/etc/passwd", "alpha\n",
    "alpha.sqlite", "ALPHA", "é", "x" * 10_000, "2022-03-14/..", "２０22-03-14",
)  # fmt: skip


@pytest.fixture
def alpha(desk):
    """An agent with a day that is over and one that is on."""
    roster = desk.roster
    roster.create("alpha", {}, ("task=paper",), auto_restart=True, now="2022-03-14T00:00:00+00:00")
    write_json(roster.sessions("alpha") / DAY / "session.json", RESULT)
    shown = desk.outputs / "paper" / "alpha" / DAY
    write_json(shown / "session.json", RESULT)
    write_text(shown / "report.html", f"<html>{SCRIPT}</html>")
    entries = [
        {"number": n, "event": "bar", "time": "2022-03-15 13:35:00+00:00"} for n in range(300)
    ]
    entries[3] = {**entries[3], "event": "alarm", "text": "the policy failed"}
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    write_text(roster.sessions("alpha") / NEXT / "journal.jsonl", lines + '{"number": 300, "ev')
    return roster


def test_days_are_listed_with_what_they_came_to_the_newest_first(client, alpha):
    on, over = client.get("/api/agents/alpha/sessions").json()["sessions"]
    assert over == {
        "day": DAY, "closed": True, "net_return_bps": -3.25, "equity_before": 100_000.0,
        "equity_after": 99_967.5, "exit_reason": "cutoff",
        "exit_at": "2022-03-14 19:45:00+00:00", "orders": 7, "skipped": 3, "alarms": [SCRIPT],
        "has_report": True,
    }  # fmt: skip
    assert (on["day"], on["closed"], on["net_return_bps"], on["orders"]) == (
        NEXT, False, None, None,
    )  # fmt: skip
    assert len(client.get("/api/agents/alpha/sessions?limit=1").json()["sessions"]) == 1
    for limit in ("0", "1001", "x"):
        assert client.get(f"/api/agents/alpha/sessions?limit={limit}").status_code == 422


def test_a_session_that_is_on_shows_its_last_lines_and_every_alarm(client, alpha):
    found = client.get(f"/api/agents/alpha/sessions/{NEXT}").json()
    assert (found["result"], found["closed"]) == (None, False)
    assert [one["number"] for one in found["journal"]] == list(range(100, 300))
    assert found["alarms"] == ["the policy failed"]


def test_a_session_that_is_over_shows_its_result_also_when_the_outputs_are_gone(client, alpha):
    found = client.get(f"/api/agents/alpha/sessions/{DAY}").json()
    assert (found["result"], found["journal"]) == (RESULT, [])
    (alpha.sessions("alpha") / DAY / "session.json").unlink()
    assert client.get(f"/api/agents/alpha/sessions/{DAY}").json()["result"] == RESULT


def test_what_is_damaged_counts_as_not_there(client, alpha):
    journal = alpha.sessions("alpha") / NEXT / "journal.jsonl"
    journal.write_bytes(b'\xff\xfe\n[1]\n"x"\n{"number": 0, "event": "bar"}\n')
    found = client.get(f"/api/agents/alpha/sessions/{NEXT}").json()
    assert found["journal"] == [{"number": 0, "event": "bar"}]
    (alpha.sessions("alpha") / DAY / "session.json").write_text('{"day"')
    assert client.get(f"/api/agents/alpha/sessions/{DAY}").json()["closed"]


def test_a_report_may_run_nothing(client, alpha):
    answer = client.get(f"/api/agents/alpha/sessions/{DAY}/report")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "sandbox;" in policy
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_is_not_there_is_404(client, alpha):
    for path in (
        "nobody/sessions", f"nobody/sessions/{DAY}", f"nobody/sessions/{DAY}/report",
        "alpha/sessions/2022-03-16", "alpha/sessions/9999-99-99",
        f"alpha/sessions/{NEXT}/report", "alpha/sessions/2022-03-16/report",
    ):  # fmt: skip
        assert client.get(f"/api/agents/{path}").status_code == 404, path


@pytest.mark.parametrize("text", TRAVERSALS, ids=range(len(TRAVERSALS)))
def test_no_name_and_no_day_leads_anywhere_else(client, alpha, text):
    for path in (
        "{}", "{}/sessions", f"{{}}/sessions/{DAY}", f"{{}}/sessions/{DAY}/report",
        "alpha/sessions/{}", "alpha/sessions/{}/report",
    ):  # fmt: skip
        for quoted in (quote(text, safe=""), quote(quote(text, safe=""), safe="")):
            answer = client.get("/api/agents/" + path.format(quoted))
            assert answer.status_code in (404, 422), (path, answer.text)
            assert set(answer.json()) == {"detail"}
    for path in ("{}/start", "{}/stop", "{}/run-once"):
        answer = client.post("/api/agents/" + path.format(quote(text, safe="")))
        assert answer.status_code in (404, 405, 422), path
    assert client.delete(f"/api/agents/{quote(text, safe='')}").status_code in (404, 405, 422)
    assert client.get("/api/agents/alpha").json()["status"] == "stopped"


def test_a_report_that_is_a_link_to_elsewhere_is_not_shown(client, alpha, desk):
    elsewhere = desk.outputs.parent / "elsewhere.html"
    elsewhere.write_text("secret")
    report = desk.outputs / "paper" / "alpha" / DAY / "report.html"
    report.unlink()
    report.symlink_to(elsewhere)
    assert client.get(f"/api/agents/alpha/sessions/{DAY}/report").status_code == 404
