"""The view of sessions in a headless browser, on a roster that the test fills: no session runs."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from intraday_rl.roster.agent import AgentStatus
from intraday_rl.tasks import RiskLimits
from tests.web.console.agents_at_work import (
    BEFORE,
    DAY,
    finish,
    journal,
    make,
    order,
    register,
    roster_of,
    trade,
)
from tests.web.console.conftest import expect, serving, signed_in, until

pytestmark = pytest.mark.slow("console")

SCRIPT = "<script>window.hacked = 1</script>"
IMAGE = '<img src=x onerror="window.hacked = 1">'
SEEN_SECONDS = 20.0


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Its scheduler is off: whatever the exchange does meanwhile, no session is begun."""
    folder = tmp_path_factory.mktemp("sessions")
    register(folder)
    words = (
        "task.agents=false", "tracking=none", "task.feed_bar_label=start",
        f"task.feed_folder={folder / 'bars'}",
    )  # fmt: skip
    with serving(folder, *words) as server:
        yield server


@pytest.fixture
def roster(server):
    """Empty before each test."""
    roster = roster_of(server.folder)
    with sqlite3.connect(roster.folder / "agents.sqlite") as rows:
        rows.execute("DELETE FROM agents")
    rows.close()
    return roster


def row(page, name: str):
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def test_an_agent_is_made_started_stopped_and_removed(server, roster, page):
    page.get_by_role("link", name="Sessions", exact=True).click()
    expect(page.get_by_text("There is no agent yet.")).to_be_visible()
    page.get_by_role("link", name="New agent").click()

    # The form: help and units, and only fields that apply.
    loss = page.get_by_label("daily_loss_limit fraction of the session's first equity")
    expect(loss).to_have_value(str(RiskLimits().daily_loss_limit))
    broker, bridge = (
        page.locator("[id='field-task.broker']"),
        page.locator("[id='field-task.bridge_ttl_seconds']"),
    )
    expect(bridge).to_have_count(0)
    broker.select_option("alpaca")
    expect(bridge).not_to_have_value("")
    bridge.fill("5")
    broker.select_option("paper")
    expect(bridge).to_have_count(0)
    create = page.get_by_role("button", name="Create the agent")
    expect(create).to_be_disabled()

    # What the server refuses stands at its field.
    name = page.get_by_label("name", exact=True)
    name.fill("Alpha")
    page.get_by_label("model", exact=True).fill("champion")
    expect(page.locator("[id='field-name-problem']")).to_contain_text("match")
    name.fill("alpha")
    loss.fill("2")
    expect(page.locator("[id='field-task.risk.daily_loss_limit-problem']")).to_contain_text(
        "(0, 1]"
    )
    loss.fill("0.02")
    command = page.get_by_label("Command line", exact=True)
    expect(command).to_contain_text("task.risk.daily_loss_limit=0.02")
    expect(command).not_to_contain_text("bridge_ttl_seconds")
    create.click()

    expect(page.get_by_role("heading", level=1, name="Agent alpha")).to_be_visible()
    made = roster.get("alpha")
    assert made.payload == {
        "name": "alpha", "model": "champion", "risk": {"daily_loss_limit": 0.02},
    }  # fmt: skip
    assert made.status is AgentStatus.stopped

    page.get_by_role("link", name="back to all agents").click()
    alpha = row(page, "alpha")
    alpha.get_by_role("button", name="Run once: alpha").click()
    expect(alpha).to_contain_text("running once")
    alpha.get_by_role("button", name="Stop: alpha", exact=True).click()
    expect(alpha).to_contain_text("stopped")
    alpha.get_by_role("button", name="Start: alpha").click()
    expect(alpha).to_contain_text("waits for the next one")
    assert not roster.get("alpha").once
    expect(alpha.get_by_role("button", name="Remove: alpha")).to_be_disabled()
    alpha.get_by_role("button", name="Stop: alpha", exact=True).click()
    alpha.get_by_role("button", name="Remove: alpha").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("There is no agent yet.")).to_be_visible()
    assert roster.all() == []


