"""Does time grow in proportion, and does memory stay bounded? Each point is its own process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from processes import Ran, run, run_job

TIMES = (1, 4, 16)
HEAD = ("| what grows | × 1 | × 4 | × 16 | time of × 16 |", "|---|---|---|---|---|")
MINUTE_BARS = "SPY_1min_2023-11_2025-11.parquet"

STEP_ACCOUNTS = """
import sys, time, gymnasium, intraday_rl
env = gymnasium.make_vec("intraday_rl/Trading-v0", num_envs=int(sys.argv[1]),
                         overrides=["tracking=none", "paths.outputs=outputs/performance"])
env.reset(seed=0); actions = env.action_space.sample(); env.step(actions)
started = time.perf_counter()
for _ in range(2000): env.step(actions)
print(time.perf_counter() - started)
"""


@dataclass(frozen=True)
class Growth:
    """The same work 1, 4 and 16 times as large; linear or better is the goal."""

    what: str
    seconds: list[float]
    peak_mebibytes: list[float]

    def row(self) -> str:
        """A row of a markdown table."""
        points = [
            f"{time:.3g} s, {peak:.0f} MiB"
            for time, peak in zip(self.seconds, self.peak_mebibytes, strict=True)
        ]
        times = self.seconds[-1] / self.seconds[0]
        met = "✓" if times <= TIMES[-1] else "**more than in proportion**"
        return f"| {self.what} | {' | '.join(points)} | × {times:.3g} {met} |"


def measure_growth() -> list[Growth]:
    """Sessions, accounts, seeds."""
    return [
        _grow("2,000 steps of 256 accounts", lambda n: _step_accounts(256 * n)),
        _grow("walk-forward of a random agent over one year", lambda n: _walk(2018 + n - 1)),
        _grow("the quickstart's three folds, random agent, one seed", _seeds),
    ]


def minute_bars_line(folder: Path) -> str:
    """A sentence on a year of real 1-minute bars, or on their absence."""
    path = folder / MINUTE_BARS
    if not path.is_file():
        return (
            f"A year of 1-minute bars: not measured, `{MINUTE_BARS}` is not there; "
            "`INTRADAY_RL_DATA` names its folder."
        )
    ran = run_job(
        "growth", "agent=random", "symbol=SPY", "data=parquet", f"data.path={path}",
        "data.bar_label=start", "data.bar_minutes=1", "windows=auto",
        "windows.train_size=6 months", "windows.test_size=1 year",
        "windows.validation_sessions=40",
    )  # fmt: skip
    return (
        "A year of 1-minute SPY bars as test, six months before it to fit, random agent: "
        f"{ran.seconds:.3g} s, {ran.peak_mebibytes:.0f} MiB."
    )


def _grow(what: str, work: Callable[[int], Ran]) -> Growth:
    points = [work(times) for times in TIMES]
    return Growth(
        what, [point.seconds for point in points], [point.peak_mebibytes for point in points]
    )


def _step_accounts(accounts: int) -> Ran:
    """The steps alone: starting takes longer than they do."""
    ran = run("-c", STEP_ACCOUNTS, str(accounts))
    return Ran(float(ran.output), ran.peak_mebibytes, ran.output)


def _walk(last_year: int) -> Ran:
    return run_job(
        "growth", "agent=random", f"data.end={last_year}-12-31", "windows=auto",
        "windows.train_size=6 months", "windows.test_size=3 months",
        "windows.validation_sessions=40",
    )  # fmt: skip


def _seeds(count: int) -> Ran:
    return run_job("growth", "agent=random", f"seeds=[{','.join(map(str, range(count)))}]")
