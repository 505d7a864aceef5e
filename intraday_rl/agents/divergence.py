"""What is left behind when training meets a value that is not finite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intraday_rl.errors import TrainingDiverged


def diverged(
    folder: Path, step: int, what: str, batch: Mapping[str, NDArray[np.generic]]
) -> TrainingDiverged:
    """The error to raise, with the batch at hand already saved as `diverged_step_<step>.npz`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"diverged_step_{step}.npz"
    np.savez(path, allow_pickle=False, **batch)
    return TrainingDiverged(
        f"{what}: not a finite number at step {step}; the batch is saved in {path}; "
        "check the data behind it, or lower agent.learning_rate"
    )
