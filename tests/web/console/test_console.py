"""The page in a headless browser, on a real server, from a preset to a promoted model."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.web.console.conftest import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow("console")

JOB_MS = 300_000
TINY = {
    "data.start": "2018-01-02",
    "data.end": "2018-07-31",
    "data.edge": "0.25",
    "windows.train_size": "4 months",
    "windows.test_size": "1 month",
    "windows.step": "10 years",
    "windows.validation_sessions": "20",
}
TINY_AGENT = {
    "agent.batch_size": "32",
    "agent.learning_starts": "64",
    "agent.net_arch": "8",
    "agent.total_timesteps": "640",
    "agent.eval_freq": "320",
    "agent.n_envs": "8",
}


def payload_of(page: Page) -> dict:
    return json.loads(page.get_by_label(re.compile(r"^Payload of POST")).inner_text())


def choose(page: Page, group: str, option: str) -> None:
    page.locator(f"[id='choice-{group}']").select_option(option)


def field(page: Page, key: str):
    return page.locator(f"[id='field-{key}']")


def fill(page: Page, values: dict[str, str]) -> None:
    """Type into fields; a section that is folded is opened first."""
    for key, value in values.items():
        if not field(page, key).is_visible():
            page.locator("fieldset", has=field(page, key)).locator("summary").click()
        field(page, key).fill(value)


def wait_for_the_job(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text("Job")
    over = page.get_by_role("link", name=re.compile("Open the result|See the models"))
    expect(over).to_be_visible(timeout=JOB_MS)


def test_from_a_preset_to_a_promoted_model_and_back(server, page):
    # A preset fills the form; a changed field is in the payload and on the command line.
    page.get_by_role("button", name=re.compile("^balanced")).click()
    expect(field(page, "agent.learning_rate")).to_have_value("0.0003")
    assert payload_of(page)["agent"]["learning_rate"] == 0.0003
    choose(page, "env/slippage", "cents")
    fill(page, {"env.slippage.per_share": "0.02"})
    assert payload_of(page)["env"]["slippage"] == {"kind": "cents", "per_share": 0.02}
    command = page.get_by_label("Command line", exact=True)
    expect(command).to_contain_text("env/slippage=cents")
    expect(command).to_contain_text("env.slippage.per_share=0.02")
    expect(command).to_contain_text("agent.learning_rate=0.0003")

    # Another agent: the fields of the first one go, and are not sent.
    choose(page, "agent", "hold")
    expect(field(page, "agent.learning_rate")).to_have_count(0)
    assert payload_of(page)["agent"] == {"kind": "hold"}
    expect(command).to_contain_text("agent=hold")
    expect(command).not_to_contain_text("learning_rate")
    choose(page, "agent", "sac")
    expect(field(page, "agent.learning_rate")).to_have_value("0.0003")

    # A refused value is said beside its field, and holds the start back.
    fill(page, {"agent.gamma": "1.5"})
    expect(page.locator("[id='field-agent.gamma-problem']")).to_contain_text("1")
    expect(field(page, "agent.gamma")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_disabled()
    fill(page, {"agent.gamma": "0.99"})

    # Dry run: windows and coverage.
    choose(page, "windows", "auto")
    fill(page, TINY | TINY_AGENT)
    page.locator("[id='field-selection.abstain']").click()
    page.get_by_role("button", name="Dry run").click()
    windows = page.get_by_role("table", name=re.compile("^Windows"))
    expect(windows).to_contain_text("2018-05-02 – 2018-06-01 (22)", timeout=60_000)
    expect(windows).to_contain_text("83 of 83 / 20 of 20 / 22 of 22")
    asked = payload_of(page)

    # Start: what was shown is what runs; progress to the end; the result.
    shown = command.inner_text()
    page.get_by_role("button", name="Start", exact=True).click()
    wait_for_the_job(page)
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "1")
    expect(page.get_by_role("table", name="Fits")).to_contain_text("640 of 640")
    expect(page.get_by_label("Log", exact=True)).to_contain_text("2018-05-02_2018-06-01")
    (job,) = server.ask("api/jobs")["jobs"]
    assert (job["command"], job["payload"]) == (shown, asked)
    page.get_by_role("link", name="Open the result").click()
    expect(
        page.get_by_text("Synthetic bars: this says nothing about a real market.")
    ).to_be_visible()
    results = page.get_by_role("table", name=re.compile("^Test days"))
    expect(results).to_contain_text(re.compile(r"as traded.*\d \[−?[\d.]+, −?[\d.]+\]"))
    expect(page.get_by_role("img", name=re.compile("What one dollar becomes"))).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the report").click()
    assert "<html" in saved.value.path().read_text("utf-8")

    # A second run, and both side by side.
    page.get_by_role("link", name="Train", exact=True).click()
    expect(field(page, "env.slippage.per_share")).to_have_value("0.02")
    choose(page, "agent", "hold")
    expect(command).to_contain_text("agent=hold")
    page.get_by_role("button", name="Start", exact=True).click()
    wait_for_the_job(page)
    page.get_by_role("link", name="Runs", exact=True).click()
    marks = page.get_by_role("checkbox", name=re.compile("^Compare "))
    expect(marks).to_have_count(2)
    page.get_by_label("Filter").fill("hold")
    expect(marks).to_have_count(1)
    page.get_by_label("Filter").fill("")
    for index in range(2):
        marks.nth(index).check()
    page.get_by_role("link", name="Compare 2 runs").click()
    expect(page.get_by_role("heading", level=1, name="Compare 2 runs")).to_be_visible()
    expect(page.get_by_role("table", name=re.compile("^Costs"))).to_contain_text("slippage")
    expect(page.get_by_role("table", name="Settings that differ")).to_contain_text("kinds.agent")

    # Fine-tune the model: dry run, then the gate's decision with its interval.
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("link", name="Fine-tune version 1").click()
    tiny = {"data.start": "2018-01-02", "data.end": "2018-08-31", "data.edge": "0.25"}
    fill(page, tiny | {"task.days": "", "task.sessions": "10", "task.timesteps": "320"})
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_role("table", name="Checks")).to_contain_text(
        "held-out days", timeout=60_000
    )
    page.get_by_role("button", name="Start the fine-tune").click()
    wait_for_the_job(page)
    page.get_by_role("link", name="Open the result").click()
    gate = page.get_by_label("Gate")
    expect(gate.get_by_role("heading")).to_contain_text(re.compile("Gate: (not )?passed"))
    expect(gate.get_by_role("table")).to_contain_text(re.compile(r"parent\s*20\s*.*\[.*, .*\]"))

    # Promote, promote the other one, and roll back.
    for version in (1, 2):
        page.get_by_role("link", name="Models", exact=True).click()
        page.get_by_role("button", name=f"Promote version {version}").click()
        page.get_by_role("dialog").get_by_label("Reason").fill(f"try {version}")
        page.get_by_role("button", name="Move the alias").click()
        wait_for_the_job(page)
    page.get_by_role("link", name="See the models").click()
    expect(page.get_by_text("Champion: version 2.")).to_be_visible()
    page.get_by_role("button", name="Roll back to version 1").click()
    page.get_by_role("button", name="Move the alias").click()
    wait_for_the_job(page)
    page.get_by_role("link", name="See the models").click()
    expect(page.get_by_text("Champion: version 1.")).to_be_visible()
    (model,) = server.ask("api/models")["models"]
    assert model["champion"] == 1
