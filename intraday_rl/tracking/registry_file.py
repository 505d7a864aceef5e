"""`paths.outputs/registry.json`: what is registered, for everyone who does not import MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from intraday_rl.records import read_json, write_json
from intraday_rl.tracking.parts import MlflowTracking, NoTracking, without_password

PREFIX = "intraday_rl"
CHAMPION = "champion"
PENDING = "pending"  # `outcome` of a fine-tune that is registered and has not come to its end
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One bundle as a version of a registered model; `source` is its `models:/<id>`."""

    name: str
    number: int
    created_ms: int
    run_id: str
    source: str
    tags: Mapping[str, str]

    @property
    def is_pending(self) -> bool:
        """Registered by a fine-tune that has not come to its end."""
        return self.tags.get("outcome") == PENDING

    def is_tagged(self, tag: str) -> bool:
        """Whether a tag that says yes or no says yes."""
        return self.tags.get(tag) == "true"


@dataclass(frozen=True, slots=True)
class AliasChange:
    """An alias got another version; `before` is null at the first time, `when` is in UTC."""

    alias: str
    version: int
    before: int | None
    when: str
    reason: str


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """All versions of one agent on one symbol, oldest first, and every change of an alias."""

    name: str
    versions: tuple[ModelVersion, ...] = ()
    aliases: Mapping[str, int] = field(default_factory=dict)
    changes: tuple[AliasChange, ...] = ()

    def version(self, number: int) -> ModelVersion | None:
        return next((one for one in self.versions if one.number == number), None)


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything registered in one store; `store` is null for the file under `paths.outputs`."""

    store: str | None
    models: Mapping[str, RegisteredModel]

    def versions(self) -> list[ModelVersion]:
        return [version for model in self.models.values() for version in model.versions]


def registered_name(symbol: str, agent: str, *, synthetic: bool) -> str:
    """`intraday_rl.<symbol>.<agent>`; agents of synthetic bars never share a name with others."""
    return ".".join([PREFIX, *(["synthetic"] if synthetic else []), symbol, agent])


def registry_file(outputs: Path) -> Path:
    return outputs / "registry.json"


def store_shown(part: MlflowTracking) -> str | None:
    """The store as the file names it: moving `paths.outputs` with its database changes nothing."""
    return None if part.uri is None else without_password(part.uri)


def write_registry(outputs: Path, registry: Registry) -> None:
    """Whole or not at all."""
    models = {name: _model_content(model) for name, model in sorted(registry.models.items())}
    content = {"schema_version": SCHEMA_VERSION, "store": registry.store, "models": models}
    write_json(registry_file(outputs), content)


def read_registry(
    part: MlflowTracking | NoTracking, outputs: Path, *, keep: bool = True
) -> Registry:
    """What is registered, from the file alone; from MLflow if it is absent or of another store.

    `keep`: write the file that was absent.
    """
    known = from_file(outputs)
    if isinstance(part, NoTracking):
        return known or Registry(None, {})
    if known is not None and known.store == store_shown(part):
        return known
    if part.uri is None and not (outputs / "mlflow.db").is_file():
        return Registry(None, {})
    from intraday_rl.tracking.registry import rebuilt  # imports mlflow: seconds

    return rebuilt(part, outputs, keep=keep)


def _model_content(model: RegisteredModel) -> dict[str, Any]:
    versions = [{**asdict(version), "tags": dict(version.tags)} for version in model.versions]
    for version in versions:
        del version["name"]
    return {
        "aliases": dict(model.aliases),
        "versions": versions,
        "alias_changes": [asdict(change) for change in model.changes],
    }


def from_file(outputs: Path) -> Registry | None:
    """None if there is none that this version can read: MLflow then says what is registered."""
    try:
        content = read_json(registry_file(outputs))
        if content["schema_version"] != SCHEMA_VERSION:
            return None
        models = {
            name: RegisteredModel(
                name,
                tuple(ModelVersion(name=name, **version) for version in model["versions"]),
                model["aliases"],
                tuple(AliasChange(**change) for change in model["alias_changes"]),
            )
            for name, model in content["models"].items()
        }
        return Registry(content["store"], models)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
