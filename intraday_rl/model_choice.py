"""Which trained agent a `task.model` means: one rule for every task.

| `task.model` | the bundle |
|---|---|
| `latest` | the version with the greatest train end, then the one registered last |
| `champion` | the version with this alias, or any other alias |
| `3` | version 3 |
| `sac:latest`, `sac:champion`, `sac:3` | the same, of one kind of agent |
| `intraday_rl.SPY.sac:3` | the same, of a registered model by its whole name |
| `1a2b3c` | of a run (its key or the beginning): the greatest train end, then the best validation |
| `1a2b3c/<window>/seed=0` | of a run, this one |
| `<folder>` | this bundle |

Without a whole name only models of the plan's symbol and source of bars are meant, of any agent
that learned: `agent=...` plays no part, since the bundle says what it is. An alias or number that
several kinds of agents have is refused until one is named.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from intraday_rl.agents.card import Card
from intraday_rl.errors import ModelError, one_line_of
from intraday_rl.market.sources import source_of
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder, SeedFolder, read_json
from intraday_rl.tracking.parts import NoTracking
from intraday_rl.tracking.registry_file import (
    CHAMPION,
    ModelVersion,
    RegisteredModel,
    Registry,
    read_registry,
    registered_name,
)

logger = logging.getLogger(__name__)

LATEST = "latest"
NUMBER = re.compile(r"\d{1,9}")  # a run's key is longer
MOST_LISTED = 12


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A bundle, and what the registry knows of it.

    bundle    the folder
    spec      what was asked for
    name      the registered model; null if this bundle is not registered
    version   its number there
    tags      of the version; empty if it is not registered
    """

    bundle: Path
    spec: str
    name: str | None
    version: int | None
    tags: Mapping[str, str]


def choose_model(
    plan: Plan, spec: str, *, refuse_abstained: bool = False, registry: Registry | None = None
) -> ChosenModel:
    """The bundle that `spec` names; a `ModelError` lists what there is.

    An agent that abstained is refused as `champion`, and wherever `refuse_abstained` says so; one
    that has expired is used, with a warning. `registry`: what is known already; None asks for it.
    """
    if registry is None:
        registry = read_registry(plan.tracking, Path(plan.paths.outputs), keep=not plan.dry_run)
    folder = Path(spec)
    if (folder / "card.json").is_file():
        chosen = _of_bundle(plan, registry, folder, spec)
    else:
        chosen = _registered(plan, registry, spec) or _of_run(plan, registry, spec)
    card = read_card(chosen.bundle)
    abstained = card.facts.get("abstained") is True or chosen.tags.get("abstained") == "true"
    if abstained and (refuse_abstained or spec.rpartition(":")[2] == CHAMPION):
        raise ModelError(
            f"task.model={spec}: {_shown(chosen)} abstained: its validation showed no advantage, "
            "so it may not trade; choose another version"
        )
    _warn_if_expired(chosen)
    return chosen


def read_card(bundle: Path) -> Card:
    """Where a bundle comes from, without loading it."""
    path = bundle / "card.json"
    try:
        return Card.from_dict(read_json(path))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read ({error}): give the folder of a bundle") from error


def data_source(plan: Plan) -> str:
    """The source of the plan's bars, as a run's facts name it."""
    return source_of(plan.data)


def _registered(plan: Plan, registry: Registry, spec: str) -> ChosenModel | None:
    """The version that a number, an alias or `latest` names; None if `spec` is none of these."""
    prefix, _, wanted = spec.rpartition(":")
    models = _models(plan, registry, prefix)
    is_alias = any(wanted in model.aliases for model in registry.models.values())
    if not (prefix or wanted in (LATEST, CHAMPION) or NUMBER.fullmatch(wanted) or is_alias):
        return None
    versions = [version for model in models for version in _matching(plan, model, prefix, wanted)]
    if wanted == LATEST and versions:
        versions = [max(versions, key=_age)]
    if len(versions) == 1:
        return _of_version(plan, versions[0], spec)
    if versions:
        agents = sorted(version.name.rpartition(".")[2] for version in versions)
        named = " or ".join(f"{agent}:{wanted}" for agent in agents)
        problem = f"several kinds of agents have one; name it, as {named}"
    elif prefix and not models:
        problem = f"nothing is registered as {prefix}"
    else:
        bars = f"{plan.symbol} from {data_source(plan)} bars"
        what = {LATEST: "no version", CHAMPION: "no champion"}.get(wanted, f"no version {wanted}")
        problem = f"{what} among the registered models of {prefix or bars}"
    raise _refusal(plan, registry, spec, problem)


def _models(plan: Plan, registry: Registry, prefix: str) -> list[RegisteredModel]:
    """The one of that whole name; else those of the plan's symbol, of the agent if one is named."""
    if prefix in registry.models:
        return [registry.models[prefix]]
    beginning = registered_name(plan.symbol, "", synthetic=data_source(plan) == "synthetic")
    by_agent = {
        name.removeprefix(beginning): model
        for name, model in registry.models.items()
        if name.startswith(beginning)
    }
    # What is left of BRK.B's models behind BRK has a dot; kinds of agents have none.
    return [
        model for agent, model in by_agent.items() if "." not in agent and prefix in ("", agent)
    ]


