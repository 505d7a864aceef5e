"""The documents are true: commands compose, links resolve, options and columns are complete."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from intraday_rl.config import compose_config
from intraday_rl.entry import main
from intraday_rl.market.calendar import NEW_YORK
from intraday_rl.market.synthetic import SyntheticData, generate
from intraday_rl.trading.ledger import COLUMNS

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"
DOCS = sorted(
    [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / "experiments" / "README.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
)
PROGRAM = ("python", "experiments/run.py")

# Commands that no test runs, and why.
BY_HAND = {
    "make demo": "minutes; it is `make install` and experiment=quickstart",
    "make test": "it would run itself",
    "make test-slow": "long",
    "make install": "builds an environment",
    "make lint": "runs beside the tests in `make test`",
    "make bench": "half an hour, in an environment of its own",
    "make bench QUICK=1": "minutes, in an environment of its own",
    "make torture": "ten minutes",
    "make ui": "starts a server that does not end",
    "python experiments/rehearsal/rehearse.py task=serve task.feed_folder=bars/rehearsal "
    "task.clock.start='2022-03-14 09:05' task.clock.speed=60 symbol=SPY data=parquet "
    "data.path=bars/SPY_15min.parquet data.bar_label=start": "starts a server that does not end",
    "export APCA_API_KEY_ID=... APCA_API_SECRET_KEY=...": "keys are the user's",
    ".venv/bin/pre-commit install": "changes the checkout's own git hooks",
}


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    """Fenced blocks of a language in every document."""
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    for path in DOCS:
        for match in fence.finditer(path.read_text("utf-8")):
            yield path, match[1]


def is_project_command(command: str) -> bool:
    return tuple(shlex.split(command)[:2]) == PROGRAM


# An option that needs an extra: the extra's name, and the module that shows it is there.
EXTRAS = {
    "agent=sac_jax": ("jax", "sbx"),
    "hydra/launcher=ray": ("ray", "hydra_plugins.hydra_ray_launcher"),
    "task=download": ("data", "tenacity"),
}


def commands() -> dict[str, Path]:
    """Every command of a bash block, once, and the first document that has it."""
    lines = [(line.strip(), path) for path, block in blocks("bash") for line in block.splitlines()]
    found: dict[str, Path] = {}
    for line, path in lines:
        if line and not line.startswith("#"):
            found.setdefault(line, path)
    return found


def project_commands() -> list[Any]:
    """Those of the README always; those of the other documents with the long tests."""
    return [
        pytest.param(command, marks=() if path == ROOT / "README.md" else pytest.mark.slow("docs"))
        for command, path in commands().items()
        if is_project_command(command)
    ]


def links() -> list[tuple[Path, str]]:
    """Every link and picture of every document, code left out."""
    found = []
    for path in DOCS:
        text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.M | re.S)
        found += [(path, target) for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    return found


def anchor(heading: str) -> str:
    """The anchor that a Markdown renderer gives a heading."""
    kept = re.sub(r"[^\w\s-]", "", heading.lower())
    return kept.strip().replace(" ", "-")


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the documents name, filled with synthetic bars."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "bars").mkdir()
    for bars in generate(SyntheticData(), "SPY", "QQQ"):
        frame = bars.frame[["bar_start", "open", "high", "low", "close", "volume"]]
        renamed = frame.rename(columns={"bar_start": "timestamp"})
        renamed.to_parquet(folder / "bars" / f"{bars.symbol}_15min.parquet")
    frame = bars.frame
    local = frame["bar_end"].dt.tz_convert(NEW_YORK).dt.tz_localize(None)
    csv = frame[["open", "high", "low", "close", "volume"]].assign(Date=local.astype(str))
    csv.to_csv(folder / "bars" / "ABC.csv", index=False)
    for _, block in blocks("yaml"):
        experiment = folder / "conf" / "experiment" / "abc.yaml"
        experiment.parent.mkdir(parents=True, exist_ok=True)
        experiment.write_text(block, encoding="utf-8")
    return folder


def test_every_command_is_run_here_or_named_with_the_reason_why_not() -> None:
    found = set(commands())
    assert {command for command in found if not is_project_command(command)} == set(BY_HAND)


@pytest.mark.parametrize("command", project_commands())
def test_a_documented_command_composes_and_resolves_its_windows(
    command: str,
    bars: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As a dry run: every override is composed and checked, the bars are read, nothing trains.

    An extra that is not installed is asked for; the long tests install them all.
    """
    arguments = [*shlex.split(command)[2:]]
    if "dry_run=true" not in arguments:
        arguments.append("dry_run=true")
    if "experiment=abc" in arguments:
        arguments.append(f"hydra.searchpath=[file://{bars / 'conf'}]")
    missing = [extra for option, (extra, module) in EXTRAS.items()
               if option in arguments and find_spec(module) is None]  # fmt: skip
    monkeypatch.chdir(bars)
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    before = sorted(bars.rglob("*"))
    with pytest.raises(SystemExit) as left:
        main()
    out, err = capsys.readouterr()
    if missing:
        assert left.value.code == 2
        assert f"pip install 'intraday-rl[{missing[0]}]'" in err
    elif "data=store" in arguments:  # which is empty until something was downloaded or imported
        assert left.value.code == 3
        assert "task=import fills it" in err
    elif "task=promote" in arguments:
        assert left.value.code == 2
        assert "registered: nothing" in err
    elif "task=paper" in arguments:
        assert left.value.code == 2
        assert "task.model=" in err
    elif any(one.startswith("task=fine_tune") for one in arguments):
        # It composes; what is tuned is what the commands before it would have made.
        assert left.value.code == 2
        assert "FAILED  model: task.model=" in out
    elif "data=alpaca" in arguments and "task=download" not in arguments:
        assert left.value.code == 3  # the store is empty until something was downloaded
        assert "fills it" in err
    else:
        assert left.value.code == 0, err
    assert sorted(bars.rglob("*")) == before


