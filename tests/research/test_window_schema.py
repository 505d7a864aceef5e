"""A whole small run: every `window.json` is what `docs/window.schema.json` says, exits included."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest

from intraday_rl.entry import main
from intraday_rl.research import fold_result
from intraday_rl.statistics.verdict import Verdict

pytestmark = pytest.mark.slow("truth")

DOCS = Path(__file__).parents[2] / "docs"
SEEDS = (0, 1)
# Two months of tests with a half day, a change of the clocks and two seeds.
SMALL = (
    "tracking=none",
    "parallel.workers=1",
    "windows=auto",
    "windows.train_size=3 months",
    "windows.test_size=1 month",
    "windows.validation_sessions=24",
    "data.start=2023-07-01",
    "data.end=2023-12-01",
)
HALF_DAY = "2023-11-24"
EXIT_LINE = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d) (?P<time>\d\d:\d\d) New York seed=(?P<seed>\d+) "
    r"forced_exit=True shares=\S+ price=[\d.]+ reason=(cutoff|missing_bar)"
)


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, its exit status, every `window.json` by window."""

    folder: Path
    status: int
    windows: dict[str, dict[str, Any]]


def run(outputs: Path, *overrides: str) -> Run:
    """Carry out the command line in this process."""
    command = ["run.py", *SMALL, f"paths.outputs={outputs}", *overrides]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as left:
            main()
    folder = next((outputs / "runs").iterdir())
    windows = {
        path.parent.name: json.loads(path.read_text("utf-8"))
        for path in sorted(folder.glob("folds/*/window.json"))
    }
    return Run(folder, int(left.value.code or 0), windows)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads((DOCS / "window.schema.json").read_text("utf-8"))
    checked = jsonschema.Draft202012Validator
    checked.check_schema(schema)
    return checked(schema, format_checker=checked.FORMAT_CHECKER)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("finished"), "agent=random", "seeds=[0,1]")


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The first window's only seed fails; the second window goes on."""

    def broken(plan: Any, fold: Any, *others: Any) -> Any:
        if fold.window.name.startswith("2023-10"):
            raise RuntimeError("the fit broke")
        return healthy(plan, fold, *others)

    healthy = fold_result.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold_result, "fit", broken)
        yield run(tmp_path_factory.mktemp("failed"), "agent=hold", "gates.min_sharpe=0")


def test_every_window_file_follows_the_schema(
    finished: Run, validator: jsonschema.Draft202012Validator
) -> None:
    assert finished.status == 0
    assert len(finished.windows) == 2
    for content in finished.windows.values():
        validator.validate(content)


def test_a_failed_fold_follows_the_schema_and_has_no_numbers(
    failed: Run, validator: jsonschema.Draft202012Validator
) -> None:
    assert failed.status == 1
    first, second = failed.windows.values()
    validator.validate(first)
    validator.validate(second)
    assert first["verdict"] == "failed"
    assert first["test"] == first["costs"] == {}
    assert second["verdict"] != "failed"
    assert set(second["gates"]) == {"min_sharpe"}


def test_a_learned_agents_window_file_follows_the_schema(
    finished: Run, validator: jsonschema.Draft202012Validator
) -> None:
    content = json.loads(json.dumps(next(iter(finished.windows.values()))))
    content["verdict"] = "abstained"
    learned = {
        "checkpoint": {"step": 640, "sharpe": 0.5},
        "checkpoints": [{"step": 320, "sharpe": 0.0}, {"step": 640, "sharpe": 0.5}],
        "abstained": True,
        "abstention": {
            "abstain": True,
            "mean": 0.001,
            "lower_bound": -0.002,
            "t_value": 0.7,
            "method": "one-sided",
        },
    }
    content["seeds"]["0"] |= learned
    validator.validate(content)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("verdict",), "passed"),
        (("window", "test", "start"), "01/10/2023"),
        (("exits", "flat_at_every_close"), False),
        (("seeds", "0", "status"), "skipped"),
        (("seeds", "0", "test", "sharpe"), "high"),
        (("unheard_of",), 1),
        (("seeds", "0", "test", "unheard_of"), 1),
    ],
)
def test_the_schema_refuses_what_is_not_a_result(
    finished: Run,
    validator: jsonschema.Draft202012Validator,
    path: tuple[str, ...],
    value: object,
) -> None:
    content = json.loads(json.dumps(next(iter(finished.windows.values()))))
    node = content
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    assert not validator.is_valid(content)


def test_the_schema_knows_every_verdict(validator: jsonschema.Draft202012Validator) -> None:
    known = validator.schema["$defs"]["verdict"]["enum"]
    assert known == [verdict.value for verdict in Verdict]


def test_every_seed_has_every_test_session_once_and_ends_it_flat(finished: Run) -> None:
    for name, content in finished.windows.items():
        ledger = pd.read_parquet(finished.folder / "folds" / name / "ledger.parquet")
        exits = ledger[ledger["forced_exit"]]
        assert sorted(ledger["seed"].unique()) == list(SEEDS)
        assert not exits.duplicated(["seed", "session"]).any()
        assert len(exits) == content["window"]["test"]["sessions"] * len(SEEDS)
        assert (exits["shares_after"] == 0).all()
        last = ledger.groupby(["seed", "session"]).tail(1)
        assert last["forced_exit"].all()
        assert content["exits"]["forced"] == len(exits)


def test_exits_are_at_1545_and_on_a_half_day_at_1245(finished: Run) -> None:
    for name in finished.windows:
        ledger = pd.read_parquet(finished.folder / "folds" / name / "ledger.parquet")
        exits = ledger[ledger["forced_exit"]]
        times = exits["bar_end"].dt.tz_convert("America/New_York").dt.strftime("%H:%M")
        half_day = exits["session"].astype(str) == HALF_DAY
        assert set(times[~half_day]) == {"15:45"}
        assert set(times[half_day]) <= {"12:45"}
    times_by_window = [c["exits"]["by_new_york_time"] for c in finished.windows.values()]
    assert [list(times) for times in times_by_window] == [["15:45"], ["12:45", "15:45"]]


def test_the_log_has_a_line_for_every_forced_exit(finished: Run) -> None:
    for name, content in finished.windows.items():
        log = finished.folder / "folds" / name / "evaluation.log"
        lines = log.read_text("utf-8").splitlines()
        matches = [EXIT_LINE.fullmatch(line) for line in lines]
        assert all(matches)
        found = {(match["seed"], match["day"]) for match in matches if match}
        assert len(found) == len(lines) == content["exits"]["forced"]


def test_outputs_md_names_every_file_and_key_a_run_writes(finished: Run, failed: Run) -> None:
    text = (DOCS / "outputs.md").read_text("utf-8")
    for one in (finished, failed):
        names = {path.name for path in one.folder.rglob("*") if path.is_file()}
        assert not {name for name in names if f"`{name}`" not in text}
        for file in ("verdict.json", "data.json"):
            content = json.loads((one.folder / file).read_text("utf-8"))
            assert not {key for key in content if f"`{key}`" not in text}
