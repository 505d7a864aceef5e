"""Find a finished run by its key, a part of it, or its folder."""

from __future__ import annotations

from pathlib import Path

from intraday_rl.errors import ConfigError
from intraday_rl.records import RunFolder


def find_run(outputs: str, wanted: str) -> RunFolder:
    """The run that `wanted` names; refuses an unknown or ambiguous key, listing what exists."""
    if Path(wanted).is_dir() and (Path(wanted) / "plan.yaml").is_file():
        return RunFolder(Path(wanted))
    runs = Path(outputs) / "runs"
    known = sorted(path.name for path in runs.glob("*") if (path / "plan.yaml").is_file())
    matching = [key for key in known if key.startswith(wanted)]
    if len(matching) == 1:
        return RunFolder(runs / matching[0])
    problem = "is ambiguous" if matching else "is not known"
    raise ConfigError(
        "task.run",
        wanted,
        f"{problem} in {runs}; there are: {', '.join(matching or known) or 'none'}",
    )