def test_the_python_example_runs(bars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bars.parent)
    examples = list(blocks("python"))
    assert examples
    for path, block in examples:
        exec(compile(block, str(path), "exec"), {})


@pytest.mark.parametrize(
    ("path", "target"), links(), ids=lambda value: value if isinstance(value, str) else value.name
)
def test_a_link_leads_somewhere(path: Path, target: str) -> None:
    file, _, heading = target.partition("#")
    place = (path.parent / file).resolve() if file else path
    assert place.is_relative_to(ROOT)
    assert place.exists()
    if heading:
        headings = re.findall(r"^#+ (.+)$", place.read_text("utf-8"), flags=re.MULTILINE)
        assert heading in {anchor(found) for found in headings}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_names_no_machine_and_no_host(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.findall(r"(?<![\w.}>])/(?:work|root|home|Users|tmp|mnt|opt)/\S*", text)
    assert not re.findall(r"https?://(?!127\.0\.0\.1)\S+|index-url|\S+\.(?:org|com|io|dev)\b", text)


def options(name: str) -> dict[str, dict[str, Any]]:
    """Documented keys and defaults by heading, from the tables that start with `| key |`."""
    found: dict[str, dict[str, Any]] = {}
    heading, in_table = "", False
    for line in (ROOT / "docs" / name).read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if not line.startswith("|"):
            in_table = False
        elif cells[0] == "key":
            in_table = len(cells) > 1 and cells[1] == "default"
        elif in_table and not set(cells[0]) <= {"-"}:
            found.setdefault(heading, {})[cells[0].strip("`")] = default(cells[1].strip("`"))
    return found


def default(text: str) -> Any:
    """A documented default; a long list of numbers is written `first … last by step`."""
    if steps := re.fullmatch(r"([\d.]+) … ([\d.]+) by ([\d.]+)", text):
        first, last, step = map(float, steps.groups())
        return [round(first + i * step, 9) for i in range(round((last - first) / step) + 1)]
    return yaml.safe_load(text)


def flat(values: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Leaves of a configuration by dotted key; an empty map is a leaf."""
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{path}.{key}" if path else key
        leaves |= flat(value, name) if isinstance(value, dict) and value else {name: value}
    return leaves


@cache
def composed(*overrides: str) -> dict[str, Any]:
    values = OmegaConf.to_container(compose_config(overrides), enum_to_str=True)
    assert isinstance(values, dict)
    return flat({str(key): value for key, value in values.items()})


def choices(heading: str) -> list[str]:
    """`group=name` written in a heading."""
    return re.findall(r"`([\w/]+=\w+)`", heading)


@pytest.mark.slow("docs")
@pytest.mark.parametrize("heading", options("configuration.md"))
def test_configuration_md_has_the_defaults(heading: str) -> None:
    documented = options("configuration.md")[heading]
    values = composed(*choices(heading)[:1])
    assert documented == {key: values.get(key, "not a key") for key in documented}


def all_choices() -> list[str]:
    """Every file of every group, as `group=name`."""
    found = []
    for path in sorted(CONF.rglob("*.yaml")):
        group = path.parent.relative_to(CONF).as_posix()
        if group not in (".", "local") and not group.startswith("debug/"):
            found.append(f"{group}={path.stem}")
    return found


@pytest.mark.slow("docs")
@pytest.mark.parametrize("choice", all_choices())
def test_configuration_md_has_every_choice_its_keys_and_its_values(choice: str) -> None:
    values = composed(choice)
    documented = {key for table in options("configuration.md").values() for key in table}
    assert not {key for key, value in values.items() if value != {}} - documented
    lines = (ROOT / "docs" / "configuration.md").read_text("utf-8").splitlines()
    named = [line for line in lines if f"`{choice}`" in line]
    assert named, f"docs/configuration.md does not name {choice}"
    group, name = choice.split("=")
    rows = [line for line in named if line.startswith(f"| `{choice}`")]
    if not rows or group in ("experiment", "debug", "preset"):
        return
    shown = dict(re.findall(r"`(\w+): ([^`]*)`", rows[0]))
    for key, text in shown.items():
        assert values[f"{group.replace('/', '.')}.{key}"] == yaml.safe_load(text)
    written = yaml.safe_load((CONF / group / f"{name}.yaml").read_text("utf-8")) or {}
    assert set(written) <= set(shown)


def test_outputs_md_has_every_column_of_the_ledger_in_order() -> None:
    text = (ROOT / "docs" / "outputs.md").read_text("utf-8")
    table = text.partition("| column |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)) == COLUMNS


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs" / "images" / "equity.png").stat().st_size < 150_000


def test_every_experiment_is_in_the_index() -> None:
    text = (ROOT / "experiments" / "README.md").read_text("utf-8")
    names = [path.stem for path in sorted((CONF / "experiment").glob("*.yaml"))]
    assert names
    assert not [name for name in names if f"| `{name}` |" not in text]
