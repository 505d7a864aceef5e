"""`report.html` of a sweep: the verdict first, then what it rests on; one file, no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from intraday_rl.research.report.numbers import (
    NOTHING,
    count,
    number,
    percent,
    sharpe_with_interval,
)
from intraday_rl.research.report.page import render
from intraday_rl.research.report.tables import Table
from intraday_rl.research.sweep import plots, words
from intraday_rl.research.sweep.judging import Finding, Judged
from intraday_rl.research.sweep.ranking import sharpe_of
from intraday_rl.research.sweep.sources import Family

_TEMPLATE = Path(__file__).parent / "sweep.html.j2"
_TERMS = [
    (
        "configuration",
        "settings that change a decision; every one that was tried counts, failed ones and "
        "baselines that were jobs of the sweep included; seeds are repetitions, averaged",
    ),
    (
        "world",
        "symbol, bars, costs, account and test days; configurations are compared within one only, "
        "else the winner would always be the world without costs",
    ),
    ("validation", "days before each test; the only days a choice may rest on"),
    (
        "chosen",
        "for each test window the configuration with the best mean validation score so far",
    ),
    (
        "deflated Sharpe",
        "probability that the true Sharpe ratio exceeds what the best of as many tries without "
        "any skill would show (Bailey and López de Prado)",
    ),
    (
        "PBO",
        "probability of backtest overfitting: how often the winner of one half of the days lands "
        "in the lower half of all configurations on the other (CSCV, 16 blocks)",
    ),
    ("look", "a learned agent and seed whose result on a real test window was read, ever"),
]


def sweep_page(family: Family, content: dict[str, Any], judged: list[Judged]) -> str:
    """The HTML of a sweep's report."""
    jobs = content["jobs"]
    page = {
        "title": f"Sweep {family.name}",
        "headline": content["headline"],
        "tried": [", ".join(f"{many} jobs {status}" for status, many in jobs.items())],
        "worlds": [
            _world(number, one, text)
            for number, (one, text) in enumerate(
                zip(judged, content["paragraphs"], strict=True), start=1
            )
        ],
        "not_finished": _not_finished(content["not_finished"]),
        "terms": [*_TERMS, *((found.value, text) for found, text in words.MEANINGS.items())],
    }
    return render(page, _TEMPLATE)


def _world(number: int, judged: Judged, paragraph: str) -> dict[str, Any]:
    content = judged.content
    key = f"world-{number}"
    return {
        "key": key,
        "name": content["label"],
        "paragraph": paragraph,
        "finding": content["finding"],
        "meaning": words.MEANINGS[Finding(content["finding"])],
        "caveats": words.caveats(content),
        "cards": _cards(content),
        "ranking": _ranking(content),
        "choices": _choices(content),
        "plots": plots.of_world(key, judged),
    }


def _cards(content: dict[str, Any]) -> list[tuple[str, str, str]]:
    if "best" not in content:
        return []
    deflated, pbo = content["deflated_sharpe"]["best"], content["overfitting"]
    tries = ("Tries", count(content["trials"]["at_least"]), words.count_words(content))
    hold = (
        []
        if content["hold"] is None
        else [
            ("Holding", sharpe_with_interval(content["hold"]), "Sharpe ratio, same days and costs")
        ]
    )
    if content["best"]["sharpe"] is None:
        return [tries, *hold]  # nobody traded: the other numbers do not exist
    cards = [
        ("Best Sharpe ratio", sharpe_with_interval(content["best"]), content["best"]["name"]),
        (
            "Deflated Sharpe of the best",
            NOTHING if deflated is None else percent(deflated["at_least"]["probability"]),
            words.deflated_line(content),
        ),
        (
            "PBO",
            NOTHING if pbo is None else percent(pbo["probability"], 0),
            f"beside a best net Sharpe ratio of {sharpe_with_interval(content['best'])}: a low PBO "
            "among losers is still a loss",
        ),
        (
            "Degradation slope",
            NOTHING if pbo is None else number(pbo["degradation_slope"]),
            "of the winner's Sharpe ratio on the other half against the half that picked it; 1 "
            "would be no loss, 0 or less that the past says nothing",
        ),
        tries,
        *hold,
    ]
    if content["trials"]["with_series"] > 1:
        meaning = "chosen per window by earlier validation scores, net of all costs"
        cards.insert(1, ("Chosen, Sharpe ratio", sharpe_with_interval(content["chosen"]), meaning))
    return cards


def _ranking(content: dict[str, Any]) -> Table:
    rows = []
    for place, row in enumerate(content["ranking"], start=1):
        rows.append(
            [
                str(place),
                row["name"],
                row["status"],
                number(row["validation_score"]),
                sharpe_with_interval(sharpe_of(row, "test")),
                sharpe_with_interval(sharpe_of(row, "raw")),
                percent(row["test_total_return"]),
                percent(row["test_max_drawdown"]),
                f"{row['abstained']} of {len(row['seeds']) * len(row['validation_by_fold'])}",
                ", ".join(map(str, row["seeds"])),
                ", ".join(row["runs"]),
            ]
        )
    columns = ["rank", "configuration", "status", "validation score", "test Sharpe, as traded",
               "if traded (raw)",
               "test return", "deepest fall", "seeds × windows that abstained", "seeds",
               "runs"]  # fmt: skip
    correlation = content["rank_correlation"]
    note = (
        "Ranked by the mean validation score over all windows; the test stands beside it and "
        "ranks nothing. Raw: as if no seed had abstained. Deepest fall: on bar equity, or on daily "
        "closes where several runs make up a row. Rank correlation of validation and test: "
        f"{number(correlation) if correlation is not None else 'none, it needs three'}."
    )
    return Table("Everything that was tried", columns, rows, note, columns[1:3] + columns[-2:])


def _choices(content: dict[str, Any]) -> Table | None:
    if "chosen" not in content or content["trials"]["with_series"] < 2:
        return None
    rows = [
        [name, first, last, "none left" if chosen is None else chosen]
        for (name, first, last), chosen in zip(
            content["tests"], content["chosen"]["by_fold"], strict=True
        )
    ]
    columns = ["test window", "first session", "last session", "chosen by validation before it"]
    note = "By the highest mean validation score over the windows up to each, its own included."
    return Table("What would have been chosen", columns, rows, note, columns)


def _not_finished(jobs: list[dict[str, Any]]) -> Table | None:
    if not jobs:
        return None
    rows = [[job["job"], job["status"], job["run"] or NOTHING] for job in jobs]
    note = (
        "Their configurations count as tries, once each: one that finished under other costs too "
        "is counted there already. A run that is named has error.txt in the folder of its seed."
    )
    return Table("Failed and abandoned", ["job", "status", "run"], rows, note, ["status", "run"])
