"""What was tried: every job of a sweep, whatever became of it.

| status    | the job                                                                        |
|-----------|--------------------------------------------------------------------------------|
| finished  | ended with a run in which every fold has a result                              |
| failed    | said that it failed, or its run has a fold without a result                    |
| abandoned | left no record: killed, never begun, or its run is unfinished or gone          |

A multirun writes `jobs/<number>.yaml` (the plan) before the first job and `jobs/<number>.json`
(exit status, run key) after each. A run that is given by its key is a job of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from intraday_rl.records import RunFolder, read_json

# The one in C, where PyYAML has it, reads hundreds of plans in the time of a few.
_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class JobStatus(Enum):
    """What became of a job."""

    finished = "finished"
    failed = "failed"
    abandoned = "abandoned"


@dataclass(frozen=True, slots=True)
class Job:
    """One configuration that was tried.

    | field         | meaning                                                                  |
    |---------------|--------------------------------------------------------------------------|
    | name          | what was typed for it                                                    |
    | kinds, values | its plan; empty when not even that is known                              |
    | run           | its run, once there are results to read                                  |
    | facts         | `data.json` of that run                                                  |
    | result        | `verdict.json` of that run                                               |
    """

    name: str
    status: JobStatus
    kinds: dict[str, str]
    values: dict[str, Any]
    run: RunFolder | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)


def jobs_of_sweep(sweep: Path) -> list[Job]:
    """Every walk-forward job of a sweep's folder, in the order of their numbers."""
    numbers = sorted({int(path.stem) for path in (sweep / "jobs").glob("*.*") if _numbered(path)})
    jobs = (_job_of_sweep(sweep, number) for number in numbers)
    return [job for job in jobs if _is_walk_forward(job)]


def jobs_of_runs(runs: Sequence[RunFolder]) -> list[Job]:
    """The jobs behind runs that are named by themselves."""
    return [job for job in map(job_of_run, runs) if _is_walk_forward(job)]


def job_of_run(run: RunFolder, name: str | None = None) -> Job:
    """The job that wrote a run's folder."""
    kinds, values = _plan(run.plan)
    known = [path for path in (run.data, run.verdict) if path.is_file()]
    if len(known) < 2:
        return Job(name or run.key, JobStatus.abandoned, kinds, values)
    result = read_json(run.verdict)
    complete = result.get("folds_failed") == 0
    status = JobStatus.finished if complete else JobStatus.failed
    return Job(name or run.key, status, kinds, values, run, read_json(run.data), result)


def distinct(jobs: Sequence[Job]) -> list[Job]:
    """The jobs without repetitions of one run: sweeps of a family may share some."""
    return list(_distinct(jobs))


def _distinct(jobs: Sequence[Job]) -> Iterator[Job]:
    seen = set()
    for job in jobs:
        if job.run is None:
            yield job
        elif job.run.key not in seen:
            seen.add(job.run.key)
            yield job


def _job_of_sweep(sweep: Path, number: int) -> Job:
    record, plan = (sweep / "jobs" / f"{number}.{end}" for end in ("json", "yaml"))
    outcome = read_json(record) if record.is_file() else {}
    kinds, values = _plan(plan)
    words = outcome.get("overrides")
    name = f"{sweep.name} job {number}" + (f": {' '.join(words)}" if words else "")
    if outcome.get("run_key"):
        # A sweep that was moved brings its runs along; a swept paths.outputs leaves them apart.
        places = [str(sweep.parent.parent)]
        places += [values["paths"]["outputs"]] if values else []
        for place in places:
            run = RunFolder.of(place, outcome["run_key"])
            if run.plan.is_file():
                return job_of_run(run, name)
    failed = outcome.get("code", 0) != 0
    return Job(name, JobStatus.failed if failed else JobStatus.abandoned, kinds, values)


def _plan(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Kinds and values of a `plan.yaml`; nothing where there is none."""
    if not path.is_file():
        return {}, {}
    values: dict[str, Any] = yaml.load(path.read_text("utf-8"), _SafeLoader)
    return values.pop("kinds"), values


def _numbered(path: Path) -> bool:
    return path.stem.isdecimal() and path.suffix in (".json", ".yaml")


def _is_walk_forward(job: Job) -> bool:
    return job.kinds.get("task", "walk_forward") == "walk_forward"
