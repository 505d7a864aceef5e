"""What is not as usual: names with scripts in them, a wrong token, no mouse, a narrow screen."""

from __future__ import annotations

import pytest

from intraday_rl.records import RunFolder, write_json
from intraday_rl.tracking.registry_file import (
    ModelVersion,
    RegisteredModel,
    Registry,
    write_registry,
)
from tests.web.console.conftest import expect, serving, signed_in

pytestmark = pytest.mark.slow("console")

SCRIPT = "<script>window.hacked = 1</script>"
IMAGE = '<img src=x onerror="window.hacked = 1">'
KEY = "0123456789abcdef"
NAME = f"intraday_rl.synthetic.{IMAGE}.sac"
VIEWS = (
    "train", "jobs", "runs", "models", f"runs/{KEY}", f"compare/{KEY},{KEY}", "runs/0000",
    "fine-tune/intraday_rl.synthetic.none.sac%3A1",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server whose run and model have scripts for names, and nothing else."""
    folder = tmp_path_factory.mktemp("hostile")
    outputs = folder / "outputs"
    run = RunFolder.of(str(outputs), KEY)
    facts = {"symbol": IMAGE, "agent": SCRIPT, "reward": SCRIPT, "windows": SCRIPT}
    write_json(run.data, {**facts, "synthetic": True, "data_notes": [SCRIPT], "fold_keys": {}})
    write_json(run.verdict, {"verdict": IMAGE, "test_window_looks": {SCRIPT: {"window": 2}}})
    run.command.write_text(IMAGE)
    run.plan.write_text(f"symbol: {IMAGE}\n")
    tags = {"symbol": IMAGE, "agent": SCRIPT, "kind": SCRIPT, "window": IMAGE, "run_key": SCRIPT}
    version = ModelVersion(NAME, 1, 0, "", "", tags)
    write_registry(outputs, Registry(None, {NAME: RegisteredModel(NAME, (version,))}))
    with serving(folder) as server:
        yield server


@pytest.mark.parametrize("view", VIEWS[2:6])
def test_a_script_in_a_name_is_shown_as_text(server, page, view):
    page.goto(f"{server.url}#/{view}")
    expect(page.get_by_role("main")).to_contain_text(IMAGE)
    assert page.evaluate("window.hacked") is None
    assert page.locator("main script, main img").count() == 0


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_no_view_is_wider_than_the_screen(server, browser, width, scheme):
    options = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
    with signed_in(browser, server, **options) as page:
        for view in VIEWS:
            page.goto(f"{server.url}#/{view}")
            expect(page.locator("main [aria-busy=true]")).to_have_count(0)
            found = page.evaluate("document.documentElement.scrollWidth")
            assert found <= width, (view, found)


def test_a_wrong_token_is_refused_and_the_right_one_stays_in_the_tab_only(server, browser):
    with signed_in(browser, server) as page:
        assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
        page.reload()
        page.get_by_role("heading", level=1, name="Train").wait_for()
        page.get_by_role("button", name="Leave").click()
        page.get_by_label("Token").fill("another-token-that-nobody-gave-out")
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_role("alert")).to_have_text("The server does not know this token.")
        assert page.evaluate("sessionStorage.length") == 0


def test_everything_is_reached_by_keyboard_and_a_dialog_gives_the_focus_back(server, page):
    expect(page.get_by_role("button", name="balanced")).to_be_visible()  # the presets have come
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("[aria-pressed=true]")).to_have_count(1)
    focused = page.locator(":focus-visible")
    assert focused.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"

    page.goto(f"{server.url}#/models")
    promote = page.get_by_role("button", name="Promote version 1")
    promote.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        # Past the last control the browser's own bar may have it; never the page behind.
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(promote).to_be_focused()


def test_nothing_runs_but_the_files_of_the_server(server, browser):
    page = browser.new_page()
    answer = page.goto(server.url)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), "
        "{textContent: 'window.hacked = 1'}))"
    )
    assert page.evaluate("window.hacked") is None
    page.close()


def test_a_refusal_of_something_inside_a_field_is_said_at_the_field(server, page):
    page.locator("[id='choice-windows']").select_option("explicit")
    folds = page.locator("[id='field-windows.folds']")
    folds.fill('[{"train_start": "2018-01-01"}]')
    expect(page.locator("[id='field-windows.folds-problem']")).to_contain_text("must have exactly")
    expect(folds).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("1 field(s) to mend: windows.folds.0")).to_be_visible()


def test_a_refusal_of_what_no_field_shows_stands_above_the_form(server, page):
    detail = [{"loc": ["body", "agent", "nowhere"], "msg": "is refused", "type": "refused"}]
    page.route(
        "**/api/walk-forward/command",
        lambda route: route.fulfill(status=422, json={"detail": detail}),
    )
    page.locator("[id='choice-agent']").select_option("hold")
    expect(page.get_by_label("Options").get_by_text("agent.nowhere: is refused")).to_be_visible()
