"""What the page says of runs and models that are there: written by hand, nothing is trained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from intraday_rl.config import compose_plan, saved
from intraday_rl.records import RunFolder, write_json, write_text
from intraday_rl.tracking.registry_file import (
    AliasChange,
    ModelVersion,
    RegisteredModel,
    Registry,
    write_registry,
)
from tests.web.console.conftest import expect, serving, signed_in

pytestmark = pytest.mark.slow("console")

NAME = "intraday_rl.synthetic.TQQQ.sac"
TUNED = "aaaa000000000000"
DAYS = ["2021-01-04", "2021-01-05"]
OUTCOMES = {
    1: {},
    2: {"outcome": "promoted", "gate": "not_inferior", "parent": f"{NAME}:1"},
    3: {"outcome": "kept", "gate": "not_proven", "parent": f"{NAME}:2"},
    4: {"outcome": "promoted", "gate": "promote_always", "parent": f"{NAME}:2"},
    5: {"outcome": "pending", "parent": f"{NAME}:2"},
}


def moved(*versions: int) -> tuple[AliasChange, ...]:
    """The champion's way through these versions."""
    before = [None, *versions]
    return tuple(
        AliasChange("champion", version, before[at], f"2026-01-0{at + 1}T00:00:00+00:00", "")
        for at, version in enumerate(versions)
    )


def write_models(outputs: Path, changes: tuple[AliasChange, ...]) -> None:
    versions = tuple(
        ModelVersion(NAME, number, 0, "", "", {"symbol": "TQQQ", "kind": "fine_tune", **tags})
        for number, tags in OUTCOMES.items()
    )
    aliases = {"champion": changes[-1].version}
    model = RegisteredModel(NAME, versions, aliases, changes)
    write_registry(outputs, Registry(None, {NAME: model}))


def write_run(outputs: Path, key: str, *words: str, days: list[str] = DAYS) -> None:
    """A walk-forward that is over, on two test days."""
    run = RunFolder.of(str(outputs), key)
    plan = saved(compose_plan(words))
    facts = {"symbol": plan.values["symbol"], "agent": "sac", "reward": "dsr"}
    write_json(run.data, {**facts, "fold_keys": {}})
    returns = {"as_traded": [0.0, 0.01], "hold": [0.0, 0.0]}
    verdict = {"verdict": "no_edge", "dates": days, "daily_returns": returns}
    write_json(run.verdict, verdict)
    write_text(run.plan, plan.text)


def write_fine_tune(outputs: Path) -> None:
    """One that the gate did not let pass, and that was promoted all the same."""
    run = RunFolder.of(str(outputs), TUNED)
    write_json(run.data, {"symbol": "TQQQ", "agent": "sac", "kind": "fine_tune", "fold_keys": {}})
    span = {"first_session": DAYS[0], "last_session": DAYS[1], "sessions": 2}
    content: dict[str, Any] = {
        "outcome": "promoted",
        "parent": {"name": NAME, "version": 2, "run_key": None, "last_seen": DAYS[0]},
        "options": {"timesteps": 10},
        "tuning": span,
        "held_out": span,
        "checks": [],
        "gate": {
            "passed": False, "promoted": True, "reason": "promote_always", "finding": "not_proven",
            "margin_bps_per_day": 1.0, "trades": 3, "comparisons": [],
        },
        "registry": {"name": NAME, "version": 4, "alias": "champion", "alias_moved": True},
    }  # fmt: skip
    write_json(run.fine_tune, content)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    outputs = folder / "outputs"
    write_models(outputs, moved(1, 2, 4))
    write_fine_tune(outputs)
    write_run(outputs, "bbbb", "agent=hold")
    write_run(outputs, "cccc", "env/slippage=bps", "data.end=2022-12-31", "data.bar_minutes=30")
    write_run(outputs, "dddd", "reward=net_return")
    write_run(outputs, "eeee", "agent=hold", days=["2021-01-04", "2021-01-06"])
    with serving(folder) as server:
        yield server


def row(page, version: int):
    found = page.locator(
        "tbody tr", has=page.locator("strong", has_text=re.compile(f"^{version}$"))
    )
    expect(found).to_have_count(1)
    return found


