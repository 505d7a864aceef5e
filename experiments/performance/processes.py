"""Whole processes: how long they take and how much memory their largest one needs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUTPUTS = ROOT / "outputs" / "performance"
# What the machine or the shell may have set: every side starts with its own defaults.
SHELL_SETTINGS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS",
    "PYTHONDONTWRITEBYTECODE",
)  # fmt: skip
# What a look at a test window records goes beside the runs, not into the user's own lockbox.
BESIDE = ("tracking=none", "force=true", f"paths.state={OUTPUTS / 'state'}")

MEASURE = """
import resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run([sys.executable, *sys.argv[1:]])
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"measured {seconds} {peak}")
sys.exit(done.returncode)
"""


class SideFailed(Exception):
    """A measured process ended with an error; there is nothing to compare."""


@dataclass(frozen=True)
class Ran:
    """A process that has ended well."""

    seconds: float
    peak_mebibytes: float
    output: str


def run(*command: str) -> Ran:
    """`python command...` in the project's root."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in SHELL_SETTINGS},
        capture_output=True,
        text=True,
        check=False,
    )
    output, _, measured = done.stdout.rpartition("measured ")
    if done.returncode:
        raise SideFailed(f"python {' '.join(command)}\n{(done.stderr or output)[-3_000:]}")
    took, peak = measured.split()
    return Ran(float(took), float(peak), output)


def run_job(outputs: str, *overrides: str) -> Ran:
    """One job by `experiments/run.py`, nothing of which is kept from an earlier one."""
    folder = f"paths.outputs={OUTPUTS / outputs}"
    return run("experiments/run.py", *BESIDE, folder, *overrides)
