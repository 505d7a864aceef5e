"""What a user waits for beside training: the start, one evaluation, code made once per machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from processes import BESIDE, run
from timing import Measured, seconds

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.config import compose_plan
from intraday_rl.dataset import Split, open_dataset, open_fold
from intraday_rl.loading import resolve
from intraday_rl.research.evaluation import evaluate
from intraday_rl.research.rollout import walk

HEAD = ("| what | median (range) | goal |", "|---|---|---|")
COMPILING = str(Path(__file__).with_name("compiling.py"))


def measure_starts(rounds: int) -> list[Measured]:
    """A whole process each, from the shell and back."""
    commands = {"`--help`": ["--help"], "`dry_run=true`": ["dry_run=true"]}
    measured = []
    for what, words in commands.items():
        times = [run("experiments/run.py", *words).seconds for _ in range(rounds)]
        measured.append(Measured(what, "s", times, goal=2.0))
    return measured


def measure_evaluation(rounds: int) -> Measured:
    """Every decision of a year, its ledger and its statistics."""
    plan = compose_plan([*BESIDE, "paths.outputs=outputs/performance"])
    resolved = resolve(plan)
    fold = open_fold(open_dataset(plan, resolved.market), resolved.windows[0])
    problem = fold.problem(Split.test)
    policy = _policy(len(problem.names), 256)

    def year() -> None:
        walked = walk(problem, policy)
        evaluate(walked, walked.ledger("year", 0), np.random.default_rng(0))

    year()  # the first one loads the kernel
    what = f"evaluation of {problem.eligible.size} sessions of 15-minute bars, 256×256"
    return Measured(what, "s", [seconds(year) for _ in range(rounds)], goal=1.0)


def measure_compiling(width: int, rounds: int) -> list[Measured]:
    """The first training of a process: with nothing kept, and with what an earlier one kept."""
    with tempfile.TemporaryDirectory() as folder:
        cold, *warm = [float(run(COMPILING, str(width), folder).output) for _ in range(rounds + 1)]
    what = f"first compiled training of a process, {width}×{width}"
    return [
        Measured(f"{what}: once per machine", "s", [cold]),
        Measured(f"{what}: afterwards", "s", warm),
    ]


def _policy(n_observed: int, width: int) -> ActorPolicy:
    random = np.random.default_rng(0)
    sizes = [(width, n_observed), (width, width), (1, width)]
    weights = [random.normal(0.0, 0.1, size).astype(np.float32) for size in sizes]
    return ActorPolicy(weights, [np.zeros(rows, np.float32) for rows, _ in sizes])
