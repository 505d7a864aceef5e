"""Whole processes: four fits by `experiments/run.py` on two cores against a plain script."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from timing import Compared, compare

FITS, LEARNING_STARTS, UPDATES = 4, 1_000, 4  # updates per 16 environment steps, on both sides
ROOT = Path(__file__).parents[2]
OUTPUTS = ROOT / "outputs" / "performance" / "end_to_end"


def compare_end_to_end(width: int, steps: int, goal: float, rounds: int) -> Compared:
    """Fits a second at equal steps, updates and nets; evaluation and ledgers are ours on top."""
    return compare(
        f"four fits, {steps:,} steps, {width}×{width}, two cores, against plain SB3",
        "fits/s",
        lambda: FITS / _ours(width, steps, workers=2),
        lambda: FITS / _plain(width, steps),
        rounds,
        goal,
    )


def compare_workers(width: int, steps: int, rounds: int) -> Compared:
    """The same job with two workers and with one."""
    return compare(
        f"two workers against one, {steps:,} steps, {width}×{width}",
        "fits/s",
        lambda: FITS / _ours(width, steps, workers=2),
        lambda: FITS / _ours(width, steps, workers=1),
        rounds,
        1.8,
    )


def _ours(width: int, steps: int, workers: int) -> float:
    shutil.rmtree(OUTPUTS, ignore_errors=True)
    return _seconds([
        sys.executable, "experiments/run.py", "tracking=none", f"paths.outputs={OUTPUTS}",
        "data.edge=0.15", "windows=explicit",
        "windows.folds=[{train_start: '2018-01-01', train_end: '2020-12-31', "
        "test_start: '2021-01-01', test_end: '2021-12-31'}]",
        f"seeds=[{','.join(map(str, range(FITS)))}]", f"agent.net_arch=[{width},{width}]",
        f"agent.total_timesteps={steps}", f"agent.learning_starts={LEARNING_STARTS}",
        "agent.learning_rate=3e-4", f"agent.gradient_steps={UPDATES}", f"agent.eval_freq={steps}",
        f"parallel.workers={workers}",
    ])  # fmt: skip


def _plain(width: int, steps: int) -> float:
    script = str(Path(__file__).with_name("plain_sb3.py"))
    words = (FITS, steps, UPDATES, width, LEARNING_STARTS)
    return _seconds([sys.executable, script, *map(str, words)])


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
    return time.perf_counter() - started
