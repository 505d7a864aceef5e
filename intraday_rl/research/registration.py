"""Trained agents become versions of registered models, in window order, each once."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from intraday_rl.agents.bundle import TRAINING_STATES
from intraday_rl.agents.card import Card
from intraday_rl.identity import cost_book, identity_of
from intraday_rl.market.scaling import Scaler
from intraday_rl.model_choice import read_card
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder, read_json
from intraday_rl.saved_plan import SavedPlan
from intraday_rl.tracking.parts import NoTracking
from intraday_rl.tracking.tracker import Tracker

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Registered:
    """One bundle and what it is registered as."""

    name: str
    version: int
    abstained: bool
    validation_score: float


def version_tags(
    plan: Plan,
    record: SavedPlan,
    facts: Mapping[str, Any],
    bundle: Path,
    kind: str,
    *,
    parent: str | None = None,
    outcome: str | None = None,
) -> dict[str, object]:
    """What a version says of itself.

    | tag | |
    |---|---|
    | `kind` | walk_forward, final_fit or fine_tune |
    | `parent` | of a fine-tune: `<name>:<version>`, or the bundle it began with |
    | `outcome` | of a fine-tune: pending, then what its gate led to |
    | `run_key, fold_key, window, seed` | whence; `fold_key` is the version's identity |
    | `train_end, validation_end` | last days it has learned from and was chosen by |
    | `data_source, synthetic, bar_minutes, data_first, data_last, data_fingerprint` | its bars |
    | `schema_hash, scaler_hash` | what it wants to see |
    | `cost_book, cost_book_hash` | the costs it was trained under |
    | `expires_at` | UTC; absent if it never does |
    """
    card = read_card(bundle)
    schema = read_json(bundle / "schema.json")
    costs = cost_book(record.values)
    tags: dict[str, object] = {
        "kind": kind,
        "symbol": plan.symbol,
        "agent": card.agent,
        "reward": record.kinds["reward"],
        "run_key": facts["run_key"],
        "fold_key": card.facts["fold_key"],
        "window": card.fold,
        "seed": card.seed,
        "train_end": card.facts["train_end"],
        "validation_end": card.facts["validation_end"],
        "validation_score": card.facts["validation_score"],
        "abstained": card.facts["abstained"] is True,
        "synthetic": bool(facts["synthetic"]),
        "reconstructed": bool(facts["reconstructed"]),
        "data_source": facts["data_source"],
        "bar_minutes": facts["bar_minutes"],
        "data_first": facts["data_first"],
        "data_last": facts["data_last"],
        "data_fingerprint": card.data_fingerprint,
        "schema_hash": schema["hash"],
        "scaler_hash": Scaler.from_dict(schema["scaler"]).hash(),
        "cost_book": json.dumps(costs),
        "cost_book_hash": identity_of(costs),
        "code_hash": card.code_hash,
        "git": card.git_revision,
    }
    if parent is not None:
        tags["parent"] = parent
    if outcome is not None:
        tags["outcome"] = outcome
    if plan.registry.expires_after_days is not None:
        end = datetime.now(UTC) + timedelta(days=plan.registry.expires_after_days)
        tags["expires_at"] = end.isoformat(timespec="seconds")
    return tags


def register_results(
    plan: Plan,
    record: SavedPlan,
    tracker: Tracker,
    folder: RunFolder,
    children: Mapping[str, str],
    results: Mapping[str, list[dict[str, Any]]],
) -> None:
    """Versions of the job's learned agents; the first final fit of a model becomes champion.

    `children`: MLflow run of each `<window>/seed=<n>`.
    """
    kind = record.kinds["task"]
    if record.kinds["agent"] not in TRAINING_STATES:
        return
    if (why := obstacle(plan)) is not None:
        if kind == "final_fit":
            logger.info("not registered: %s", why)
        return
    facts, found = read_json(folder.data), []
    for window, of_seeds in results.items():
        for result in of_seeds:
            if result["status"] != "finished":
                continue
            bundle = folder.fold(window).seed(result["seed"]).bundle
            child = children[f"{window}/seed={result['seed']}"]
            names = read_json(bundle / "schema.json")["observation_names"]
            model_uri = tracker.log_model(child, bundle, names)  # the one that is there, if it is
            tags = version_tags(plan, record, facts, bundle, kind)
            name, version = tracker.register_bundle(child, model_uri, bundle, tags)
            found.append(_registered(name, version, read_card(bundle)))
    if found:
        numbers = ", ".join(str(one.version) for one in found)
        logger.info("registered as %s version %s", found[0].name, numbers)
    if kind == "final_fit":
        _first_champion(tracker, found, folder.key)


def obstacle(plan: Plan) -> str | None:
    """Why nothing can be registered, if so."""
    if not plan.registry.register:
        return "registry.register=false"
    if isinstance(plan.tracking, NoTracking):
        return "tracking=none"
    return None if plan.tracking.log_models else "tracking.log_models=false"


def _registered(name: str, version: int, card: Card) -> Registered:
    score = card.facts["validation_score"]
    if not isinstance(score, int | float):
        raise TypeError("a learned agent's card has its validation score")
    return Registered(name, version, card.facts["abstained"] is True, float(score))


def _first_champion(tracker: Tracker, found: list[Registered], run_key: str) -> None:
    """Of several seeds the best in validation; whoever is champion stays."""
    trading = [one for one in found if not one.abstained]
    if not trading:
        if found:
            logger.info("every seed abstained: none of them may be champion")
        return
    best = max(trading, key=lambda one: one.validation_score)
    reason = f"first final fit, run {run_key}"
    if tracker.set_alias(best.name, best.version, reason, only_if_unset=True):
        logger.info("version %d is champion of %s: its first final fit", best.version, best.name)
