"""Whatever stands on the command line: done, or one short message and status 2 or 3.

Every line goes through the entry up to the dry run: composed, built, bars made, windows laid.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig

from intraday_rl.config import build, compose_config, conf_folder, saved
from intraday_rl.entry import main

LONGEST_MESSAGE = 1_500  # characters; tables of uncovered windows are the longest
LONGEST_SECONDS = 20.0
LARGEST_GROWTH_BYTES = 3 * 2**30
DRY = ["dry_run=true", "format=json"]
SHORT = ["debug=tiny", "tracking=none"]
# Choices that together reach every part: group options and what they cannot do without.
CHOICES = (
    [*SHORT, "agent=hold"],
    [*SHORT, "reward=downside", "env/action=long_flat", "env/impact=square_root"],
    [*SHORT, "data=csv", "data.path=bars.csv", "data.bar_label=start", "agent=flat"],
    ["data=parquet", "data.path=bars", "data.bar_label=end", "windows=explicit", "agent=random"],
    [*SHORT, "task=final_fit", "task.until='2018-05-31'", "reward=log_return"],
    [*SHORT, "task=audit", "task.run=abc", "features=minimal"],
    [*SHORT, "task=cost_surface", "task.run=abc", "env/slippage=bps", "env/financing=accrual"],
    ["task=verdict", "tracking=mlflow", "data.end='2018-06-15'", "windows=auto"],
)


def leaves(node: Any, path: str = "") -> list[str]:
    if isinstance(node, DictConfig) and len(node):
        below = [leaf for key in node for leaf in leaves(node[key], f"{path}.{key}".strip("."))]
        return [path, *below] if path else below
    return [path]


@cache
def config_of(choice: int) -> DictConfig:
    return compose_config([*CHOICES[choice], *DRY])


@cache
def places(choice: int) -> list[str]:
    """Parts and values."""
    return leaves(config_of(choice))


GROUPS = sorted(
    {
        path.parent.relative_to(conf_folder()).as_posix()
        for path in conf_folder().rglob("*.yaml")
        if path.parent != conf_folder() and "debug/" not in path.as_posix()
    }
)

ODD_NUMBERS = ["-1", "0", "1e308", "-1e308", "1e-308", "nan", "inf", "-inf", "1e400", "-0.0"]
ODD_NUMBERS += ["9" * digits for digits in (3, 9, 12, 19, 40, 400)] + ["-" + "9" * 12, "0x10"]
ODD_WORDS = [
    "null",
    "true",
    "False",
    "???",
    "''",
    '""',
    "[]",
    "{}",
    "auto",
    "15:45",
    "24:00",
    "NaN",
]
ODD_WORDS += ["'0001-01-01'", "'9999-12-31'", "2099-12-31", "'2018-02-30'", "1 day", "'1 session'"]
ODD_WORDS += ["${oc.env:HOME}", "${oc.env:NOT_SET}", "${symbol}", "${env}", "${nope}", "${", "$"]
ODD_WORDS += ["${.}", "${..}", "${oc.decode:x}", "${now:%Y}", "${hydra:job}", "'\\${x}'", "\\"]
ODD_WORDS += ["{_target_: os.system}", "{a: {b: [1, {c: 2}]}}", "[[[[1]]]]", "[null]", "[a, 1, {}]"]
ODD_WORDS += ["'line\nbreak'", "line\nbreak", "'it''s'", "'", '"', "a,b", "a=b", "ä☃𝄞", "'\u202e'"]
ODD_WORDS += ["../../etc/passwd", "/dev/zero", "~", "~nobody_at_all", "x" * 5_000, "[1]*3", "1,2"]
ODD_WORDS += [
    "range(1,3)",
    "choice(a,b)",
    "glob(*)",
    "int(1.5)",
    "shuffle(1,2)",
    "'\t'",
    "\0",
    "; ls",
]

VALUES = st.one_of(
    st.sampled_from(ODD_NUMBERS),
    st.sampled_from(ODD_WORDS),
    st.integers(-3, 400).map(str),
    st.floats().map(repr),
    st.text(max_size=12),
    st.text(st.characters(codec="utf-8", exclude_characters="'\\"), max_size=12).map("'{}'".format),
    st.lists(st.sampled_from(ODD_NUMBERS + ODD_WORDS), max_size=3).map(
        lambda items: f"[{','.join(items)}]"
    ),
)


@st.composite
def words(draw: st.DrawFn, places: list[str]) -> str:
    """One word of a command line: a value, a group, a key that is new or taken away."""
    place = st.sampled_from(places)
    kind = draw(st.integers(0, 9))
    if kind <= 5:
        return f"{draw(place)}={draw(VALUES)}"
    if kind == 6:
        return f"{draw(st.sampled_from(GROUPS))}={draw(st.sampled_from(OPTIONS) | VALUES)}"
    if kind == 7:
        return f"~{draw(place | st.sampled_from(GROUPS))}"
    sign = draw(st.sampled_from(["+", "++", "~", ""]))
    below = draw(st.sampled_from(["", "typo", "_target_", "_here_", "0", "a.b", "@x", "$", " "]))
    key = f"{draw(place)}.{below}".rstrip(".") if kind == 8 else below or draw(place)
    return f"{sign}{key}={draw(VALUES)}"


OPTIONS = sorted({path.stem for path in conf_folder().rglob("*.yaml")} | {"nope", "null", "../x"})


@st.composite
def lines(draw: st.DrawFn) -> tuple[int, list[str]]:
    choice = draw(st.integers(0, len(CHOICES) - 1))
    return choice, draw(st.lists(words(places(choice)), min_size=1, max_size=3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty working folder; the saved plans lie beside it."""
    root = tmp_path_factory.mktemp("hostile")
    for number in range(len(CHOICES)):
        (root / f"{number}.yaml").write_text(saved(build(config_of(number))).text)
    before = Path.cwd()
    (root / "here").mkdir()
    os.chdir(root / "here")
    yield root
    os.chdir(before)


