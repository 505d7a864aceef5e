"""MLflow's model registry: versions and aliases, changed by one process at a time.

| what is done | what a kill in the middle leaves, and what the same command then does |
|---|---|
| a version is created with its tags, in one transaction | nothing, or the version: found by its
  `fold_key`, never created twice |
| an alias change is noted, then the alias is moved | a note without its change, which is taken up
  or replaced by the next one |
| `registry.json` is written | the file of before; the same command adds what is missing |
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intraday_rl.errors import ModelError
from intraday_rl.tracking.full_disk import explained_failures
from intraday_rl.tracking.mlflow_store import client_of, patiently, store_lock
from intraday_rl.tracking.parts import MlflowTracking
from intraday_rl.tracking.registry_file import (
    PREFIX,
    AliasChange,
    ModelVersion,
    RegisteredModel,
    Registry,
    from_file,
    registered_name,
    store_shown,
    write_registry,
)
from intraday_rl.tracking.values import as_text

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as ModelVersionEntity

CHANGE_TAG = "alias_change."
LONGEST_REASON = 1_000  # characters; a tag of a registered model holds 5,000
PAGE = 1_000

# The store asks MLflow's global client for a version's source, so that one thread sets it at a time
_global_address = threading.Lock()


class MlflowRegistry:
    """The registered models `intraday_rl.*` of one store."""

    def __init__(self, client: MlflowClient, part: MlflowTracking, outputs: Path) -> None:
        self._client, self._part, self._outputs = client, part, outputs

    def register(
        self, run_id: str, model_uri: str, bundle: Path, tags: Mapping[str, object]
    ) -> tuple[str, int]:
        """As `Tracker.register_bundle`, for a model that is stored."""
        texts = {key: as_text(value) for key, value in tags.items()}
        texts["bundle"] = self._place(bundle)
        name = registered_name(
            texts["symbol"], texts["agent"], synthetic=texts["synthetic"] == "true"
        )
        with self._changing():
            version = self._version(name, texts["fold_key"])
            if version is None:
                self._create(name, run_id, model_uri, texts)
                version = self._version(name, texts["fold_key"])
            elif not (self._outputs / version.tags["bundle"]).is_dir():
                version = self._moved(version, texts["bundle"])
            if version is None:
                raise ModelError(f"{name}: MLflow does not give back the version of {model_uri}")
            self._link(model_uri, name, version.number)
            self._add_to_file(version)
        return name, version.number

    def set_alias(
        self, name: str, version: int, reason: str, *, alias: str, only_if_unset: bool
    ) -> AliasChange | None:
        """As `Tracker.set_alias`."""
        with self._changing():
            model = self.content().models.get(name)
            if model is None or model.version(version) is None:
                raise ModelError(f"{name} has no version {version} in the MLflow store")
            before = model.aliases.get(alias)
            if before == version or (before is not None and only_if_unset):
                self.write_file()  # it may be of before a kill
                return None
            when = datetime.now(UTC).isoformat(timespec="seconds")
            change = AliasChange(alias, version, before, when, reason[:LONGEST_REASON])
            key = f"{CHANGE_TAG}{len(model.changes) + 1:06d}"
            text = json.dumps(asdict(change))
            patiently(self._client.set_registered_model_tag, name, key, text)
            patiently(self._client.set_registered_model_alias, name, alias, str(version))
            self.write_file()
            return change

    def mark(self, name: str, version: int, tags: Mapping[str, object]) -> None:
        """As `Tracker.mark_version`."""
        with self._changing():
            for key, value in tags.items():
                patiently(
                    self._client.set_model_version_tag, name, str(version), key, as_text(value)
                )
            self.write_file()

    def content(self) -> Registry:
        """Everything registered, as the store has it now."""
        chosen = f"name LIKE '{PREFIX}.%'"
        versions: dict[str, list[ModelVersion]] = {}
        for found in self._all(self._client.search_model_versions, chosen):
            versions.setdefault(found.name, []).append(_version_of(found))
        models = {}
        for found in self._all(self._client.search_registered_models, chosen):
            of_model = sorted(versions.get(found.name, ()), key=lambda one: one.number)
            aliases = {alias: int(number) for alias, number in sorted(found.aliases.items())}
            noted = sorted(key for key in found.tags if key.startswith(CHANGE_TAG))
            changes = tuple(AliasChange(**json.loads(found.tags[key])) for key in noted)
            models[found.name] = RegisteredModel(
                found.name, tuple(of_model), aliases, _carried_out(changes, aliases)
            )
        return Registry(store_shown(self._part), models)

    def write_file(self) -> None:
        """Bring `registry.json` up to the store."""
        write_registry(self._outputs, self.content())

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Alone with the store; the file is written before anybody else may change anything."""
        uri = self._part.store_uri(self._outputs)
        with explained_failures(uri, self._outputs), store_lock(uri, self._outputs):
            yield

    def _version(self, name: str, fold_key: str) -> ModelVersion | None:
        chosen = f"name = '{name}' and tags.fold_key = '{fold_key}'"
        found = patiently(self._client.search_model_versions, chosen, max_results=1)
        return _version_of(found[0]) if found else None

    def _create(self, name: str, run_id: str, model_uri: str, tags: Mapping[str, str]) -> None:
        from mlflow.exceptions import MlflowException

        try:
            patiently(self._client.create_registered_model, name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        with self._found_by_the_store():
            patiently(
                self._client.create_model_version,
                name, model_uri, run_id, tags=dict(tags), await_creation_for=0,
            )  # fmt: skip

    def _moved(self, version: ModelVersion, bundle: str) -> ModelVersion:
        """A fit that another run reuses stays one version; it follows the folder that exists."""
        number = str(version.number)
        patiently(self._client.set_model_version_tag, version.name, number, "bundle", bundle)
        return replace(version, tags={**version.tags, "bundle": bundle})

    def _add_to_file(self, version: ModelVersion) -> None:
        """Reading everything from MLflow at each version would take a sweep's time squared."""
        known = from_file(self._outputs)
        if known is None or known.store != store_shown(self._part):
            self.write_file()
            return
        model = known.models.get(version.name, RegisteredModel(version.name))
        if version in model.versions:
            return
        others = [one for one in model.versions if one.number != version.number]
        versions = tuple(sorted([*others, version], key=lambda one: one.number))
        models = {**known.models, model.name: replace(model, versions=versions)}
        write_registry(self._outputs, replace(known, models=models))

    @contextmanager
    def _found_by_the_store(self) -> Iterator[None]:
        """MLflow 3.17's SQL store resolves `models:/<id>` through the process's global address."""
        from mlflow import set_tracking_uri
        from mlflow.tracking import get_tracking_uri, is_tracking_uri_set

        with _global_address:
            of_shell = os.environ.get("MLFLOW_TRACKING_URI")
            is_set = is_tracking_uri_set()  # type: ignore[no-untyped-call]
            before = get_tracking_uri() if is_set else None
            set_tracking_uri(self._part.store_uri(self._outputs))
            try:
                yield
            finally:
                set_tracking_uri(before)  # type: ignore[arg-type]  # None: as if never set
                if of_shell is None:
                    os.environ.pop("MLFLOW_TRACKING_URI", None)
                else:
                    os.environ["MLFLOW_TRACKING_URI"] = of_shell

    def _link(self, model_uri: str, name: str, number: int) -> None:
        """What the page of a run and of a logged model reads to show the version."""
        model_id = model_uri.removeprefix("models:/")
        logged = patiently(self._client.get_logged_model, model_id)
        linked = json.loads(logged.tags.get("mlflow.modelVersions", "[]"))
        entry = {"name": name, "version": str(number)}
        if entry not in linked:
            text = json.dumps([*linked, entry])
            patiently(self._client.set_logged_model_tags, model_id, {"mlflow.modelVersions": text})

    def _place(self, bundle: Path) -> str:
        folder, outputs = bundle.resolve(), self._outputs.resolve()
        inside = folder.is_relative_to(outputs)
        return (folder.relative_to(outputs) if inside else folder).as_posix()

    def _all(self, search: Any, chosen: str) -> Iterator[Any]:
        token = None
        while True:
            page = patiently(search, chosen, max_results=PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


def rebuilt(part: MlflowTracking, outputs: Path, *, keep: bool) -> Registry:
    """What MLflow has, for a `registry.json` that is absent; `keep`: written there too."""
    uri = part.store_uri(outputs)
    with explained_failures(uri, outputs):
        registry = MlflowRegistry(client_of(part, outputs), part, outputs)
        if keep:
            with store_lock(uri, outputs):
                registry.write_file()
        return registry.content()


def _version_of(found: ModelVersionEntity) -> ModelVersion:
    return ModelVersion(
        name=found.name,
        number=int(found.version),
        created_ms=int(found.creation_timestamp),
        run_id=found.run_id or "",
        source=found.source or "",
        tags=dict(found.tags),
    )


def _carried_out(
    noted: tuple[AliasChange, ...], aliases: Mapping[str, int]
) -> tuple[AliasChange, ...]:
    """The changes that happened: a last note whose alias never moved is from a killed process."""
    if not noted:
        return ()
    *earlier, last = noted
    now = aliases.get(last.alias)
    pending = now != last.version and now == last.before
    return tuple(earlier) if pending else noted
