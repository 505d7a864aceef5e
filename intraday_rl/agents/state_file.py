"""Look into a file of networks and optimisers before any library reads it; executes nothing.

A PyTorch file is a zip with a pickle in it. torch's `weights_only` reader refuses what is not a
tensor; this check says so beforehand, without torch, for a dry run and by the name of the thing.
"""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path

import numpy as np

from intraday_rl.errors import ModelError

# What a state of tensors, numbers and dictionaries is made of, and nothing that acts.
HARMLESS = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    "torch FloatStorage",
    "torch DoubleStorage",
    "torch LongStorage",
    "torch IntStorage",
}
NAMING = ("GLOBAL", "STACK_GLOBAL", "INST")


def check_state_file(path: Path) -> None:
    """Refuse a training state that could run code when read, naming what it would call."""
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as saved:
                for name in saved.files:
                    saved[name]
            return
        with zipfile.ZipFile(path) as archive:
            pickles = [name for name in archive.namelist() if name.endswith(".pkl")]
            named = [word for name in pickles for word in _names(archive.read(name))]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, IndexError) as error:
        raise ModelError(
            f"{path}: training state cannot be read as tensors ({type(error).__name__}: {error}): "
            "restore the bundle from its run"
        ) from error
    foreign = sorted(set(named) - HARMLESS)
    if foreign or not pickles:
        found = f"would call {', '.join(foreign)}" if foreign else "holds no state"
        raise ModelError(
            f"{path}: training state {found}; nothing of it was read: "
            "restore the bundle from its run"
        )


def _names(pickled: bytes) -> list[str]:
    """Everything a pickle would import; `STACK_GLOBAL` hides its name and counts as foreign."""
    return [
        str(argument) if argument is not None else operation.name
        for operation, argument, _ in pickletools.genops(pickled)
        if operation.name in NAMING
    ]
