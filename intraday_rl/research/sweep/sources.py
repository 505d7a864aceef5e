"""Which sweeps and runs a verdict is about: folders, ids, keys or tags."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from intraday_rl.errors import ConfigError
from intraday_rl.records import RunFolder, read_json
from intraday_rl.research.run_folders import find_run
from intraday_rl.research.sweep.jobs import Job, distinct, jobs_of_runs, jobs_of_sweep
from intraday_rl.tasks import Verdict


@dataclass(frozen=True, slots=True)
class Family:
    """What is judged together.

    `name`: the sweep's id, or a key of all sources together; `folder`: where the verdict goes.
    """

    name: str
    folder: Path
    sweeps: tuple[str, ...]
    jobs: list[Job]

    @property
    def is_one_sweep(self) -> bool:
        """One multirun and nothing else: the verdict then lies in that sweep's own folder."""
        return self.sweeps == (self.name,)


def gather(task: Verdict, outputs: str) -> Family:
    """Everything that `task.sweep` and `task.runs` name, each run once."""
    sweeps: list[Path] = []
    runs: list[RunFolder] = []
    for wanted in task.sweep:
        tagged = _tagged(outputs, wanted)
        if tagged is None:
            sweeps.append(_find_sweep(outputs, wanted))
        else:
            runs += tagged
    runs += [find_run(outputs, key) for key in task.runs]
    if not sweeps and not runs:
        raise ConfigError("task.sweep", task.sweep, "name a sweep, or runs by task.runs=[<key>]")
    jobs = distinct([job for sweep in sweeps for job in jobs_of_sweep(sweep)] + jobs_of_runs(runs))
    if len(sweeps) == 1 and not runs:
        return Family(sweeps[0].name, sweeps[0], (sweeps[0].name,), jobs)
    names = sorted({*(sweep.name for sweep in sweeps), *(run.key for run in runs)})
    name = f"family-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:12]}"
    folder = Path(outputs) / "sweeps" / name
    return Family(name, folder, tuple(sorted({sweep.name for sweep in sweeps})), jobs)


def _find_sweep(outputs: str, wanted: str) -> Path:
    if (Path(wanted) / "jobs").is_dir():
        return Path(wanted).absolute()
    sweeps = Path(outputs) / "sweeps"
    known = sorted(path.parent for path in sweeps.glob("*/jobs"))
    matching = [path for path in known if path.name.startswith(wanted)]
    if len(matching) == 1:
        return matching[0]
    problem = "is ambiguous" if matching else "is not known"
    listed = ", ".join(path.name for path in (matching or known)) or "none"
    raise ConfigError("task.sweep", wanted, f"{problem} in {sweeps}; there are: {listed}")


def _tagged(outputs: str, wanted: str) -> list[RunFolder] | None:
    """The runs whose facts say `name=value`; None when `wanted` is no tag."""
    name, mark, value = wanted.partition("=")
    if not mark or "/" in name:
        return None
    runs = Path(outputs) / "runs"
    found = [
        RunFolder(path.parent)
        for path in sorted(runs.glob("*/data.json"))
        if str(read_json(path).get(name)) == value
    ]
    if not found:
        raise ConfigError("task.sweep", wanted, f"no run in {runs} has this in its data.json")
    return found
