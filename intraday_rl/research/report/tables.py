"""The tables about results: windows, folds, seeds, baselines, calendar."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from intraday_rl.research.report.evidence import FoldEvidence, Whole
from intraday_rl.research.report.numbers import (
    NO_INTERVAL,
    NOTHING,
    basis_points,
    count,
    number,
    percent,
    sharpe_with_interval,
    with_interval,
)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the report; the first column heads its row."""

    caption: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""
    words: list[str] = field(default_factory=list)  # columns of words, set to the left


def windows(folds: list[FoldEvidence]) -> Table:
    """Declared dates and actual sessions of every span."""
    rows = []
    for fold in folds:
        window = fold.summary.content["window"]
        spans = [window["train"], window["validation"], window["test"]]
        cells = []
        for span in spans:
            cells += [
                f"{span['start']} to {span['end']}",
                f"{count(span['sessions'])}: {span['first_session']} to {span['last_session']}",
            ]
        rows.append([fold.name, *cells, window["fit_last_session"], _yes(window["clipped"])])
    columns = ["test window"]
    for span in ("train", "validation", "test"):
        columns += [f"{span}, declared", f"{span}, sessions"]
    columns += ["last session learned from", "clipped"]
    note = (
        "Train includes the validation span at its end; the agent learns only up to the date in "
        "the last column but one. Test sessions are read once."
    )
    return Table("Windows", columns, rows, note, columns)


def results(folds: list[FoldEvidence], verdict: dict[str, Any], whole: Whole | None) -> Table:
    """A row per test window and one for all of them together."""
    rows = []
    for fold in folds:
        content = fold.summary.content
        test = content["test"]
        rows.append(
            [
                fold.name,
                fold.summary.verdict.value,
                with_interval(fold.score),
                sharpe_with_interval(test.get("as_traded")),
                sharpe_with_interval(test.get("raw")),
                with_interval(fold.traded, "percent"),
                percent(test["as_traded"]["max_drawdown"]) if test else NOTHING,
                sharpe_with_interval(content["baselines"]["hold"]),
                with_interval(fold.hold, "percent"),
                with_interval(fold.against_hold, "bp"),
                _gates(content["gates"]),
                _abstained(content),
            ]
        )
    if whole is not None:
        rows.append(
            [
                "all, stitched",
                verdict["verdict"],
                "",
                sharpe_with_interval(verdict["as_traded"]),
                sharpe_with_interval(verdict["raw"]),
                with_interval(whole.traded, "percent"),
                percent(verdict["as_traded"]["max_drawdown"]),
                sharpe_with_interval(verdict["hold"]),
                with_interval(whole.hold, "percent"),
                with_interval(verdict["against_hold_daily"], "bp"),
                "",
                f"{verdict['folds_abstained']} of {len(folds)} folds",
            ]
        )
    columns = ["test window", "verdict", "validation score", "Sharpe as traded",
               "Sharpe if traded (raw)", "return as traded", "deepest fall", "hold: Sharpe",
               "hold: return",
               "mean daily lead over hold", "gates", "seeds that abstained"]  # fmt: skip
    note = (
        "All net of every cost, mean over seeds; Sharpe ratios are annualised. [low, high] is the "
        "95 % stationary bootstrap. Raw: as if no seed had abstained. Deepest fall: on daily "
        "closes; it and the gates are facts about these days, not estimates."
    )
    return Table("Results by test window", columns, rows, note, ["verdict", "gates"])


def seeds(folds: list[FoldEvidence], *, abstain: bool) -> Table:
    """Each seed by itself, before and after abstention."""
    rows = []
    for fold in folds:
        for seed, entry in fold.summary.content["seeds"].items():
            if entry["status"] != "finished":
                rows.append([fold.name, seed, "failed: " + entry.get("error", ""), *[NOTHING] * 12])
                continue
            test, trades = entry["test"], entry["test"]["trades"]
            decided = entry["abstention"] or {}
            chosen = entry["checkpoint"] or {}
            rows.append(
                [
                    fold.name,
                    seed,
                    "abstained" if entry["abstained"] else "traded",
                    _one_sided(decided),
                    number(decided.get("t_value")),
                    sharpe_with_interval(test),
                    "0 (flat)" if entry["abstained"] else sharpe_with_interval(test),
                    percent(test["total_return"]),
                    percent(test["worst_intraday_drawdown"]),
                    count(trades["round_trips"]),
                    percent(trades["hit_rate"]),
                    percent(trades["exposure"]),
                    number(trades["turnover_per_session"], 1),
                    count(trades["median_holding_minutes"]),
                    count(chosen.get("step")),
                ]
            )
    columns = ["test window", "seed", "in the test it", "validation: mean a day [95 % bound)",
               "validation: t", "Sharpe if traded (raw)", "Sharpe as traded",
               "return if traded (raw)",
               "worst fall inside a day", "round trips", "hit rate", "time in the market",
               "turnover a day (× equity)", "median minutes held", "checkpoint (decisions)",
               ]  # fmt: skip
    note = _ABSTENTION[abstain] + " Trade figures are of the raw policy, realised on these days."
    return Table("Every seed, raw and as traded", columns, rows, note, ["in the test it"])


_ABSTENTION = {
    True: "A learned seed trades only if the one-sided 95 % lower bound of its mean daily return "
    "on the second validation half is above zero; otherwise it abstains and stays flat.",
    False: "Abstention is off (selection.abstain=false): every seed trades, whatever its bound.",
}


def baselines(folds: list[FoldEvidence]) -> Table:
    """The same days and costs without learning."""
    rows = []
    for fold in folds:
        content = fold.summary.content
        entries = {
            **content["baselines"],
            "overnight buy and hold": content["overnight_buy_and_hold"],
        }
        for name, metrics in entries.items():
            rows.append(
                [
                    fold.name,
                    name,
                    sharpe_with_interval(metrics),
                    percent(metrics["total_return"]),
                    percent(metrics["max_drawdown"]),
                    count(metrics.get("round_trips")),
                ]
            )
    columns = ["test window", "baseline", "Sharpe", "return", "deepest fall", "round trips"]
    note = (
        "hold: long from the first fill to the cutoff, every day. random: a new random target at "
        "every decision. Both pay the same costs. Overnight buy and hold is close to close and "
        "pays none; it may keep what an intraday agent cannot: the nights."
    )
    return Table("Baselines on the same days", columns, rows, note, ["baseline"])


def _one_sided(decided: dict[str, Any]) -> str:
    if not decided or decided["mean"] is None:
        return NOTHING
    bound = decided["lower_bound"]
    shown = NO_INTERVAL if bound is None else f"[{number(1e4 * bound, 1)}, ∞)"
    return f"{basis_points(decided['mean'])} {shown}"


def _gates(gates: dict[str, Any]) -> str:
    if not gates:
        return "none set"
    return "; ".join(
        f"{name} {number(mark['found'])} against {number(mark['bound'])}: "
        + ("passed" if mark["passed"] else "NOT passed")
        for name, mark in gates.items()
    )


def _abstained(content: dict[str, Any]) -> str:
    entries = content["seeds"].values()
    return f"{sum(bool(entry.get('abstained')) for entry in entries)} of {len(entries)}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
