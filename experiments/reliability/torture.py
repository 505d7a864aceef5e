"""`make torture`: a sweep is killed again and again; the same command must end as if it never was.

Victims by turns: the process group, the parent alone, one worker. A sweep that ends before all
kills are used up is checked, and the next one begins in an empty folder.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psutil
from expected import Sweep, differences

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "outputs" / "torture"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- MEASURED BEGIN -->", "<!-- MEASURED END -->"
KILLS = 20
EARLIEST, LATEST = 0.5, 16.0  # seconds after a start: from the first import to the verdict
GONE_WITHIN = 10.0  # seconds for workers to notice that their parent is dead
SWEEP = [
    "-m", "reward=dsr,net_return", "env/slippage=none,bps", "data.start=2020-01-02",
    "data.end=2021-08-31", "windows=auto", "windows.train_size=6 months",
    "windows.test_size=3 months", "windows.step=4 months", "windows.validation_sessions=40",
    "agent.net_arch=[32,32]", "agent.total_timesteps=4000", "agent.learning_starts=500",
    "agent.eval_freq=1000", "agent.compile=never", "checkpoints.every=500", "parallel.workers=2",
]  # fmt: skip
VICTIMS = ("process group", "parent", "worker")


@dataclass(frozen=True)
class Kill:
    """One kill: who, how long after the start, what had happened by then."""

    victim: str
    seconds: float
    folds_done: int


def main() -> None:
    """Run undisturbed once, then under fire, and write what came of it."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    shutil.rmtree(PLACE, ignore_errors=True)
    started = time.monotonic()
    _finish(_start(PLACE / "undisturbed"))
    undisturbed_seconds = time.monotonic() - started
    reference = Sweep.read(PLACE / "undisturbed")
    kills, sweeps, problems = _under_fire(random.Random(seed), reference)
    lines = _report(seed, kills, sweeps, problems, undisturbed_seconds)
    print("\n".join(lines))  # noqa: T201
    _write(lines)
    if problems:
        raise SystemExit(1)


def _under_fire(chance: random.Random, reference: Sweep) -> tuple[list[Kill], int, list[str]]:
    kills: list[Kill] = []
    problems: list[str] = []
    sweeps, process = 0, None
    outputs = PLACE / "sweep-0"
    while True:
        if process is None:
            process, born = _start(outputs), time.monotonic()
        wait = chance.uniform(EARLIEST, LATEST) if len(kills) < KILLS else None
        try:
            code = process.wait(wait)
        except subprocess.TimeoutExpired:
            victim = VICTIMS[len(kills) % len(VICTIMS)]
            seconds = time.monotonic() - born
            if _kill(process, victim):
                kills.append(
                    Kill(victim, seconds, len(list(outputs.glob("runs/*/folds/*/*/result.json"))))
                )
            if victim != "worker":
                problems += _wait_until_gone(process)
                process = None
            continue
        process = None
        if code:
            problems.append(f"sweep {sweeps} ended with {code}: {_log(outputs)}")
        problems += [
            f"sweep {sweeps}: {one}" for one in differences(reference, Sweep.read(outputs))
        ]
        sweeps += 1
        if len(kills) >= KILLS:
            return kills, sweeps, problems
        outputs = PLACE / f"sweep-{sweeps}"


def _start(outputs: Path) -> subprocess.Popen[bytes]:
    outputs.mkdir(parents=True, exist_ok=True)
    with (outputs / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "experiments/run.py", *SWEEP, f"paths.outputs={outputs}",
             f"paths.state={PLACE / 'state'}"],
            cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def _finish(process: subprocess.Popen[bytes]) -> None:
    if process.wait():
        raise RuntimeError(f"the undisturbed sweep ended with {process.returncode}: see {PLACE}")


def _kill(process: subprocess.Popen[bytes], victim: str) -> bool:
    """Kill -9; false if there was nobody to kill at this moment."""
    if victim == "process group":
        os.killpg(process.pid, signal.SIGKILL)
    elif victim == "parent":
        process.kill()
    else:
        workers = [
            child for child in psutil.Process(process.pid).children()
            if "spawn_main" in " ".join(child.cmdline())
        ]  # fmt: skip
        if not workers:
            return False
        workers[0].kill()
    return True


def _wait_until_gone(process: subprocess.Popen[bytes]) -> list[str]:
    process.wait()
    deadline = time.monotonic() + GONE_WITHIN
    while left := _of_session(process.pid):
        if time.monotonic() > deadline:
            return [f"{len(left)} processes outlived their parent by {GONE_WITHIN:g} s"]
        time.sleep(0.05)  # between two looks at the process table
    return []


def _of_session(session: int) -> list[int]:
    found = []
    for one in psutil.process_iter():
        try:
            if os.getsid(one.pid) == session and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue  # ended between the two calls
    return found


def _log(outputs: Path) -> str:
    return (outputs / "log.txt").read_text("utf-8")[-600:]


def _report(
    seed: int, kills: list[Kill], sweeps: int, problems: list[str], undisturbed: float
) -> list[str]:
    rows = [
        f"| {n} | {k.victim} | {k.seconds:.1f} | {k.folds_done} of 12 |"
        for n, k in enumerate(kills, 1)
    ]
    found = [f"- {one}" for one in problems] or [
        f"{sweeps} of {sweeps} sweeps ended with exactly the expected runs, each once, every "
        "result and ledger byte-equal to the undisturbed sweep, no run left RUNNING in MLflow, no "
        "point of a curve twice, no process and no checkpoint left over."
    ]
    return [
        BEGIN,
        f"Measured {date.today().isoformat()}, seed {seed}: {len(kills)} times `kill -9` during "  # noqa: DTZ011
        f"{sweeps} sweep(s) of 2 × 2 configurations × 3 folds (undisturbed: {undisturbed:.0f} s).",
        "", *found, "",
        "| kill | victim | seconds after the start | folds finished |", "|---|---|---|---|", *rows,
        END,
    ]  # fmt: skip


def _write(lines: list[str]) -> None:
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + "\n".join(lines) + rest.partition(END)[2], "utf-8")


if __name__ == "__main__":
    main()
