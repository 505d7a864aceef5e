"""What the rest of the house may ask of a recorder, and the recorder that records nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from intraday_rl.tracking.parts import MlflowTracking, NoTracking
from intraday_rl.tracking.registry_file import CHAMPION, AliasChange

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]
Curve = Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run as the store knows it; `status` also may be RUNNING."""

    run_id: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]


class Tracker(Protocol):
    """A recorder of runs, addressed by explicit run ids: safe in worker processes and threads.

    Nothing here keeps a "current run". A run id is plain text, so a parent hands it to workers,
    and each worker opens a tracker of its own with `open_tracker`.
    """

    def start_run(
        self,
        name: str,
        tags: Mapping[str, object],
        params: Mapping[str, object],
        parent_id: str | None = None,
    ) -> str:
        """Open a run and return its id; nested `params` become dotted keys."""
        ...

    def resume(self, run_id: str) -> None:
        """Mark a run that ended as running again (its params stay as they are)."""
        ...

    def add_params(self, run: FoundRun, params: Mapping[str, object]) -> None:
        """Record those that the run does not have yet."""
        ...

    def finish(self, run_id: str, status: RunStatus = "FINISHED") -> None:
        """Close a run."""
        ...

    def set_tags(self, run_id: str, tags: Mapping[str, object]) -> None:
        """Add or replace tags."""
        ...

    def log_metrics(
        self,
        run_id: str,
        metrics: Mapping[str, float | None],
        step: int = 0,
        *,
        written_ms: int | None = None,
    ) -> None:
        """Record one value per name; None, NaN and infinities are left out.

        Written again with the same `written_ms` (null = now) it stays one value.
        """
        ...

    def log_curve(
        self, run_id: str, name: str, points: Curve, *, written_ms: int | None = None
    ) -> None:
        """Record (step, value) points of one metric; values that are not finite are left out."""
        ...

    def log_artifact(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Copy one file into the run's artifacts."""
        ...

    def log_artifacts(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Copy a folder's content into the run's artifacts."""
        ...

    def log_dict(self, run_id: str, content: Mapping[str, object], filename: str) -> None:
        """Write `content` as a JSON artifact; numbers that are not finite become null."""
        ...

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
        """Record the data a run read: `schema` maps column to type, `source` tells its origin."""
        ...

    def log_model(
        self, run_id: str, bundle_folder: Path, columns: Sequence[str], name: str = "model"
    ) -> str:
        """Store a bundle as an MLflow model of the run; its URI, or "" when none is stored."""
        ...

    def register_bundle(
        self, run_id: str, model_uri: str, bundle: Path, tags: Mapping[str, object]
    ) -> tuple[str, int]:
        """Make a logged bundle a version of its registered model; name and version, or ("", 0).

        `tags` must hold `symbol`, `agent`, `synthetic` (which give the name) and `fold_key` (which
        is the version's identity: the same key again gives the version that is there).
        """
        ...

    def mark_version(self, name: str, version: int, tags: Mapping[str, object]) -> None:
        """Add or replace tags of a registered version."""
        ...

    def set_alias(
        self,
        name: str,
        version: int,
        reason: str,
        *,
        alias: str = CHAMPION,
        only_if_unset: bool = False,
    ) -> AliasChange | None:
        """Move an alias and keep who had it before; None if there was nothing to change."""
        ...

    def find_runs(self, tags: Mapping[str, object]) -> list[FoundRun]:
        """The runs that carry all these tags, the newest first."""
        ...

    def ui_command(self) -> str:
        """The shell command (or the address) that shows the runs; "" when there are none."""
        ...


class NullTracker:
    """Records nothing; every id is the empty string."""

    def start_run(
        self,
        name: str,
        tags: Mapping[str, object],
        params: Mapping[str, object],
        parent_id: str | None = None,
    ) -> str:
        return ""

    def resume(self, run_id: str) -> None:
        return None

    def add_params(self, run: FoundRun, params: Mapping[str, object]) -> None:
        return None

    def finish(self, run_id: str, status: RunStatus = "FINISHED") -> None:
        return None

    def set_tags(self, run_id: str, tags: Mapping[str, object]) -> None:
        return None

    def log_metrics(
        self,
        run_id: str,
        metrics: Mapping[str, float | None],
        step: int = 0,
        *,
        written_ms: int | None = None,
    ) -> None:
        return None

    def log_curve(
        self, run_id: str, name: str, points: Curve, *, written_ms: int | None = None
    ) -> None:
        return None

    def log_artifact(self, run_id: str, path: Path, folder: str | None = None) -> None:
        return None

    def log_artifacts(self, run_id: str, path: Path, folder: str | None = None) -> None:
        return None

    def log_dict(self, run_id: str, content: Mapping[str, object], filename: str) -> None:
        return None

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
        return None

    def log_model(
        self, run_id: str, bundle_folder: Path, columns: Sequence[str], name: str = "model"
    ) -> str:
        return ""

    def register_bundle(
        self, run_id: str, model_uri: str, bundle: Path, tags: Mapping[str, object]
    ) -> tuple[str, int]:
        return "", 0

    def mark_version(self, name: str, version: int, tags: Mapping[str, object]) -> None:
        """Record nothing."""

    def set_alias(
        self,
        name: str,
        version: int,
        reason: str,
        *,
        alias: str = CHAMPION,
        only_if_unset: bool = False,
    ) -> AliasChange | None:
        return None

    def find_runs(self, tags: Mapping[str, object]) -> list[FoundRun]:
        return []

    def ui_command(self) -> str:
        return ""


def open_tracker(part: MlflowTracking | NoTracking, outputs: Path) -> Tracker:
    """The recorder that `part` describes; for MLflow the store and the experiment then exist."""
    if isinstance(part, NoTracking):
        return NullTracker()
    from intraday_rl.tracking.mlflow_tracker import MlflowTracker

    return MlflowTracker(part, outputs)