def check(folder: Path, line: list[str]) -> None:
    """Done, or refused in a few lines, in seconds, and nothing is written."""
    out, err, argv = io.StringIO(), io.StringIO(), sys.argv
    began = time.monotonic()
    sys.argv = ["intraday-rl", *line]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        status = end.code
    finally:
        sys.argv = argv
    shown = err.getvalue()
    assert status in (0, 2, 3), shown
    assert "Traceback" not in shown
    assert len(shown) <= LONGEST_MESSAGE
    if status:
        assert shown.strip()
        assert shown.count("\n") <= (1 if status == 2 else 8), shown
        assert not out.getvalue()
    assert time.monotonic() - began < LONGEST_SECONDS
    assert not list((folder / "here").iterdir())


def memory_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def saved_line(folder: Path, case: tuple[int, list[str]]) -> list[str]:
    """The same choice from its saved plan: what Hydra composes is already there."""
    return [f"plan={folder}/{case[0]}.yaml", *case[1], *DRY]


def composed_line(case: tuple[int, list[str]]) -> list[str]:
    return [*CHOICES[case[0]], *case[1], *DRY]


RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@settings(RELAXED, max_examples=25)
@given(case=lines())
def test_no_change_of_a_saved_plan_ends_in_a_traceback(case: Any, folder: Path) -> None:
    check(folder, saved_line(folder, case))


@settings(RELAXED, max_examples=4)
@given(case=lines())
def test_no_command_line_ends_in_a_traceback(case: Any, folder: Path) -> None:
    check(folder, composed_line(case))


@pytest.mark.slow("input")
@settings(RELAXED, max_examples=2_000)
@given(case=lines())
def test_no_change_of_a_saved_plan_ends_in_a_traceback_at_length(case: Any, folder: Path) -> None:
    check(folder, saved_line(folder, case))
    assert memory_bytes() < LARGEST_GROWTH_BYTES


@pytest.mark.slow("input")
@settings(RELAXED, max_examples=300)
@given(case=lines())
def test_no_command_line_ends_in_a_traceback_at_length(case: Any, folder: Path) -> None:
    check(folder, composed_line(case))
    assert memory_bytes() < LARGEST_GROWTH_BYTES


TOO_LARGE = {
    "agent.n_envs=1000000000000 agent.buffer_size=1000000000000": "agent.buffer_size=1000000000000",
    "agent.n_envs=10000000 agent.buffer_size=90000000": "agent.n_envs=10000000: must be a number",
    "agent.total_timesteps=1000000000000": "agent.total_timesteps=1000000000000: must be a number",
    "agent.net_arch=[1000000000]": "agent.net_arch=[1000000000]: needs 1 to 16 layers",
    "data.end='9999-12-31'": "data.end=9999-12-31: must lie between",
    "data.start='1970-01-01' data.end='2099-12-31' data.bar_minutes=1": "would not fit into memory",
    "data.symbol_start_price=1e308": "data.symbol_start_price=1e+308: must be a number",
    "data.leverage=5 data.annual_volatility=2": "data.annual_volatility=2.0: the symbol's price",
    "env.initial_equity=1e308": "env.initial_equity=1e+308: must be a number",
    "env.slippage.per_share=1e308": "env.slippage.per_share=1e+308: must be a number",
    "features.return_bars=[1000000000000]": "[1000000000000]: must be distinct lags of 1 to 10000",
    "windows.validation_sessions=1000000000000": "must be a number in [2, 5000]",
}


@pytest.mark.parametrize("line", TOO_LARGE)
def test_a_size_that_no_machine_holds_is_refused_by_its_key(
    line: str, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["intraday-rl", *line.split(), *DRY])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    out, err = capfd.readouterr()
    assert TOO_LARGE[line] in err
    assert err.count("\n") == 1
    assert not out


SHORTENED = {
    f"symbol={'x' * 100_000}": "symbol='xxx",
    f"agent.tau={'9' * 400}": "agent.tau: int too large to convert to float",
    "++seeds.a.b=1": "Index 'a' (str) is not an int",
    "++symbol.a.b=1": "symbol.a.b=1: ",
    "~agent": "~agent: name one of the options of agent",
    "data=${data}": "data=${data}: name one of the options of data",
    "data=csv data.path=x data.bar_label=end data.columns={close:C}": "+data.columns.close=Close",
    "data=csv data.path='a\nb' data.bar_label=end": "data.path=a\\nb: must be a name without line",
    "data=csv data.path=x data.bar_label=end data.splits={1:2}": "data.splits=1: dates are written",
}


@pytest.mark.parametrize("line", SHORTENED, ids=lambda line: line[:40])
def test_a_message_is_one_short_line_that_names_the_key(
    line: str, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["intraday-rl", *line.split(" "), *DRY])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    err = capfd.readouterr().err
    assert SHORTENED[line] in err
    assert err.count("\n") == 1
    assert len(err) < LONGEST_MESSAGE
