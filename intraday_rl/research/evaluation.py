"""The numbers of one walk: ratios, costs, trades, exits, actions; plain values for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.research.rollout import Walk
from intraday_rl.statistics.drawdowns import equity_path, max_drawdown, worst_intraday_drawdown
from intraday_rl.statistics.intervals import bootstrap_interval
from intraday_rl.statistics.moments import moments
from intraday_rl.statistics.probabilistic import minimum_track_record, probabilistic_sharpe_of
from intraday_rl.statistics.ratios import (
    cagr,
    calmar,
    sharpe,
    sharpe_rows,
    sortino,
    total_return,
)
from intraday_rl.statistics.trades import LedgerColumns, summarise_trades
from intraday_rl.trading.ledger import COSTS

ACTION_BINS = np.linspace(-1.0, 1.0, 11)
NEW_YORK = "America/New_York"


def return_metrics(
    returns: NDArray[np.float64], generator: np.random.Generator, drawdown: float | None = None
) -> dict[str, Any]:
    """Ratios of daily net returns; `drawdown` on bar equity where a ledger exists."""
    shape = moments(returns)
    equity = np.concatenate([[1.0], np.cumprod(1.0 + returns)])
    deepest = max_drawdown(equity) if drawdown is None else drawdown
    interval = bootstrap_interval(returns, sharpe_rows, generator)
    return {
        "sessions": int(returns.size),
        "sharpe": sharpe(returns),
        "sharpe_low": interval.low,
        "sharpe_high": interval.high,
        "interval_method": interval.method,
        "sortino": sortino(returns),
        "calmar": calmar(returns, deepest),
        "total_return": total_return(returns),
        "cagr": cagr(returns),
        "mean_daily_bps": float(returns.mean() * 1e4),
        "volatility_annual": None if shape is None else shape.deviation * float(np.sqrt(252)),
        "skewness": None if shape is None else shape.skewness,
        "kurtosis_raw": None if shape is None else shape.kurtosis_raw,
        "max_drawdown": deepest,
        "probabilistic_sharpe": probabilistic_sharpe_of(returns),
        "minimum_track_record_sessions": None
        if shape is None
        else minimum_track_record(shape.sharpe_daily, shape.skewness, shape.kurtosis_raw),
    }


def evaluate(walk: Walk, ledger: pd.DataFrame, generator: np.random.Generator) -> dict[str, Any]:
    """Everything `window.json` says about one seed's test."""
    before = ledger["equity_before"].to_numpy()
    after = ledger["equity_after"].to_numpy()
    deepest = max_drawdown(equity_path(before, after))
    metrics = return_metrics(walk.daily_returns(), generator, deepest)
    metrics["worst_intraday_drawdown"] = worst_intraday_drawdown(
        before, after, ledger["session"].to_numpy()
    )
    decisions = ledger[~ledger["forced_exit"]]
    return {
        **metrics,
        "ruined": walk.ruined,
        "trades": asdict(summarise_trades(LedgerColumns.from_frame(ledger))),
        "costs": costs(ledger),
        "exits": exits(ledger),
        "actions": _actions(decisions),
        "reward": {
            "mean": float(decisions["reward"].mean()),
            "floored_share": float(decisions["dsr_floored"].mean()),
            "clipped_share": float(decisions["dsr_clipped"].mean()),
        },
    }


def costs(ledger: pd.DataFrame) -> dict[str, Any]:
    """USD by component, and their sum in bps of the traded notional."""
    totals = {name: float(ledger[name].sum()) for name in COSTS}
    notional = float((ledger["shares_traded"].abs() * ledger["price"]).sum())
    total = sum(totals.values())
    return {
        **totals,
        "total": total,
        "traded_notional": notional,
        "bps_of_turnover": total / notional * 1e4 if notional > 0 else None,
        "gross_pnl": float(ledger["gross_pnl"].sum()),
        "net_pnl": float(ledger["net_pnl"].sum()),
    }


def exits(ledger: pd.DataFrame) -> dict[str, Any]:
    """Forced exits by New York time and reason, and the proof that every session ended flat."""
    forced = ledger[ledger["forced_exit"]]
    times = forced["bar_end"].dt.tz_convert(NEW_YORK).dt.strftime("%H:%M")
    last = ledger.groupby("session", sort=True).tail(1)
    return {
        "forced": len(forced),
        "sessions": int(ledger["session"].nunique()),
        "by_new_york_time": {str(k): int(v) for k, v in times.value_counts().sort_index().items()},
        "by_reason": {str(k): int(v) for k, v in forced["exit_reason"].value_counts().items()},
        "with_position": int((forced["shares_before"] != 0).sum()),
        "flat_at_every_close": bool(
            last["forced_exit"].all() and (last["shares_after"] == 0).all()
        ),
    }


def exit_lines(ledger: pd.DataFrame) -> list[str]:
    """One log line per forced exit."""
    forced = ledger[ledger["forced_exit"]]
    times = forced["bar_end"].dt.tz_convert(NEW_YORK).dt.strftime("%Y-%m-%d %H:%M New York")
    return [
        f"{time} seed={row.seed} forced_exit=True shares={row.shares_traded:g} "
        f"price={row.price:.4f} reason={row.exit_reason}"
        for time, row in zip(times, forced.itertuples(), strict=True)
    ]


def _actions(decisions: pd.DataFrame) -> dict[str, Any]:
    counts, _ = np.histogram(decisions["action"], ACTION_BINS)
    targets = decisions["target"]
    return {
        "bin_edges": [round(float(edge), 3) for edge in ACTION_BINS],
        "counts": [int(count) for count in counts],
        "mean_target": float(targets.mean()),
        "share_long": float((targets > 0).mean()),
        "share_short": float((targets < 0).mean()),
        "share_flat": float((targets == 0).mean()),
    }
