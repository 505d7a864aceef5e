"""The ledger: a row per decision and one exit row per session, checkable without this code.

Identities, all testable from the file alone:
`shares_after = shares_before + shares_traded`; `gross_pnl = shares_after · (next price − price)`,
0 on exit rows; `net_pnl = gross_pnl − commission − fees − slippage − impact − financing
= equity_after − equity_before`; `equity_before` = `equity_after` of the row before;
`slippage = |shares_traded| · |fill_price − price|`; each session ends with its exit, flat.
`net_return` is one row's; the last decision's reward covers its own row and the exit row.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.trading.problem import Problem

COLUMNS = (
    "fold",
    "seed",
    "session",
    "bar_end",
    "step",
    "price",
    "split_factor",
    "action",
    "target",
    "shares_before",
    "shares_traded",
    "shares_after",
    "fill_price",
    "commission",
    "fees",
    "slippage",
    "impact",
    "financing",
    "gross_pnl",
    "net_pnl",
    "equity_before",
    "equity_after",
    "net_return",
    "reward_name",
    "reward",
    "dsr_a",
    "dsr_b",
    "dsr_raw",
    "dsr_floored",
    "dsr_clipped",
    "forced_exit",
    "exit_reason",
)
COSTS = ("commission", "fees", "slippage", "impact", "financing")
CUTOFF, MISSING_BAR = "cutoff", "missing_bar"
_FROM_ENTRY = [name for name in COLUMNS[COLUMNS.index("price") : COLUMNS.index("forced_exit") + 1]
               if name not in {"split_factor", "reward_name"}]  # fmt: skip


def entry_fields(problem: Problem, entry: np.void) -> dict[str, Any]:
    """One kernel entry as plain values under the ledger's names (fold and seed left out)."""
    row, session = int(entry["row"]), int(entry["session"])
    tape = problem.tape
    fields: dict[str, Any] = {
        "session": str(tape.dates[session]),
        "bar_end": pd.Timestamp(tape.row_end[row], tz="UTC"),
        "step": int(entry["step"]),
        "split_factor": float(tape.split_factor[row]),
        "reward_name": problem.reward_name,
        "exit_reason": _exit_reason(bool(tape.missing_bar[session]))
        if entry["forced_exit"]
        else None,
    }
    fields.update({name: entry[name].item() for name in _FROM_ENTRY})
    return fields


def ledger_frame(problem: Problem, entries: NDArray[np.void], fold: str, seed: int) -> pd.DataFrame:
    """Ledger of one account from its entries (n,) `ENTRY` in time order."""
    tape = problem.tape
    row, session = entries["row"], entries["session"]
    forced = entries["forced_exit"]
    moments_apply = problem.reward_name == "dsr"
    frame = pd.DataFrame({name: entries[name] for name in _FROM_ENTRY})
    frame["fold"] = fold
    frame["seed"] = np.int64(seed)
    frame["session"] = tape.dates[session].astype("datetime64[s]")
    frame["bar_end"] = pd.DatetimeIndex(tape.row_end[row]).tz_localize("UTC")
    frame["step"] = entries["step"]
    frame["split_factor"] = tape.split_factor[row]
    frame["reward_name"] = problem.reward_name
    reasons = np.array([None, _exit_reason(False), _exit_reason(True)], object)
    frame["exit_reason"] = reasons[np.where(forced, 1 + tape.missing_bar[session], 0)]
    if not moments_apply:
        frame[["dsr_a", "dsr_b", "dsr_raw"]] = np.nan
    return frame[list(COLUMNS)]


def write_ledger(frames: list[pd.DataFrame], path: Path) -> None:
    """Write the ledgers of all seeds as one parquet file, sorted by seed and time, atomically.

    Null is a parquet null: a value that does not exist is never written as a number.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    ledger = pd.concat(frames, ignore_index=True).sort_values(["seed", "bar_end", "step"])
    table = pa.Table.from_pandas(ledger.astype({"session": object}).assign(
        session=ledger["session"].dt.date), preserve_index=False)  # fmt: skip
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            pq.write_table(table.replace_schema_metadata(None), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_ledger(path: Path) -> pd.DataFrame:
    """A written ledger; `session` comes back as datetime64."""
    ledger = pd.read_parquet(path)
    ledger["session"] = pd.to_datetime(ledger["session"])
    return ledger


def daily_returns(ledger: pd.DataFrame) -> pd.Series:
    """Session returns of one seed's ledger: last equity ÷ first equity − 1, by session."""
    by_session = ledger.groupby("session", sort=True)
    return by_session["equity_after"].last() / by_session["equity_before"].first() - 1.0


def _exit_reason(missing_bar: bool) -> str:
    return MISSING_BAR if missing_bar else CUTOFF