def test_a_session_is_seen_as_it_goes_in_new_yorks_time(server, roster, browser):
    make(roster, "alpha")
    trade(roster, "alpha")
    journal(
        roster, "alpha", {"event": "opened"}, {"event": "bar", "bar_end": f"{DAY} 14:35:00+00:00"}
    )
    finish(server.folder, "alpha")
    with signed_in(browser, server, timezone_id="Asia/Tokyo") as page:
        page.goto(f"{server.url}#/sessions")
        alpha = row(page, "alpha")
        for text in ("trading", DAY, "1,250", "$100,413.00", "+41.3 bp", "ACTIVE", "10:35:00"):
            expect(alpha).to_contain_text(text)
        expect(alpha).to_contain_text("1 skipped")
        trade(roster, "alpha", last_bar_end=None, last_bar_age_seconds=None, skipped=5)
        expect(alpha).to_contain_text("none yet", timeout=5_000)
        trade(roster, "alpha", position=-80.0, risk_state="REDUCING", risk_reason="feed_silent")
        expect(alpha).to_contain_text("−80", timeout=5_000)
        expect(alpha).to_contain_text("REDUCING")
        expect(alpha).to_contain_text("feed silent")

        # Stopping one that trades says what will happen.
        alpha.get_by_role("button", name="Stop: alpha", exact=True).click()
        expect(page.get_by_role("dialog")).to_contain_text("the position is closed at once")
        page.keyboard.press("Escape")
        assert roster.get("alpha").status is AgentStatus.running

        page.get_by_role("link", name="alpha", exact=True).click()
        expect(page.get_by_role("table", name=re.compile("^Orders"))).to_contain_text("51.2375")
        log = page.get_by_label(re.compile("^Journal"))
        expect(log).to_contain_text("10:35:00  bar  bar_end=10:35:00")
        days = page.get_by_role("table", name=re.compile("^Net of all costs"))
        expect(days).to_contain_text("−12.4 bp")
        expect(days).to_contain_text("15:45:03 (cutoff)")
        with page.expect_download() as saved:
            page.get_by_role("button", name=f"Save the report of {BEFORE}").click()
        assert "the report" in saved.value.path().read_text("utf-8")
        page.get_by_role("link", name=BEFORE).click()
        expect(page.get_by_role("alert", name="Alarms")).to_contain_text("did not answer for 12 s")
        expect(page.get_by_text("3 s late")).to_be_visible()


def test_stop_everything_asks_once_and_says_what_it_does(server, roster, page):
    for name in ("alpha", "beta"):
        make(roster, name)
        trade(roster, name)
    page.goto(f"{server.url}#/sessions")
    before = roster.last_stop()
    everything = page.get_by_role("button", name="Stop everything")
    dialog = page.get_by_role("dialog")
    everything.click()
    expect(dialog).to_contain_text("flattened, then halted")
    expect(dialog).to_contain_text("Every agent stays halted until started again")
    dialog.get_by_role("button", name="No, go back").click()
    expect(page.locator("dialog")).to_have_count(0)  # not only closed: the page knows it, too
    assert roster.last_stop() == before

    everything.focus()  # and the same without a mouse
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Flatten and halt everything").focus()
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(everything).to_be_focused()
    assert roster.last_stop() == before + 1
    for name in ("alpha", "beta"):
        expect(row(page, name)).to_contain_text("halted")
        assert roster.asked(name, before) == "emergency_stop"
    alarms = page.get_by_role("alert", name="Alarms")
    expect(alarms).to_contain_text(re.compile(r"alpha: halted at .* \(asked for on the page\)"))
    row(page, "alpha").get_by_role("button", name="Start: alpha").click()
    expect(alarms).not_to_contain_text("alpha")


def test_the_emergency_stop_of_one_agent_leaves_the_other_at_work(server, roster, page):
    for name in ("alpha", "beta"):
        make(roster, name)
        trade(roster, name)
    page.goto(f"{server.url}#/sessions/alpha")
    page.get_by_role("button", name="Emergency stop: alpha").click()
    expect(page.get_by_role("dialog")).to_contain_text("The agent stays halted")
    page.get_by_role("button", name="Flatten and halt", exact=True).click()
    expect(page.get_by_role("alert", name="Alarms")).to_contain_text("halted")
    assert roster.get("beta").status is AgentStatus.running


