"""Finished runs of one fold whose test month holds a half day and a change of the clocks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from intraday_rl.config import compose_plan, reload, saved
from intraday_rl.market.synthetic import SyntheticData, generate
from intraday_rl.outcome import Context
from intraday_rl.records import RunFolder
from intraday_rl.research import walk_forward
from intraday_rl.research.audit.task import Audited, audit

# Clocks change on 2021-11-07; 2021-11-26 closes early.
SYNTHETIC = ["data.start=2021-09-01", "data.end=2021-11-30"]
MONTH = [
    "windows=auto",
    "windows.train_size=2 months",
    "windows.test_size=1 month",
    "windows.validation_sessions=14",
    "agent=hold",
    "tracking=none",
    "parallel.workers=1",
]

Run = Callable[..., RunFolder]


def run_month(outputs: Path, *overrides: str) -> RunFolder:
    """A whole job on the month, without report and plots; of synthetic bars unless given others."""
    data = [] if any(one.startswith("data=") for one in overrides) else SYNTHETIC
    plan = compose_plan([*MONTH, *data, f"paths.outputs={outputs}", *overrides])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk_forward, "write_report", lambda *_: None)
        patch.setattr(walk_forward, "write_fold_plots", lambda *_: None)
        outcome = walk_forward.run(plan, Context(saved(plan), [], reload))
    assert outcome.code == 0
    return RunFolder.of(str(outputs), str(outcome.run_key))


def audited(folder: RunFolder, samples: int = 2) -> Audited:
    """The audit of a run, as its task carries it out."""
    return audit(reload(folder.plan.read_text("utf-8")), folder, samples, seed=0)


@pytest.fixture
def month(tmp_path: Path) -> Run:
    """Jobs into a folder of the test's own: no cached feature of another pipeline is met."""
    return lambda *overrides: run_month(tmp_path / "outputs", *overrides)


@pytest.fixture(scope="package")
def clean(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of the pipeline as it is."""
    return run_month(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="session")
def holed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides for files with holes: in the symbol, in the benchmark, and at an exit."""
    folder = tmp_path_factory.mktemp("holes")
    data = SyntheticData(start="2021-09-01", end="2021-11-30")
    missing = {"TQQQ": ["11-10 11:15", "11-16 15:45"], "QQQ": ["11-12 12:00", "10-20 13:30"]}
    for bars in generate(data, "TQQQ", "QQQ"):
        frame = bars.frame
        started = frame["bar_start"].dt.tz_convert("America/New_York").dt.strftime("%m-%d %H:%M")
        kept = frame.loc[
            ~started.isin(missing[bars.symbol]),
            ["bar_start", "open", "high", "low", "close", "volume"],
        ]
        kept.rename(columns={"bar_start": "timestamp"}).to_parquet(
            folder / f"{bars.symbol}.parquet"
        )
    return [
        "data=parquet",
        f"data.path={folder / 'TQQQ.parquet'}",
        f"data.benchmark_path={folder / 'QQQ.parquet'}",
        "data.bar_label=start",
    ]
