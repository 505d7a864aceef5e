"""The report: whole in one file, honest in words, readable when things went wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from intraday_rl.research.console import caveats
from intraday_rl.research.report import words, write_report
from intraday_rl.research.report.numbers import bounds, number, percent, with_interval
from intraday_rl.saved_plan import SavedPlan
from intraday_rl.statistics.intervals import Interval

MakeRun = Callable[..., Any]
PLOTLY = "/* plotly.js */"


class Page(HTMLParser):
    """Elements, attributes and text, the way a browser sees them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._inside: list[str] = []
        # The library is long and known: parsing a mark in its place is a matter of milliseconds.
        self.feed(html.replace(get_plotlyjs(), PLOTLY))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.texts.append(data)
        elif self._inside[-1] == "script":
            self.scripts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def report(run: Any) -> Page:
    return Page(write_report(run.folder, run.record, run.folds, run.verdict).read_text("utf-8"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, make_run: MakeRun) -> Page:
    return report(make_run(tmp_path_factory.mktemp("plain")))


def test_nothing_is_fetched(plain: Page) -> None:
    for _, attributes in plain.elements:
        for name in ("src", "srcset", "href", "data", "action", "poster"):
            address = attributes.get(name) or ""
            assert not address or address.startswith(("#", "data:")), (name, address)
    policy = next(meta["content"] for meta in plain.all("meta") if meta.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_plotly_stands_inside_once_and_does_not_end_its_script(plain: Page) -> None:
    assert "</script" not in get_plotlyjs().lower()
    assert [script.strip() for script in plain.scripts].count(PLOTLY) == 1


def test_plots_are_strict_json_with_a_place_and_words(plain: Page) -> None:
    places = {
        attributes["id"]: attributes["aria-label"]
        for attributes in plain.all("div")
        if attributes.get("class") == "plot"
    }
    given = [a["data-plot"] for a in plain.all("script") if a.get("class") == "plot-data"]
    assert given == list(places)
    assert all(places.values())
    plots = [script for script in plain.scripts if script.startswith('{"data"')]
    assert len(plots) == len(given)

    def refuse(constant: str) -> Any:
        raise AssertionError(constant)

    for plot in plots:
        json.loads(plot, parse_constant=refuse)


def test_markup_in_names_and_commands_is_text(tmp_path: Path, make_run: MakeRun) -> None:
    evil = "<script>alert(1)</script>"
    run = make_run(tmp_path, symbol=evil, data_notes=[evil], kinds=("plain", "failed"))
    run.folder.command.write_text(f"intraday-rl symbol='{evil}'", encoding="utf-8")
    record = SavedPlan(run.record.kinds, run.record.values, f"symbol: {evil}")
    html = write_report(run.folder, record, run.folds, run.verdict).read_text("utf-8")
    assert evil not in html
    assert "TrainingDiverged: <nan>" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4


def test_a_synthetic_run_says_so_first(plain: Page, tmp_path: Path, make_run: MakeRun) -> None:
    assert "Synthetic bars: this says nothing about a real market." in plain.text
    banner = plain.text.index("Synthetic bars")
    assert plain.text.index("On synthetic bars") < banner < plain.text.index("Would this agent")
    real = report(make_run(tmp_path, kinds=("plain",), synthetic=False, data_notes=[]))
    assert "ynthetic bars" not in real.text
    assert not [a for a in real.all("div") if a.get("class") == "banner"]


def test_every_caveat_is_stated_in_the_banner(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run(
        tmp_path,
        kinds=("failed", "no_trades"),
        reconstructed=True,
        fill="close",
        fill_is_same_bar=True,
        windows_built_from_closes={"2021": ["train", "test"], "2022": []},
    )
    verdict = {**run.verdict, "verdict": "no_trades"}
    lines = caveats(verdict)
    assert len(lines) == 6
    write_report(run.folder, run.record, run.folds, verdict)
    text = Page(run.folder.report.read_text("utf-8")).text
    above = text[: text.index("Would this agent")]
    assert all(line in above for line in lines)


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        (("plain", "failed"), "no answer, 1 of 2 test windows failed"),
        (("failed", "failed"), "no answer, 2 of 2 test windows failed"),
        (("abstained", "abstained"), "the agent stayed out"),
        (("no_trades", "no_trades"), "the agent never traded"),
        (("abstained", "no_trades"), "test windows"),
    ],
)
def test_a_run_without_a_number_still_reports(
    tmp_path: Path, make_run: MakeRun, kinds: tuple[str, ...], said: str
) -> None:
    page = report(make_run(tmp_path, kinds=kinds))
    assert said in page.text
    assert "nan" not in page.text.replace("<nan>", "").split()
    assert "None" not in page.text.split()


def test_one_seed_has_no_band_and_still_reports(tmp_path: Path, make_run: MakeRun) -> None:
    page = report(make_run(tmp_path, kinds=("plain",), seeds=(3,)))
    assert "lowest to highest of" not in "".join(page.scripts)
    assert "[no interval]" in page.text  # across seeds


def test_estimates_stand_beside_their_interval(plain: Page) -> None:
    assert "95 % interval by the stationary bootstrap" in plain.text
    assert re.search(r"Return after costs −?[\d.]+ % \[", plain.text)
    assert re.search(r"Sharpe ratio, annualised −?[\d.]+ \[−?[\d.]+, −?[\d.]+\]", plain.text)
    assert re.search(r"Lead over holding, a day −?[\d.]+ bp \[", plain.text)


def test_tables_are_headed_and_scroll_in_their_own_container(plain: Page) -> None:
    tables = len(plain.all("table"))
    assert tables >= 9
    assert len(plain.all("caption")) == tables
    regions = [a for a in plain.all("div") if a.get("class") == "scroll"]
    assert len(regions) == tables
    assert all(a["tabindex"] == "0" and a["role"] == "region" for a in regions)
    assert {a["scope"] for a in plain.all("th")} == {"col", "row"}
    identifiers = [a["id"] for _, a in plain.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    links = [a["href"] for a in plain.all("a")]
    assert {str(link)[1:] for link in links} <= set(identifiers)


def test_it_tells_how_to_run_again_and_what_was_assumed(plain: Page) -> None:
    assert "intraday-rl symbol=TQQQ seeds=[0,1]" in plain.text
    assert "symbol: TQQQ seeds: [0, 1]" in plain.text
    assert "Shorting is assumed possible" in plain.text
    assert "fills at the open of the next bar" in plain.text
    assert "15:45 New York or 15 minutes before the close" in plain.text


def test_the_same_run_gives_the_same_report(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run(tmp_path, kinds=("plain",))
    first = write_report(run.folder, run.record, run.folds, run.verdict).read_bytes()
    assert write_report(run.folder, run.record, run.folds, run.verdict).read_bytes() == first


@pytest.mark.parametrize(
    ("found", "total", "low", "said"),
    [
        ("beats_hold", 0.2, 0.5, "Yes, on these days the agent made 20.0 % after all costs"),
        ("no_edge", 0.2, 0.5, "did not surely beat holding"),
        ("no_edge", 0.2, -0.5, "which luck alone could explain"),
        ("no_edge", -0.2, -3.0, "did not make money. Return after all costs: −20.0 %"),
        ("ruined", -0.6, -3.0, "lost an account"),
    ],
)
def test_the_headline_says_no_more_than_was_shown(
    found: str, total: float, low: float, said: str
) -> None:
    verdict = {
        "verdict": found,
        "agent": "sac",
        "synthetic": False,
        "as_traded": {"total_return": total, "sharpe_low": low},
    }
    assert said in words.headline(verdict).replace("\u00a0", " ")


def test_numbers_keep_their_sign_and_their_bounds() -> None:
    assert number(-1.5) == "−1.50"
    assert number(-0.001) == "0.00"
    assert number(None) == "–"
    assert percent(-0.1234) == "−12.3\u00a0%"
    assert bounds(None, 1.0) == "[no interval]"
    estimate = Interval(-0.001, 0.0005, 0.002, 0.95, "")
    assert with_interval(estimate, "bp") == "5.0\u00a0bp [−10.0, 20.0]"
