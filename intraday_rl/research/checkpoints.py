"""Checkpoints of a fit on disk: each is one folder, whole or not there; the newest counts."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of one fold and seed below `path`."""

    path: Path

    def newest(self) -> Path | None:
        """The folder of the latest checkpoint, if there is one."""
        steps = [int(folder.name.removeprefix("step=")) for folder in self.path.glob("step=*")]
        return self.path / f"step={max(steps)}" if steps else None

    def write(self, step: int, files: Mapping[str, bytes]) -> None:
        """Write one and drop those before it: a reader finds the old one or the new one."""
        if (self.path / f"step={step}").is_dir():
            return  # resumed and stopped again before anything happened
        self.path.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".", dir=self.path))
        try:
            for name, content in files.items():
                with (unfinished / name).open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            unfinished.rename(self.path / f"step={step}")
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        for other in self.path.iterdir():  # also what a killed process left half written
            if other.name != f"step={step}":
                shutil.rmtree(other)

    def clear(self) -> None:
        """Forget them all."""
        shutil.rmtree(self.path, ignore_errors=True)
