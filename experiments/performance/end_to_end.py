"""Four fits by `experiments/run.py` on two cores and on one, against a plain script."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from processes import run, run_job
from timing import Compared

LEARNING_STARTS = 1_000
UPDATES = 4  # per 16 environment steps, on both sides
PLAIN = str(Path(__file__).with_name("plain_sb3.py"))
YEARS = (
    "windows.folds=[{train_start: '2018-01-01', train_end: '2020-12-31', "
    "test_start: '2021-01-01', test_end: '2021-12-31'}]"
)


@dataclass(frozen=True)
class Fits:
    """Equal trainings: how many, how long, how wide.

    compiled    `auto` as users have it; `always` lets a short run take the same path
    """

    width: int
    steps: int
    count: int = 4
    compiled: str = "auto"

    def __str__(self) -> str:
        return f"{self.count} fits of {self.steps:,} steps, {self.width}×{self.width}"

    def ours(self, workers: int) -> float:
        """Fits a second; choosing, judging and writing every fit is part of it."""
        ran = run_job(
            "end_to_end", "data.edge=0.15", "windows=explicit", YEARS,
            f"seeds=[{','.join(map(str, range(self.count)))}]",
            f"agent.net_arch=[{self.width},{self.width}]",
            f"agent.total_timesteps={self.steps}", f"agent.learning_starts={LEARNING_STARTS}",
            "agent.learning_rate=3e-4", f"agent.gradient_steps={UPDATES}",
            f"agent.eval_freq={self.steps}", f"agent.compile={self.compiled}",
            f"parallel.workers={workers}",
        )  # fmt: skip
        return self.count / ran.seconds

    def plain(self) -> tuple[float, str]:
        """Fits a second, and what the script says of its threads."""
        words = (self.count, self.steps, UPDATES, self.width, LEARNING_STARTS)
        ran = run(PLAIN, *map(str, words))
        return self.count / ran.seconds, ran.output.strip()


def compare_with_plain(fits: Fits, rounds: int, goal: float) -> Compared:
    """Two workers against the plain script, in turn."""
    _warm(fits.width)
    two, plain, threads = [], [], ""
    for _ in range(rounds):
        two.append(fits.ours(workers=2))
        their_rate, threads = fits.plain()
        plain.append(their_rate)
    what = f"{fits}: two cores, against plain SB3 ({threads})"
    return Compared(what, "fits/s", two, plain, goal)


def compare_workers(fits: Fits, rounds: int, goal: float) -> Compared:
    """Two workers against one, in turn."""
    pairs = [(fits.ours(workers=2), fits.ours(workers=1)) for _ in range(rounds)]
    two, one = [a for a, _ in pairs], [b for _, b in pairs]
    return Compared(f"{fits}: two workers, against one", "fits/s", two, one, goal)


def _warm(width: int) -> None:
    """Machine code that is made once per machine is there before anything counts."""
    few = Fits(width, LEARNING_STARTS + 100, count=1, compiled="always")
    few.ours(workers=1)
    few.plain()
