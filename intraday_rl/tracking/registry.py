"""MLflow's model registry: versions and aliases, changed by one process at a time.

| what is done | what a kill in the middle leaves, and what the same command then does |
|---|---|
| a version is created with its tags, in one transaction | nothing, or the version: found by its
  `fold_key`, never created twice |
| an alias change is noted, then the alias is moved | a note without its change, which is taken up
  or replaced by the next one |
| `registry.json` is written | the file of before; whoever changes anything next writes it whole |
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
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
    registered_name,
    store_shown,
    write_registry,
)
from intraday_rl.tracking.values import as_text

if TYPE_CHECKING:
    from mlflow import MlflowClient

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
            model = self.model(name)
            if model is None:
                patiently(self._client.create_registered_model, name)
            known = model.versions if model else ()
            same = [one for one in known if one.tags.get("fold_key") == texts["fold_key"]]
            if same:
                number = same[0].number
                self._point_to(same[0], texts["bundle"])
            else:
                with self._found_by_the_store():
                    created = patiently(
                        self._client.create_model_version,
                        name, model_uri, run_id, tags=texts, await_creation_for=0,
                    )  # fmt: skip
                number = int(created.version)
            self._link(model_uri, name, number)
        return name, number

    def set_alias(
        self, name: str, version: int, reason: str, *, alias: str, only_if_unset: bool
    ) -> AliasChange | None:
        """As `Tracker.set_alias`."""
        with self._changing():
            model = self.model(name)
            if model is None or model.version(version) is None:
                raise ModelError(f"{name} has no version {version} in the MLflow store")
            before = model.aliases.get(alias)
            if before == version or (before is not None and only_if_unset):
                return None
            when = datetime.now(UTC).isoformat(timespec="seconds")
            change = AliasChange(alias, version, before, when, reason[:LONGEST_REASON])
            kept = _carried_out(model)
            key = f"{CHANGE_TAG}{len(kept) + 1:06d}"
            text = json.dumps(asdict(change))
            patiently(self._client.set_registered_model_tag, name, key, text)
            patiently(self._client.set_registered_model_alias, name, alias, str(version))
            return change

    def model(self, name: str) -> RegisteredModel | None:
        """One registered model as the store has it now."""
        return self.content(name).models.get(name)

    def content(self, only: str | None = None) -> Registry:
        """Everything registered, or one model, as the store has it now."""
        chosen = f"name = '{only}'" if only else f"name LIKE '{PREFIX}.%'"
        versions: dict[str, list[ModelVersion]] = {}
        for found in self._all(self._client.search_model_versions, chosen):
            version = ModelVersion(
                found.name,
                int(found.version),
                int(found.creation_timestamp),
                found.run_id or "",
                found.source or "",
                dict(found.tags),
            )
            versions.setdefault(found.name, []).append(version)
        models = {}
        for found in self._all(self._client.search_registered_models, chosen):
            of_model = sorted(versions.get(found.name, ()), key=lambda one: one.number)
            aliases = {alias: int(number) for alias, number in sorted(found.aliases.items())}
            noted = sorted(key for key in found.tags if key.startswith(CHANGE_TAG))
            changes = tuple(AliasChange(**json.loads(found.tags[key])) for key in noted)
            models[found.name] = RegisteredModel(found.name, tuple(of_model), aliases, changes)
        return Registry(store_shown(self._part), models)

    def write_file(self) -> None:
        """Bring `registry.json` up to the store."""
        registry = self.content()
        models = {
            name: RegisteredModel(name, one.versions, one.aliases, _carried_out(one))
            for name, one in registry.models.items()
        }
        write_registry(self._outputs, Registry(registry.store, models))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Alone with the store; the file is written before anybody else may change anything."""
        uri = self._part.store_uri(self._outputs)
        with explained_failures(uri, self._outputs), store_lock(uri, self._outputs):
            yield
            self.write_file()

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

    def _point_to(self, version: ModelVersion, bundle: str) -> None:
        """A fit that another run reuses stays one version; it follows the folder that exists."""
        if not (self._outputs / version.tags.get("bundle", "")).is_dir():
            patiently(
                self._client.set_model_version_tag,
                version.name, str(version.number), "bundle", bundle,
            )  # fmt: skip

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


def _carried_out(model: RegisteredModel) -> tuple[AliasChange, ...]:
    """The changes that happened: a last note whose alias never moved is from a killed process."""
    if not model.changes:
        return ()
    *earlier, last = model.changes
    now = model.aliases.get(last.alias)
    pending = now != last.version and now == last.before
    return tuple(earlier) if pending else model.changes