def test_a_version_says_what_the_gate_made_of_it(server, page):
    page.goto(f"{server.url}#/models")
    expect(row(page, 2)).to_contain_text("The gate let it pass")
    expect(row(page, 3)).to_contain_text("kept")
    expect(row(page, 3)).to_contain_text("is not proven")
    expect(row(page, 4)).to_contain_text("promoted against it")
    expect(row(page, 4).locator(".badge.warn")).to_have_text("promoted")
    expect(row(page, 5)).to_contain_text("pending")
    expect(page.get_by_role("button", name="Promote version 5")).to_have_count(0)
    page.get_by_role("button", name="Promote version 3").click()
    expect(page.get_by_role("dialog")).to_contain_text("is not proven")
    versions = server.ask("api/models")["models"][0]["versions"]
    assert [one["gate"] for one in versions] == [
        None, "promote_always", "not_proven", "not_inferior", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("way", "back"),
    [((1,), None), ((1, 2), 1), ((1, 2, 4), 2), ((1, 2, 1), None), ((1, 2, 4, 2), 1),
     ((1, 2, 1, 2), 1), ((1, 5, 2), None)],
)  # fmt: skip
def test_back_leads_to_the_champion_of_before_and_never_to_what_was_rolled_back(
    server, page, way, back
):
    write_models(server.folder / "outputs", moved(*way))
    page.goto(f"{server.url}#/models")
    expect(page.get_by_text(f"Champion: version {way[-1]}.")).to_be_visible()
    buttons = page.get_by_role("button", name=re.compile("^Roll back"))
    expect(buttons).to_have_count(0 if back is None else 1)
    if back is not None:
        expect(buttons).to_have_text(f"Roll back to version {back}")


def test_what_was_promoted_against_the_gate_is_not_said_to_have_passed_it(server, page):
    page.goto(f"{server.url}#/runs/{TUNED}")
    verdict = page.locator("p.verdict")
    expect(verdict).to_contain_text("The gate did not let it pass: promoted against it")
    expect(verdict).not_to_contain_text("gate let")
    expect(page.get_by_role("heading", name="Gate: not passed, promoted")).to_be_visible()


def test_runs_of_different_worlds_are_said_to_be_before_they_are_compared(server, page):
    page.goto(f"{server.url}#/compare/bbbb,cccc")
    warning = page.get_by_text("These runs are of different worlds")
    expect(warning).to_contain_text("(data, slippage)")
    above = "([one, other]) => !!(one.compareDocumentPosition(other) & 4)"
    handles = [warning.element_handle(), page.locator("main table").first.element_handle()]
    assert page.evaluate(above, handles)
    page.goto(f"{server.url}#/compare/bbbb,eeee")
    expect(warning).to_contain_text("(test days)")
    page.goto(f"{server.url}#/compare/bbbb,dddd")  # a choice makes no other world
    settings = page.get_by_role("table", name="Settings that differ")
    expect(settings).to_contain_text("kinds.agent")
    expect(warning).to_have_count(0)
    expect(settings.get_by_role("cell", name="agent", exact=True)).to_have_count(0)
    expect(settings).not_to_contain_text("{}")


@pytest.mark.parametrize("address", ["runs/%zz", "jobs/%", "fine-tune/%e0%a4%a", "compare/%,b"])
def test_an_address_that_is_none_is_answered_by_the_view_that_was_meant(server, page, address):
    page.goto(f"{server.url}#/{address}")
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(page.get_by_role("navigation", name="Views")).to_be_visible()


def test_an_address_of_no_view_is_the_first_one(server, page):
    for address in ("constructor", "nowhere", "__proto__/x"):
        page.goto(f"{server.url}#/{address}")
        expect(page.get_by_role("heading", level=1, name="Train")).to_be_visible()


def test_on_a_phone_what_the_form_is_for_stays_in_reach(server, browser):
    size = {"width": 390, "height": 844}
    with signed_in(browser, server, viewport=size, has_touch=True) as page:
        dry_run = page.get_by_role("button", name="Dry run")
        start = page.get_by_role("button", name="Start", exact=True)
        for scrolled in (0, 2_000, 100_000):
            page.evaluate(f"scrollTo(0, {scrolled})")
            for button in (dry_run, start):
                expect(button).to_be_in_viewport(ratio=1)
        last = page.locator("main *:visible").last
        assert last.bounding_box()["y"] < 844
        page.locator("[id='choice-agent']").select_option("hold")
        start.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Job")
        # Nothing that has the focus is hidden behind the bar.
        page.goto(f"{server.url}#/train")
        for _ in range(60):
            page.keyboard.press("Tab")
            assert page.evaluate(
                "(() => { const one = document.activeElement;"
                "  const bar = document.querySelector('.begin');"
                "  const above = one.getBoundingClientRect().top < bar.getBoundingClientRect().top;"
                "  return above || bar.contains(one) || one === document.body; })()"
            )
