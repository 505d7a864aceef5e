"""What a challenger's version says of itself (until the registry's own is there)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from intraday_rl.model_choice import read_card
from intraday_rl.plan import Plan
from intraday_rl.records import read_json
from intraday_rl.saved_plan import SavedPlan
from intraday_rl.tracking.parts import NoTracking


def obstacle(plan: Plan) -> str | None:
    """Why nothing can be registered, if so."""
    if not plan.registry.register:
        return "registry.register=false"
    if isinstance(plan.tracking, NoTracking):
        return "tracking=none"
    return None if plan.tracking.log_models else "tracking.log_models=false"


def version_tags(
    plan: Plan, record: SavedPlan, facts: Mapping[str, Any], bundle: Path, kind: str, *, parent: str
) -> dict[str, object]:
    """Tags of the version."""
    card, schema = read_card(bundle), read_json(bundle / "schema.json")
    return {
        "kind": kind,
        "symbol": plan.symbol,
        "agent": card.agent,
        "run_key": facts["run_key"],
        "fold_key": card.facts["fold_key"],
        "window": card.fold,
        "seed": card.seed,
        "train_end": card.facts["train_end"],
        "validation_end": card.facts["validation_end"],
        "abstained": card.facts["abstained"] is True,
        "synthetic": bool(facts["synthetic"]),
        "data_source": facts["data_source"],
        "bar_minutes": facts["bar_minutes"],
        "schema_hash": schema["hash"],
        "parent": parent,
    }
