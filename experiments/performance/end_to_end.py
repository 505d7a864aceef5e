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


def compare_end_to_end(
    fits: Fits, rounds: int, goal: float, goal_of_workers: float | None = None
) -> list[Compared]:
    """Two workers against the plain script and, given its goal, against one worker; in turn."""
    _warm(fits.width)
    two, plain, one, threads = [], [], [], ""
    for _ in range(rounds):
        two.append(fits.ours(workers=2))
        their_rate, threads = fits.plain()
        plain.append(their_rate)
        if goal_of_workers is not None:
            one.append(fits.ours(workers=1))
    size = f"{fits.count} fits of {fits.steps:,} steps, {fits.width}×{fits.width}"
    against_plain = f"{size}: two cores, against plain SB3 ({threads})"
    compared = [Compared(against_plain, "fits/s", two, plain, goal)]
    if one:
        what = f"{size}: two workers, against one"
        compared.append(Compared(what, "fits/s", two, one, goal_of_workers))
    return compared


def _warm(width: int) -> None:
    """Machine code that is made once per machine is there before anything counts."""
    few = Fits(width, LEARNING_STARTS + 100, count=1, compiled="always")
    few.ours(workers=1)
    few.plain()
