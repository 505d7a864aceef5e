"""Does time grow in proportion, and does memory stay bounded? Each point is its own process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
MINUTE_BARS = "SPY_1min_2023-11_2025-11.parquet"

STEP_ACCOUNTS = """
import resource, sys, time, gymnasium, intraday_rl
n = int(sys.argv[1])
env = gymnasium.make_vec("intraday_rl/Trading-v0", num_envs=n,
                         overrides=["tracking=none", "paths.outputs=outputs/performance"])
env.reset(seed=0); actions = env.action_space.sample(); env.step(actions)
started = time.perf_counter()
for _ in range(2000): env.step(actions)
seconds = time.perf_counter() - started
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def growth_rows(minute_bars: Path | None) -> list[str]:
    """Rows of a markdown table: what grows, how far, seconds and MiB."""
    rows = []
    for accounts in (256, 1_024, 4_096):
        seconds, memory = _script(STEP_ACCOUNTS, str(accounts))
        rows.append(f"| 2,000 steps of {accounts:,} accounts | {seconds:.2f} | {memory:.0f} |")
    for end, times in (("2018-12-31", 1), ("2021-12-31", 4), ("2033-12-31", 16)):
        seconds, memory = _job(
            "agent=random", f"data.end={end}", "windows=auto", "windows.train_size=6 months",
            "windows.test_size=3 months", "windows.validation_sessions=40",
        )  # fmt: skip
        rows.append(
            f"| walk-forward of a random agent, sessions ×{times} | {seconds:.1f} | {memory:.0f} |"
        )
    for seeds in (1, 4, 16):
        seconds, memory = _job("agent=random", f"seeds=[{','.join(map(str, range(seeds)))}]")
        rows.append(
            f"| walk-forward of a random agent, {seeds} seeds | {seconds:.1f} | {memory:.0f} |"
        )
    if minute_bars is not None:
        seconds, memory = _job(
            "agent=random", "symbol=SPY", "data=parquet", f"data.path={minute_bars}",
            "data.bar_label=start", "data.bar_minutes=1", "windows=auto",
            "windows.train_size=6 months", "windows.test_size=1 year",
            "windows.validation_sessions=40",
        )  # fmt: skip
        rows.append(
            f"| a year of 1-minute SPY bars as test, random agent | {seconds:.1f} | {memory:.0f} |"
        )
    return rows


def start_rows() -> list[str]:
    """Seconds until the first words: median of five."""
    rows = []
    for words in (["--help"], ["dry_run=true"]):
        times = []
        for _ in range(5):
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "experiments/run.py", *words],
                cwd=ROOT, check=True, capture_output=True,
            )  # fmt: skip
            times.append(time.perf_counter() - started)
        rows.append(
            f"| `{words[0]}` | {sorted(times)[2]:.2f} ({min(times):.2f}–{max(times):.2f}) |"
        )
    return rows


def _job(*overrides: str) -> tuple[float, float]:
    command = ["experiments/run.py", "tracking=none", "force=true",
               "paths.outputs=outputs/performance/growth", *overrides]  # fmt: skip
    return _measure(command)


def _script(code: str, *arguments: str) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    seconds, memory = done.stdout.split()
    return float(seconds), float(memory)


def _measure(command: list[str]) -> tuple[float, float]:
    """Seconds and peak MiB of the largest process of a command."""
    code = (
        "import resource, subprocess, sys, time; started = time.perf_counter(); "
        "subprocess.run([sys.executable, *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL, "
        "stderr=subprocess.DEVNULL); "
        "print(time.perf_counter() - started, "
        "resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    return _script(code, *command)
