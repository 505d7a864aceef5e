"""Where machine code made on this machine is kept for its other processes."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder(name: str) -> Path:
    """A folder of that name under INTRADAY_RL_CACHE, else under the user's cache."""
    root = os.environ.get("INTRADAY_RL_CACHE")
    return (Path(root) if root else user_cache_path("intraday_rl")) / name


def processor() -> str:
    """What machine code may rely on: a cache folder can be shared by unlike machines."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()} {flags}"
