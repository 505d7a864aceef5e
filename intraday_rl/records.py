"""A run on disk: where each file lies, and writing it whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_state_path


def write_text(path: Path, text: str) -> None:
    """Write through a temporary sibling and one rename: readers see the old file or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with unfinished.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def copy_folder(source: Path, target: Path) -> None:
    """Copy all files below into an existing folder, and see them to the disk."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    for path in target.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """JSON with the keys in their given order; NaN and infinity are refused."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """A file that `write_json` wrote."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def state_folder(state: str | None) -> Path:
    """Where what must outlive `paths.outputs` lies: `paths.state`, else this user's own place."""
    return user_state_path("intraday_rl") if state is None else Path(state)


def git_revision() -> str | None:
    """Revision of the checkout the package runs from, `-dirty` if changed; null outside one."""
    here = Path(__file__).parent
    try:
        answer = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except OSError:
        return None
    return answer.stdout.strip() or None


@dataclass(frozen=True, slots=True)
class SeedFolder:
    """What one seed of one fold wrote."""

    path: Path

    @property
    def result(self) -> Path:
        """Written last: a seed with it is finished."""
        return self.path / "result.json"

    @property
    def bundle(self) -> Path:
        return self.path / "bundle"

    @property
    def ledger(self) -> Path:
        return self.path / "ledger.parquet"

    @property
    def refill_ledger(self) -> Path:
        """Of a fine-tune: what its replay memory began with."""
        return self.path / "refill.parquet"

    @property
    def parent_ledger(self) -> Path:
        """Of a fine-tune: the model it came from, on the same held-out sessions."""
        return self.path / "parent.parquet"

    @property
    def validation_ledger(self) -> Path:
        return self.path / "validation.parquet"

    @property
    def evaluation_log(self) -> Path:
        return self.path / "evaluation.log"

    @property
    def reused_from(self) -> Path:
        """There if the result was copied from another run, which it names."""
        return self.path / "reused_from.json"

    @property
    def error(self) -> Path:
        return self.path / "error.txt"


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """`outputs/folds/<fold key>`: who works on a fold and seed and where it is finished.

    By fold key, not by run: runs that share a fold share its work.
    """

    path: Path

    @classmethod
    def of(cls, outputs: str, fold_key: str) -> WorkFolder:
        return cls(Path(outputs) / "folds" / fold_key)

    @property
    def lease_lock(self) -> Path:
        return self.path / "lease.lock"

    @property
    def lease(self) -> Path:
        return self.path / "lease.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def finished(self) -> Path:
        """Names the seed folder that holds the result, relative to this folder."""
        return self.path / "finished.json"


@dataclass(frozen=True, slots=True)
class FoldFolder:
    """What one fold wrote, all seeds together."""

    path: Path

    def seed(self, seed: int) -> SeedFolder:
        return SeedFolder(self.path / f"seed={seed}")

    @property
    def window(self) -> Path:
        return self.path / "window.json"

    @property
    def ledger(self) -> Path:
        return self.path / "ledger.parquet"

    @property
    def evaluation_log(self) -> Path:
        return self.path / "evaluation.log"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`outputs/runs/<key>`: everything one job wrote; it can be run again from here alone."""

    path: Path

    @classmethod
    def of(cls, outputs: str, key: str) -> RunFolder:
        return cls(Path(outputs) / "runs" / key)

    @property
    def key(self) -> str:
        return self.path.name

    def fold(self, name: str) -> FoldFolder:
        return FoldFolder(self.path / "folds" / name)

    @property
    def plan(self) -> Path:
        return self.path / "plan.yaml"

    @property
    def command(self) -> Path:
        return self.path / "command.txt"

    @property
    def mlflow(self) -> Path:
        """The job's MLflow run ids."""
        return self.path / "mlflow.json"

    @property
    def lock(self) -> Path:
        """Held while what concerns all folds is written: MLflow's run ids, summaries, verdict."""
        return self.path / "run.lock"

    @property
    def data(self) -> Path:
        return self.path / "data.json"

    @property
    def verdict(self) -> Path:
        return self.path / "verdict.json"

    @property
    def fine_tune(self) -> Path:
        """What a fine-tune came to; there in place of a verdict."""
        return self.path / "fine_tune.json"

    @property
    def study(self) -> Path:
        """What a fine-tune study came to, likewise."""
        return self.path / "fine_tune_study.json"

    @property
    def stitched_ledger(self) -> Path:
        return self.path / "ledger.parquet"

    @property
    def report(self) -> Path:
        return self.path / "report.html"
