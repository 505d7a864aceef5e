"""Runs in MLflow, by explicit run ids and in batches."""

from __future__ import annotations

import itertools
import json
import math
import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar

from intraday_rl.tracking.mlflow_model import store_model
from intraday_rl.tracking.mlflow_store import open_store, patiently
from intraday_rl.tracking.parts import MlflowTracking
from intraday_rl.tracking.tracker import Curve, RunStatus
from intraday_rl.tracking.values import cut, flatten, plain

Item = TypeVar("Item")

# limits of MLflow's REST interface and of its tables
PARAMS_PER_BATCH = 100
METRICS_PER_BATCH = 1000
LONGEST_PARAM_VALUE = 6000
LONGEST_TAG_VALUE = 8000
LONGEST_DIGEST = 36


class MlflowTracker:
    """A `Tracker` on one MLflow store. Holds no run: any thread may log to any run id."""

    def __init__(self, part: MlflowTracking, outputs: Path) -> None:
        self._part = part
        self._outputs = outputs
        self._client, self._experiment_id = open_store(part, outputs)

    def start_run(
        self,
        name: str,
        tags: Mapping[str, object],
        params: Mapping[str, object],
        parent_id: str | None = None,
    ) -> str:
        """Open a run. Values too long for MLflow are cut, and whole in `long_params.json`."""
        from mlflow.entities import Param

        run_tags = _tag_texts(tags)
        run_tags["mlflow.source.name"] = "intraday_rl"
        if parent_id:
            run_tags["mlflow.parentRunId"] = parent_id
        run = patiently(self._client.create_run, self._experiment_id, tags=run_tags, run_name=name)
        run_id = str(run.info.run_id)
        texts = flatten(params)
        for batch in _batches(texts.items(), PARAMS_PER_BATCH):
            entities = [Param(key, cut(text, LONGEST_PARAM_VALUE)) for key, text in batch]
            patiently(self._client.log_batch, run_id, params=entities)
        long = {key: text for key, text in texts.items() if len(text) > LONGEST_PARAM_VALUE}
        if long:
            self.log_dict(run_id, long, "long_params.json")
        return run_id

    def resume(self, run_id: str) -> None:
        """Mark a run that ended as running again."""
        patiently(self._client.update_run, run_id, status="RUNNING")

    def finish(self, run_id: str, status: RunStatus = "FINISHED") -> None:
        """Close a run."""
        patiently(self._client.set_terminated, run_id, status)

    def set_tags(self, run_id: str, tags: Mapping[str, object]) -> None:
        """Add or replace tags."""
        from mlflow.entities import RunTag

        for batch in _batches(_tag_texts(tags).items(), PARAMS_PER_BATCH):
            entities = [RunTag(key, text) for key, text in batch]
            patiently(self._client.log_batch, run_id, tags=entities)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float | None], step: int = 0) -> None:
        """Record one value per name.

        None, NaN and infinities are left out: MLflow stores infinities as the largest double and
        its JSON cannot carry NaN, so a chart or a sort would show a number nobody computed.
        """
        self._log_points(run_id, ((name, step, value) for name, value in metrics.items()))

    def log_curve(self, run_id: str, name: str, points: Curve) -> None:
        """Record (step, value) points of one metric, a thousand per write."""
        self._log_points(run_id, ((name, step, value) for step, value in points))

    def log_artifact(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Copy one file into the run's artifacts."""
        patiently(self._client.log_artifact, run_id, str(path), folder)

    def log_artifacts(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Copy a folder's content into the run's artifacts."""
        patiently(self._client.log_artifacts, run_id, str(path), folder)

    def log_dict(self, run_id: str, content: Mapping[str, object], filename: str) -> None:
        """Write `content` as a JSON artifact (valid YAML too, whatever the suffix)."""
        text = json.dumps(plain(content), indent=2, allow_nan=False, ensure_ascii=False)
        name = str(PurePosixPath(filename))
        patiently(self._client.log_text, run_id, text + "\n", name)

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
        patiently(self._client.log_inputs, run_id, [entry])

    def log_model(
        self, run_id: str, bundle_folder: Path, columns: Sequence[str], name: str = "model"
    ) -> str:
        """Store a bundle as an MLflow model of the run; "" with `log_models: false`."""
        if not self._part.log_models:
            return ""
        return store_model(self._client, self._experiment_id, run_id, bundle_folder, columns, name)

    def find_run(self, tags: Mapping[str, object]) -> str | None:
        """The id of the newest run of the experiment that carries all these tags."""
        conditions = [f"tags.`{key}` = {_quoted(text)}" for key, text in _tag_texts(tags).items()]
        found = patiently(
            self._client.search_runs,
            [self._experiment_id],
            " and ".join(conditions),
            max_results=1,
            order_by=["attributes.start_time DESC"],
        )
        return str(found[0].info.run_id) if found else None

    def ui_command(self) -> str:
        """The command that opens the UI on a database; a server's own address."""
        uri = self._part.store_uri(self._outputs)
        if self._part.is_server():
            return uri
        return f"mlflow ui --backend-store-uri {shlex.quote(uri)}"

    def _log_points(self, run_id: str, points: Iterable[tuple[str, int, float | None]]) -> None:
        from mlflow.entities import Metric

        # MLflow wants the time of writing with each value; nothing is computed from it
        written_ms = time.time_ns() // 1_000_000
        finite = (
            Metric(name, float(value), written_ms, int(step))
            for name, step, value in points
            if value is not None and math.isfinite(value)
        )
        for batch in _batches(finite, METRICS_PER_BATCH):
            patiently(self._client.log_batch, run_id, metrics=batch)


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