def _matching(
    plan: Plan, model: RegisteredModel, prefix: str, wanted: str
) -> Iterator[ModelVersion]:
    alias = model.aliases.get(wanted)
    for version in model.versions:
        newest = wanted == LATEST and not version.is_pending
        named = newest or version.number == alias or str(version.number) == wanted
        whole = prefix == model.name
        if named and (whole or version.tags.get("data_source") == data_source(plan)):
            yield version


def _age(version: ModelVersion) -> tuple[str, int, int]:
    return version.tags.get("train_end", ""), version.created_ms, version.number


def _of_version(plan: Plan, version: ModelVersion, spec: str) -> ChosenModel:
    outputs = Path(plan.paths.outputs)
    place = outputs / version.tags.get("bundle", "")
    if not (place / "card.json").is_file():  # runs may be deleted, the store's artifacts not
        model_id = version.source.removeprefix("models:/")
        kept = f"models/{model_id}/artifacts/artifacts/bundle"
        # beside the experiment's runs, or, in a server's layout, one folder deeper
        copies = (outputs / "artifacts").glob(kept), (outputs / "artifacts").glob(f"*/{kept}")
        copy = next(chain(*copies), None)
        if copy is None:
            raise ModelError(
                f"task.model={spec}: {version.name} version {version.number}: its bundle {place} "
                f"is gone; run {version.tags.get('run_key', '')} again or choose another version"
            )
        place = copy
    return ChosenModel(place, spec, version.name, version.number, version.tags)


def _of_bundle(plan: Plan, registry: Registry, bundle: Path, spec: str) -> ChosenModel:
    """A bundle by its folder, as the version that it is registered as."""
    key = read_card(bundle).facts.get("fold_key")
    for version in registry.versions():
        if key is not None and version.tags.get("fold_key") == key:
            return ChosenModel(bundle, spec, version.name, version.number, version.tags)
    return ChosenModel(bundle, spec, None, None, {})


def _of_run(plan: Plan, registry: Registry, spec: str) -> ChosenModel:
    key, _, place = spec.partition("/")
    runs = _runs(plan)
    named = [run for run in runs if key and run.key.startswith(key)]
    if len(named) > 1:
        raise _refusal(plan, registry, spec, "is the beginning of several runs")
    if not named:
        problem = "is no version, alias, run or bundle folder"
        if Path(spec).is_dir():
            problem = "is a folder without a bundle (card.json)"
        raise _refusal(plan, registry, spec, problem)
    bundles = {
        f"{path.parents[1].name}/{path.parent.name}": SeedFolder(path.parent).bundle
        for path in sorted(named[0].path.glob("folds/*/seed=*/result.json"))
    }
    if place:
        bundles = {name: bundle for name, bundle in bundles.items() if name == place}
    cards = {name: read_card(bundle) for name, bundle in bundles.items()}
    learned = {name: card for name, card in cards.items() if card.facts.get("train_end")}
    if not learned:
        there = ", ".join(f"{named[0].key}/{name}" for name in cards) or "none"
        problem = f"run {named[0].key} has no finished bundle there; finished: {there}"
        raise _refusal(plan, registry, spec, problem)
    best = max(learned, key=lambda name: _merit(learned[name]))
    return _of_bundle(plan, registry, bundles[best], spec)


def _merit(card: Card) -> tuple[str, float]:
    score = card.facts.get("validation_score")
    return str(card.facts["train_end"]), float(score) if isinstance(score, int | float) else -1e300


def _runs(plan: Plan) -> list[RunFolder]:
    folder = Path(plan.paths.outputs) / "runs"
    return [RunFolder(path) for path in sorted(folder.glob("*")) if (path / "plan.yaml").is_file()]


def _warn_if_expired(chosen: ChosenModel) -> None:
    expires = chosen.tags.get("expires_at")
    if expires and datetime.fromisoformat(expires) < datetime.now(UTC):
        logger.warning("%s expired at %s; it is used all the same", _shown(chosen), expires)


def _shown(chosen: ChosenModel) -> str:
    if chosen.name is None:
        return f"bundle {chosen.bundle}"
    return f"{chosen.name} version {chosen.version}"


def _refusal(plan: Plan, registry: Registry, spec: str, problem: str) -> ModelError:
    registered = [_listed(model) for _, model in sorted(registry.models.items())]
    runs = [run.key for run in _runs(plan)]
    if isinstance(plan.tracking, NoTracking) and not registered:
        registered = ["nothing, because tracking=none registers nothing"]
    return ModelError(
        f"task.model={one_line_of(spec)}: {problem}; registered: {_some(registered)}; "
        f"runs under {plan.paths.outputs}: {_some(runs)}; "
        f"task=final_fit task.until=<date> symbol={plan.symbol} makes one"
    )


def _listed(model: RegisteredModel) -> str:
    numbers = [version.number for version in model.versions]
    ends = f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else "".join(map(str, numbers))
    aliases = "".join(f", {alias} {number}" for alias, number in model.aliases.items())
    return f"{model.name} ({ends}{aliases})"


def _some(names: list[Any]) -> str:
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more if names else "nothing"
