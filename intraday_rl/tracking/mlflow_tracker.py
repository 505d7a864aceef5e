"""Runs in MLflow, by explicit run ids and in batches."""

from __future__ import annotations

import itertools
import json
import math
import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import ParamSpec, TypeVar

from intraday_rl.tracking.full_disk import explained_failures
from intraday_rl.tracking.mlflow_model import store_model
from intraday_rl.tracking.mlflow_store import open_store, patiently
from intraday_rl.tracking.parts import MlflowTracking
from intraday_rl.tracking.registry import MlflowRegistry
from intraday_rl.tracking.registry_file import CHAMPION, AliasChange
from intraday_rl.tracking.tracker import Curve, FoundRun, RunStatus
from intraday_rl.tracking.values import cut, flatten, plain

Item = TypeVar("Item")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# limits of MLflow's REST interface and of its tables
PARAMS_PER_BATCH = 100
METRICS_PER_BATCH = 1000
LONGEST_PARAM_VALUE = 6000
LONGEST_TAG_VALUE = 8000
LONGEST_DIGEST = 36
MOST_RUNS_FOUND = 5_000  # folds and seeds of one job; MLflow gives at most 50,000 at once


class MlflowTracker:
    """A `Tracker` on one MLflow store. Holds no run: any thread may log to any run id."""

    def __init__(self, part: MlflowTracking, outputs: Path) -> None:
        self._part = part
        self._outputs = outputs
        self._client, self._experiment_id = open_store(part, outputs)
        self._registry = MlflowRegistry(self._client, part, outputs)

    def start_run(
        self,
        name: str,
        tags: Mapping[str, object],
        params: Mapping[str, object],
        parent_id: str | None = None,
    ) -> str:
        """Open a run. Values too long for MLflow are cut, and whole in `long_params.json`."""
        run_tags = _tag_texts(tags)
        run_tags["mlflow.source.name"] = "intraday_rl"
        if parent_id:
            run_tags["mlflow.parentRunId"] = parent_id
        run = self._write(
            self._client.create_run, self._experiment_id, tags=run_tags, run_name=name
        )
        run_id = str(run.info.run_id)
        self._log_params(run_id, flatten(params))
        return run_id

    def add_params(self, run: FoundRun, params: Mapping[str, object]) -> None:
        """Record those that the run does not have yet: its process may have died in between."""
        texts = flatten(params)
        self._log_params(run.run_id, {k: v for k, v in texts.items() if k not in run.params})

    def _log_params(self, run_id: str, texts: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        for batch in _batches(texts.items(), PARAMS_PER_BATCH):
            entities = [Param(key, cut(text, LONGEST_PARAM_VALUE)) for key, text in batch]
            self._write(self._client.log_batch, run_id, params=entities)
        long = {key: text for key, text in texts.items() if len(text) > LONGEST_PARAM_VALUE}
        if long:
            self.log_dict(run_id, long, "long_params.json")

    def resume(self, run_id: str) -> None:
        """Mark a run that ended as running again."""
        self._write(self._client.update_run, run_id, status="RUNNING")

    def finish(self, run_id: str, status: RunStatus = "FINISHED") -> None:
        """Close a run."""
        self._write(self._client.set_terminated, run_id, status)

    def set_tags(self, run_id: str, tags: Mapping[str, object]) -> None:
        """Add or replace tags."""
        from mlflow.entities import RunTag

        for batch in _batches(_tag_texts(tags).items(), PARAMS_PER_BATCH):
            entities = [RunTag(key, text) for key, text in batch]
            self._write(self._client.log_batch, run_id, tags=entities)

    def log_metrics(
        self,
        run_id: str,
        metrics: Mapping[str, float | None],
        step: int = 0,
        *,
        written_ms: int | None = None,
    ) -> None:
        """Record one value per name; with the same `written_ms`, once however often.

        None, NaN and infinities are left out: MLflow stores infinities as the largest double and
        its JSON cannot carry NaN, so a chart or a sort would show a number nobody computed.
        """
        self._log_points(
            run_id, ((name, step, value) for name, value in metrics.items()), written_ms
        )

    def log_curve(
        self, run_id: str, name: str, points: Curve, *, written_ms: int | None = None
    ) -> None:
        """Record (step, value) points of one metric, a thousand per write."""
        self._log_points(run_id, ((name, step, value) for step, value in points), written_ms)

    def log_artifact(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Copy one file into the run's artifacts."""
        self._write(self._client.log_artifact, run_id, str(path), folder)

    def log_artifacts(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Copy a folder's content into the run's artifacts."""
        self._write(self._client.log_artifacts, run_id, str(path), folder)

    def log_dict(self, run_id: str, content: Mapping[str, object], filename: str) -> None:
        """Write `content` as a JSON artifact (valid YAML too, whatever the suffix)."""
        text = json.dumps(plain(content), indent=2, allow_nan=False, ensure_ascii=False)
        name = str(PurePosixPath(filename))
        self._write(self._client.log_text, run_id, text + "\n", name)

    def log_dataset(
        self,
        run_id: str,
        name: str,
        digest: str,
        source: Mapping[str, object],
        schema: Mapping[str, str] | None = None,
        profile: Mapping[str, object] | None = None,
        context: str = "walk_forward",
    ) -> None:
        """Record the data a run read, as MLflow's dataset input.

        MLflow keeps the first characters of `digest`; the whole one travels in the source.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        columns = [{"name": column, "type": kind} for column, kind in (schema or {}).items()]
        dataset = Dataset(
            name=name,
            digest=digest[:LONGEST_DIGEST],
            source_type="local",
            source=json.dumps(plain({**source, "digest": digest})),
            schema=json.dumps({"mlflow_colspec": columns}) if columns else None,
            profile=json.dumps(plain(profile)) if profile else None,
        )
        entry = DatasetInput(dataset, tags=[InputTag("mlflow.data.context", context)])
        self._write(self._client.log_inputs, run_id, [entry])

    def log_model(
        self, run_id: str, bundle_folder: Path, columns: Sequence[str], name: str = "model"
    ) -> str:
        """Store a bundle as an MLflow model of the run; "" with `log_models: false`."""
        if not self._part.log_models:
            return ""
        with explained_failures(self._part.store_uri(self._outputs), self._outputs):
            return store_model(
                self._client, self._experiment_id, run_id, bundle_folder, columns, name
            )

    def register_bundle(
        self, run_id: str, model_uri: str, bundle: Path, tags: Mapping[str, object]
    ) -> tuple[str, int]:
        """A version of the registered model that the tags name; ("", 0) without a logged model."""
        if not model_uri:
            return "", 0
        return self._registry.register(run_id, model_uri, bundle, tags)

    def mark_version(self, name: str, version: int, tags: Mapping[str, object]) -> None:
        """Add or replace tags of a registered version."""
        self._registry.mark(name, version, tags)

    def set_alias(
        self,
        name: str,
        version: int,
        reason: str,
        *,
        alias: str = CHAMPION,
        only_if_unset: bool = False,
    ) -> AliasChange | None:
        """Move an alias under the store's lock; None if there was nothing to change."""
        return self._registry.set_alias(
            name, version, reason, alias=alias, only_if_unset=only_if_unset
        )

    def find_runs(self, tags: Mapping[str, object]) -> list[FoundRun]:
        """The runs of the experiment that carry all these tags, the newest first."""
        conditions = [f"tags.`{key}` = {_quoted(text)}" for key, text in _tag_texts(tags).items()]
        found = self._write(
            self._client.search_runs,
            [self._experiment_id],
            " and ".join(conditions),
            max_results=MOST_RUNS_FOUND,
            order_by=["attributes.start_time DESC"],
        )
        return [
            FoundRun(run.info.run_id, run.info.status, run.data.tags, run.data.params)
            for run in found
        ]

    def ui_command(self) -> str:
        """The command that opens the UI on a database; a server's own address."""
        uri = self._part.store_uri(self._outputs)
        if self._part.is_server():
            return uri
        return f"mlflow ui --backend-store-uri {shlex.quote(uri)}"

    def _write(
        self,
        operation: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """One operation of the store; a full or read-only disk is a message, not a traceback."""
        with explained_failures(self._part.store_uri(self._outputs), self._outputs):
            return patiently(operation, *args, **kwargs)

    def _log_points(
        self,
        run_id: str,
        points: Iterable[tuple[str, int, float | None]],
        written_ms: int | None,
    ) -> None:
        from mlflow.entities import Metric

        # Part of what makes a point the same one in MLflow's tables; nothing is computed from it.
        written = time.time_ns() // 1_000_000 if written_ms is None else written_ms
        finite = (
            Metric(name, float(value), written, int(step))
            for name, step, value in points
            if value is not None and math.isfinite(value)
        )
        for batch in _batches(finite, METRICS_PER_BATCH):
            self._write(self._client.log_batch, run_id, metrics=batch)


def _batches(items: Iterable[Item], size: int) -> Iterable[list[Item]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _tag_texts(tags: Mapping[str, object]) -> dict[str, str]:
    return {key: cut(text, LONGEST_TAG_VALUE) for key, text in flatten(tags).items()}


def _quoted(text: str) -> str:
    mark = '"' if "'" in text else "'"
    if mark in text:
        raise ValueError(f"a tag with both kinds of quotes cannot be searched for: {text}")
    return f"{mark}{text}{mark}"
