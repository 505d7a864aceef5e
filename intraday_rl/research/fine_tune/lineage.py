"""Where a fine-tune comes from: the model, its sessions, the options; known before any step."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from intraday_rl.identity import code_hash
from intraday_rl.records import git_revision
from intraday_rl.research.fine_tune.checks import Prepared
from intraday_rl.tasks import FineTune


def facts_of(prepared: Prepared, run_key: str) -> dict[str, Any]:
    """What every artifact of the run repeats."""
    market, plan = prepared.dataset.market, prepared.plan
    return {
        "run_key": run_key,
        "symbol": plan.symbol,
        "benchmark": plan.symbol if market.benchmark_is_own else market.benchmark.symbol,
        "data_source": market.source,
        "synthetic": market.synthetic,
        "reconstructed": market.reconstructed,
        "bar_minutes": market.symbol.bar_minutes,
        "agent": prepared.parent.bundle.card.agent,
        "reward": prepared.stage.problem(prepared.spans.tuning).reward_name,
        "fill": plan.env.fill.value,
        "data_fingerprint": market.symbol.fingerprint(prepared.spans.held_out[-1]),
        "code_hash": code_hash(),
        "git": git_revision(),
    }


def lineage_of(prepared: Prepared) -> dict[str, Any]:
    """The model that is tuned."""
    parent = prepared.parent
    card = parent.bundle.card
    return {
        "asked_for": parent.chosen.spec,
        "name": parent.chosen.name,
        "version": parent.chosen.version,
        "run_key": parent.chosen.tags.get("run_key"),
        "fold_key": card.facts.get("fold_key"),
        "fold": card.fold,
        "seed": card.seed,
        "train_start": parent.fact("train_start"),
        "fitted_end": parent.fitted_end,
        "last_seen": parent.last_seen,
        "tuned_from": card.parent,
        "abstained": parent.abstained,
        "content_hash": parent.content_hash(),
    }


def spans_described(prepared: Prepared) -> dict[str, Any]:
    """Tuning and held-out sessions with what they hold."""
    spans = {"tuning": prepared.spans.tuning, "held_out": prepared.spans.held_out}
    return {
        name: {
            "first_session": str(days[0]),
            "last_session": str(days[-1]),
            "sessions": len(days),
            "decisions": prepared.stage.decisions(days),
        }
        for name, days in spans.items()
    }


def options_described(options: FineTune) -> dict[str, Any]:
    """The options as plain values."""
    return {**asdict(options), "promote": options.promote.value}
