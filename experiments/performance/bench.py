"""`make bench`: every comparison in one run, printed and written to docs/performance.md."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from end_to_end import Fits, compare_with_plain, compare_workers
from environments import compare_environments
from growth import HEAD as GROWTH_HEAD
from growth import measure_growth, minute_bars_line
from jax_training import compare_jax_training
from overhead import measure_overhead
from page import OtherPage, machine_line, table, with_measured, with_rows
from processes import OUTPUTS, ROOT, SideFailed
from timing import HEAD as COMPARED_HEAD
from timing import Compared, Measured
from updates import compare_updates
from waiting import HEAD as MEASURED_HEAD
from waiting import measure_compiling, measure_evaluation, measure_starts

PAGE = ROOT / "docs" / "performance.md"
PACKAGES = (
    "torch", "stable-baselines3", "numba", "numpy", "gymnasium", "gym-trading-env",
    "gym-anytrading", "sbx-rl", "jax",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How much is measured: rounds of each comparison, and the work of one side in a round."""

    rounds: int
    rounds_jax: int
    rounds_compiling: int
    rounds_of_fits: int  # which take minutes
    environment_steps: int
    updates: int
    overhead_steps: int
    jax_steps: int
    fits_64: Fits
    fits_256: Fits
    fits_by_workers: Fits  # as long as a fit is by default


FULL = Size(
    rounds=5,
    rounds_jax=3,
    rounds_compiling=2,
    rounds_of_fits=2,
    environment_steps=20_000,
    updates=800,
    overhead_steps=16_000,
    jax_steps=8_000,
    fits_64=Fits(64, 60_000),
    fits_256=Fits(256, 20_000),
    fits_by_workers=Fits(64, 200_000),
)
QUICK = Size(
    rounds=1,
    rounds_jax=1,
    rounds_compiling=1,
    rounds_of_fits=1,
    environment_steps=2_000,
    updates=80,
    overhead_steps=3_200,
    jax_steps=2_000,
    fits_64=Fits(64, 2_000, count=2, compiled="always"),
    fits_256=Fits(256, 1_500, count=2, compiled="always"),
    fits_by_workers=Fits(64, 2_000, count=2, compiled="always"),
)


# Two sides in turn. A new one is a line here.
COMPARISONS: dict[str, Callable[[Size], Iterable[Compared]]] = {
    "environment": lambda size: compare_environments(size.environment_steps, size.rounds),
    "updates": lambda size: [
        compare_updates(256, size.updates, size.rounds, goal=2.5),
        compare_updates(64, 4 * size.updates, size.rounds, goal=3.0),
    ],
    "jax": lambda size: [compare_jax_training(steps=size.jax_steps, rounds=size.rounds_jax)],
    "fits": lambda size: [
        compare_with_plain(size.fits_64, size.rounds_of_fits, goal=6.0),
        compare_with_plain(size.fits_256, size.rounds_of_fits, goal=3.0),
    ],
    "workers": lambda size: [compare_workers(size.fits_by_workers, size.rounds_of_fits, goal=1.8)],
}


def measurements(size: Size) -> Iterator[Measured]:
    """One side alone, against a bound."""
    yield from measure_starts(size.rounds)
    yield measure_evaluation(size.rounds)
    yield measure_overhead(256, size.overhead_steps // 4, size.rounds)
    yield measure_overhead(64, size.overhead_steps, size.rounds)
    yield from measure_compiling(256, size.rounds_compiling)
    yield from measure_compiling(64, size.rounds_compiling)


def main() -> int:
    """Measure all, print it, and only then replace the measured part of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small, once; no page is written")
    parser.add_argument(
        "--only", nargs="+", choices=COMPARISONS, help="again, on the machine of the page"
    )
    asked = parser.parse_args()
    quick, only = asked.quick, asked.only
    os.chdir(ROOT)
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    try:
        size = QUICK if quick else FULL
        if only:
            page = _again(size, only)
        else:
            lines = _measure(size)
            page = with_measured(PAGE.read_text("utf-8"), lines)
    except OtherPage as error:
        _say(f"nothing was measured: {error}")
        return 1
    except PackageNotFoundError as error:
        _say(f"{error.name} is not installed: `make bench` does it, from requirements-bench.lock")
        return 1
    except SideFailed as error:
        _say(f"nothing is written, this failed:\n{error}")
        return 1
    except Exception:  # the boundary: a peer may fail in any way
        traceback.print_exc()
        _say("nothing is written, the comparison above failed")
        return 1
    _say(f"\n{time.perf_counter() - started:.0f} s in all")
    if not quick:
        PAGE.write_text(page, "utf-8")
        _say(f"written: {PAGE.relative_to(ROOT)}")
    return 0


def _again(size: Size, names: Sequence[str]) -> str:
    """The page with the rows of these comparisons measured again."""
    page, line = PAGE.read_text("utf-8"), machine_line(PACKAGES)
    with_rows(page, line, [], [])  # refuses before the work
    rows = [compared.row() for name in names for compared in COMPARISONS[name](size)]
    _say(*rows)
    return with_rows(page, line, names, rows)


def _measure(size: Size) -> list[str]:
    """The lines of the page, shown as they come."""
    lines: list[str] = []

    def add(*more: str) -> None:
        _say(*more)
        lines.extend(more)

    add(machine_line(PACKAGES))
    add(*table(COMPARED_HEAD, []))
    for compare in COMPARISONS.values():
        for compared in compare(size):
            add(compared.row())
    add(*table(MEASURED_HEAD, []))
    for measured in measurements(size):
        add(measured.row())
    add(*table(GROWTH_HEAD, []))
    for growth in measure_growth():
        add(growth.row())
    data = Path(os.environ.get("INTRADAY_RL_DATA", ROOT.parent / "shared" / "data"))
    add("", minute_bars_line(data))
    return lines


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