def test_old_news_and_a_silent_server_are_seen_to_be_old(server, roster, page):
    make(roster, "alpha")
    trade(roster, "alpha")
    page.goto(f"{server.url}#/sessions")
    alpha = row(page, "alpha")
    expect(alpha).to_contain_text("s ago")
    expect(alpha).not_to_contain_text("stale")
    past = (datetime.now(UTC) - timedelta(minutes=3)).isoformat()
    with sqlite3.connect(roster.folder / "agents.sqlite") as rows:
        rows.execute("UPDATE agents SET updated_at = ?", (past,))
    rows.close()
    expect(alpha.locator(".badge.warn")).to_contain_text("stale: last heard 3 min ago")

    page.route("**/api/agents", lambda route: route.fulfill(status=503, body="{}"))
    expect(page.get_by_role("alert")).to_contain_text("the last that was heard", timeout=10_000)
    expect(page.locator(".stale")).to_have_count(1)
    page.unroute("**/api/agents")
    expect(page.locator(".stale")).to_have_count(0, timeout=10_000)


def test_a_session_without_a_process_and_a_failed_agent_stand_out(server, roster, page):
    make(roster, "alpha")
    trade(roster, "alpha")
    roster.process("alpha", None, None, 1)
    roster.failed("alpha", "status 3: the history ends with 2022-03-10")
    page.goto(f"{server.url}#/sessions")
    expect(row(page, "alpha")).to_contain_text("no process")
    alarms = page.get_by_role("alert", name="Alarms")
    expect(alarms).to_contain_text("alpha: status 3: the history ends with 2022-03-10")
    expect(alarms).to_contain_text("1,250 shares are open, and no process is at work on them")


def hostile(server, roster) -> None:
    """Names, reasons, alarms and orders with scripts in them, as no route would take them."""
    for name in (IMAGE, "alpha"):
        make(roster, name)
        trade(
            roster, name, risk_reason=SCRIPT, broker=IMAGE,
            orders=[order(1, reason=IMAGE, state=SCRIPT, client_id=IMAGE)],
        )  # fmt: skip
    roster.emergency_stop("alpha", SCRIPT + IMAGE, datetime.now(UTC).isoformat())
    roster.failed(IMAGE, SCRIPT * 20)
    journal(roster, "alpha", {"event": "alarm", "text": IMAGE}, {"event": SCRIPT, "reason": IMAGE})
    finish(
        server.folder, "alpha", alarms=[IMAGE], findings=[SCRIPT],
        risk=[{"time": IMAGE, "state": SCRIPT, "reason": IMAGE}],
        exit={"reason": IMAGE, "filled_at": SCRIPT, "due": IMAGE},
    )  # fmt: skip


@pytest.mark.parametrize("view", ["sessions", "sessions/alpha", f"sessions/alpha/{BEFORE}"])
def test_a_script_in_a_name_a_reason_or_an_alarm_is_shown_as_text(server, roster, page, view):
    hostile(server, roster)
    page.goto(f"{server.url}#/{view}")
    expect(page.get_by_role("alert", name="Alarms").first).to_contain_text(IMAGE)
    expect(page.get_by_role("main")).to_contain_text(SCRIPT)
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)
    assert page.evaluate("window.hacked") is None
    assert page.locator("main script, main img").count() == 0


def test_an_emergency_stop_of_a_hostile_name_is_refused_and_said(server, roster, page):
    hostile(server, roster)
    page.goto(f"{server.url}#/sessions")
    page.get_by_role("button", name=f"Emergency stop: {IMAGE}").click()
    page.get_by_role("button", name="Flatten and halt", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("match")
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light"), (390, "dark")])
def test_no_view_of_sessions_is_wider_than_the_screen(server, roster, browser, width, scheme):
    hostile(server, roster)
    options = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
    with signed_in(browser, server, **options) as page:
        for view in (
            "sessions",
            "sessions/alpha",
            f"sessions/alpha/{BEFORE}",
            "new-agent",
            "sessions/no",
        ):
            page.goto(f"{server.url}#/{view}")
            expect(page.locator("main [aria-busy=true]")).to_have_count(0)
            found = page.evaluate("document.documentElement.scrollWidth")
            assert found <= width, (view, found)
        page.goto(f"{server.url}#/sessions")
        everything = page.get_by_role("button", name="Stop everything")
        everything.click()
        box = page.get_by_role("dialog").get_by_role("article").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_an_emergency_stop_from_the_page_is_in_the_servers_log(server, roster, page):
    make(roster, "alpha")
    page.goto(f"{server.url}#/sessions")
    page.get_by_role("button", name="Stop everything").click()
    page.get_by_role("button", name="Flatten and halt everything").click()
    log = server.folder / "server.log"
    until(
        lambda: "emergency stop of everything (alpha)" in log.read_text(), "the log", SEEN_SECONDS
    )
