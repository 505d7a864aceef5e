"""The champion in office: what a challenger would replace need not be what it came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intraday_rl.errors import ModelError
from intraday_rl.market.scaling import FeatureSchema
from intraday_rl.model_choice import ChosenModel, choose_model
from intraday_rl.outcome import Context
from intraday_rl.plan import Plan
from intraday_rl.research.fine_tune.checks import Prepared
from intraday_rl.research.rollout import walk
from intraday_rl.stage import Stage
from intraday_rl.tracking.registry_file import CHAMPION, read_registry, registered_name
from intraday_rl.trained_model import open_model


def champion_in_office(plan: Plan, prepared: Prepared, challenger_key: str) -> ChosenModel | None:
    """The champion of the same symbol and agent, if it is neither parent nor challenger."""
    registry = read_registry(plan.tracking, Path(plan.paths.outputs))
    name = registered_name(
        plan.symbol,
        prepared.parent.bundle.card.agent,
        synthetic=prepared.dataset.market.synthetic,
    )
    model = registry.models.get(name)
    number = model.aliases.get(CHAMPION) if model else None
    if number is None:
        return None
    champion = choose_model(plan, f"{name}:{number}")
    known = {challenger_key, prepared.parent.bundle.card.facts.get("fold_key")}
    return None if champion.tags.get("fold_key") in known else champion


def returns_of(champion: ChosenModel, prepared: Prepared, context: Context) -> NDArray[np.float64]:
    """Its daily returns on the held-out sessions; refused if it saw or trades something else."""
    other, dataset = open_model(champion, context.reload), prepared.dataset
    other.bundle.schema.check(FeatureSchema.of(dataset.observation_names, dataset.features))
    own = prepared.parent.plan
    for key in ("env", "reward"):
        if getattr(other.plan, key) != getattr(own, key):
            raise ModelError(f"{key} of the champion is not that of the challenger")
    if other.plan.data.bar_minutes != own.data.bar_minutes:
        raise ModelError(f"the champion trades bars of {other.plan.data.bar_minutes} minutes")
    stage = Stage.of(dataset, other.fitting())
    return walk(stage.problem(prepared.spans.held_out), other.bundle.policy).daily_returns()
