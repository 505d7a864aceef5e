"""The tables about what was done and with what: costs, exits, times of day, data, settings."""

from __future__ import annotations

from typing import Any

import pandas as pd

from intraday_rl.research.report.evidence import FoldEvidence
from intraday_rl.research.report.numbers import NOTHING, count, dollars, number, percent
from intraday_rl.research.report.tables import Table
from intraday_rl.trading.ledger import COSTS


def cost_sums(folds: list[FoldEvidence], *, as_traded: bool) -> dict[str, float]:
    """USD per component, gross and net, of one account: mean over seeds, sum over folds."""
    names = ("gross_pnl", *COSTS, "net_pnl", "traded_notional")
    sums = dict.fromkeys(names, 0.0)
    for fold in folds:
        for result in fold.results:
            if as_traded and result["abstained"]:
                continue
            for name in names:
                sums[name] += result["test"]["costs"][name] / len(fold.results)
    return sums


def costs(folds: list[FoldEvidence]) -> Table:
    """From gross to net, raw and as traded."""
    columns = [cost_sums(folds, as_traded=False), cost_sums(folds, as_traded=True)]
    rows = []
    for name, label, sign in (
        ("gross_pnl", "gross, before costs", 1.0),
        *((name, name, -1.0) for name in COSTS),
        ("net_pnl", "net, after costs", 1.0),
        ("traded_notional", "value traded", 1.0),
    ):
        cells = []
        for sums in columns:
            notional = sums["traded_notional"]
            share = sign * sums[name] / notional * 1e4 if notional > 0 else None
            cells += [dollars(sign * sums[name]), number(share, 2)]
        rows.append([label, *cells])
    rows[-1][2] = rows[-1][4] = NOTHING
    note = (
        "One account per window, mean over seeds, summed over the windows; bp of the value "
        "traded. These are sums of the ledger's lines, not estimates."
    )
    head = ["", "if traded (raw)", "bp", "as traded", "bp"]
    return Table("From gross to net, in US dollars", head, rows, note)


def exits(folds: list[FoldEvidence]) -> Table:
    """That every session of every seed ended flat, and when."""
    rows = []
    for fold in folds:
        found = fold.summary.content["exits"]
        tests = [result["test"]["exits"] for result in fold.results]
        sessions = sum(test["sessions"] for test in tests)
        rows.append(
            [
                fold.name,
                count(sessions) if tests else NOTHING,
                count(found["forced"]) if tests else NOTHING,
                count(sum(test["with_position"] for test in tests)) if tests else NOTHING,
                _counts(found["by_new_york_time"]),
                _counts(found["by_reason"]),
                "no result" if not tests else "yes" if found["flat_at_every_close"] else "NO",
            ]
        )
    columns = ["test window", "sessions × seeds", "exit rows", "with shares to sell or cover",
               "by New York time", "by reason", "flat at every close"]  # fmt: skip
    note = (
        "Every session has exactly one exit row in the ledger, also when the account is flat "
        "already. 12:45 is a half day. Reason missing_bar: there was no bar at the cutoff, so the "
        "exit took the last close before it."
    )
    return Table("Forced exits", columns, rows, note, columns[4:])


def times(by_time: pd.DataFrame) -> Table:
    """What the policy wants at each time of day."""
    rows = [
        [
            str(time),
            count(float(values["decisions"])),
            number(float(values["mean_target"])),
            *(percent(float(values[name]), 0) for name in ("long", "short", "flat")),
        ]
        for time, values in by_time.iterrows()
    ]
    columns = ["New York", "decisions", "mean target", "long", "short", "flat"]
    note = "Raw policy, all windows and seeds together; target: fraction of session-start equity."
    return Table("Target by time of day", columns, rows, note)


def coverage(folds: list[FoldEvidence]) -> Table:
    """How much of what the exchange traded is in the data."""
    rows = []
    for fold in folds:
        for span, found in fold.summary.content["coverage"].items():
            missing = ", ".join(found["missing_sessions"])
            rows.append(
                [
                    fold.name,
                    span,
                    f"{count(found['sessions_found'])} of {count(found['sessions_expected'])}",
                    count(found["sessions_short"]),
                    count(found["half_days"]),
                    count(found["bars_missing"]),
                    "yes" if found["has_volume"] else "no",
                    percent(found["equal_open_share"]),
                    missing or "none",
                ]
            )
    columns = ["test window", "span", "sessions found", "short sessions", "half days",
               "bars missing", "volume", "opens equal to the last close", "first missing days",
               ]  # fmt: skip
    note = (
        "Above 90 % of opens equal to the close before, the bars were built from closes: a fill "
        "at the next open is then a fill at the price just seen."
    )
    return Table("Data coverage", columns, rows, note, ["span", "volume", columns[-1]])


def cost_settings(content: dict[str, Any]) -> Table:
    """Every cost parameter of the run."""
    rows = [
        [part, key, "same on both sides" if value is None else str(value)]
        for part, values in content["cost_settings"].items()
        for key, value in values.items()
    ]
    return Table("Cost settings", ["part", "setting", "value"], rows, "", ["setting", "value"])


def identity(verdict: dict[str, Any]) -> Table:
    """What this run is, to the byte."""
    names = ("run_key", "symbol", "benchmark", "data_source", "bar_minutes", "agent", "reward",
             "windows", "fill", "seeds_planned", "data_fingerprint", "benchmark_fingerprint",
             "code_hash", "git")  # fmt: skip
    rows = [[name.replace("_", " "), _plain(verdict[name])] for name in names]
    return Table("Identity of the run", ["", "value"], rows, "", ["value"])


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return NOTHING if value is None else str(value)


def _counts(table: dict[str, int]) -> str:
    return ", ".join(f"{key}: {count(found)}" for key, found in table.items()) or NOTHING
