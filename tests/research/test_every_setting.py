"""Identity: every setting changes the fold keys and the numbers, or is on the presentation list.

The settings come from the schemas, so that a new one fails here until `every_setting.py` says
what it does; there is no knob that turns nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from intraday_rl import identity, loading
from intraday_rl.collecting.writing import keep_month, writing_alone
from intraday_rl.config import build, compose_config, saved
from intraday_rl.errors import IntradayRLError
from intraday_rl.identity import BY_FOLD, PRESENTATION
from intraday_rl.market import sources
from intraday_rl.market.catalogue import Catalogue
from intraday_rl.market.files import Prices
from intraday_rl.market.store import Series
from intraday_rl.market.synthetic import SyntheticData, generate
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder, read_json
from intraday_rl.research import walk_forward
from tests.research.conftest import run_alone
from tests.research.every_setting import FILES, SECTIONS, Change, OfTask, every_leaf

ROOT = Path(__file__).parents[2]
EFFECTS = {
    (section if "=" in section else "", key): (content.base, effect)
    for section, content in SECTIONS.items()
    for key, effect in content.settings.items()
}
CHANGES = {
    name: (base, effect) for name, (base, effect) in EFFECTS.items() if isinstance(effect, Change)
}
DECISIVE = {name: found for name, found in CHANGES.items() if found[1].decides}
SHOWN = {name: found for name, found in CHANGES.items() if not found[1].decides}
# Names, keys and repeated settings: they differ without any number of the fold being another.
SAID_OF_A_RUN = {
    "run_key", "world", "trial", "code_hash", "git", "cost_settings", "symbol", "benchmark",
    "data_source", "data_notes", "data_fingerprint", "benchmark_fingerprint", "seeds_planned",
}  # fmt: skip


def named(settings: dict[tuple[str, str], Any]) -> list[Any]:
    """Parameters whose test names are the settings' own."""
    return [
        pytest.param(*found, key, id=f"{part} {key}".strip())
        for (part, key), found in settings.items()
    ]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bars as files: whole, spoiled in one place, and the same bars written otherwise."""
    folder = tmp_path_factory.mktemp("files")
    made = generate(SyntheticData(start="2021-01-04", end="2021-10-08"), "TQQQ", "QQQ")
    for bars, names in zip(made, (("bars", "copy"), ("benchmark", "benchmark_copy")), strict=True):
        frame = bars.frame[["open", "high", "low", "close", "volume"]].copy()
        frame.insert(0, "timestamp", bars.frame["bar_start"].dt.tz_convert("America/New_York"))
        frame["middle"] = (frame["open"] + frame["close"]) / 2
        for name in names:
            frame.to_parquet(folder / f"{name}.parquet", index=False)
    frame = pd.read_parquet(folder / "bars.parquet")
    stamp = frame["timestamp"]
    day = stamp.dt.strftime("%Y-%m-%d")
    variants = {
        "gap": frame.drop(frame.index[day == "2021-08-10"][6:12]),
        "hole": frame[day != "2021-10-01"],
        "naive": frame.assign(timestamp=stamp.dt.tz_localize(None)),
        "ends": frame.assign(timestamp=stamp + pd.Timedelta(minutes=15)),
        "renamed": frame.rename(columns={"open": "first"}),
    }
    for name, variant in variants.items():
        variant.to_parquet(folder / f"{name}.parquet", index=False)
    frame.to_csv(folder / "bars.csv", index=False)
    for place in ("store", "copy_of_store"):
        for symbol, name in (("TQQQ", "bars"), ("QQQ", "benchmark")):
            bars = pd.read_parquet(folder / f"{name}.parquet")
            store(folder / place, symbol, "whole", bars)
            store(folder / place, symbol, "another", bars.assign(close=bars["open"]))
        store(folder / place, "TQQQ", "gap", pd.read_parquet(folder / "gap.parquet"))
    return folder


def store(place: Path, symbol: str, vendor: str, bars: pd.DataFrame) -> None:
    """The bars as a vendor's adjusted 15-minute series."""
    series = Series(place, symbol, vendor, 15)
    catalogue = Catalogue(
        symbol=symbol, vendor=vendor, bar_minutes=15, prices=Prices.adjusted, reconstructed=False,
        origin="a test", splits=None, splits_through=None, parts={},
    )  # fmt: skip
    now, months = pd.Timestamp("2022-01-03", tz="UTC"), bars["timestamp"].dt.strftime("%Y-%m")
    with writing_alone(series):
        for month in months.unique():
            catalogue = keep_month(
                series, catalogue, month, bars[months == month], now, "2021-10-08"
            )


@pytest.fixture
def keys_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Plan], list[str] | str]:
    """Fold keys of a job as the job plans them, or the line with which its data are refused."""
    monkeypatch.setattr(walk_forward, "git_revision", lambda: None)
    monkeypatch.setattr(loading, "load", _bars_of)
    monkeypatch.setattr(identity, "LIBRARIES_OF_AGENT", {})  # of an extra that may be absent

    def keys(plan: Plan) -> list[str] | str:
        try:
            resolved = loading.resolve(plan)
        except IntradayRLError as refusal:
            return str(refusal)
        return [job.key for job in walk_forward.plan_jobs(plan, saved(plan), resolved)]

    return keys


_LOADED: dict[str, Any] = {}


def _bars_of(data: object, symbol: str, benchmark: str | None) -> Any:
    """`load`, once for the same data."""
    name = repr((data, symbol, benchmark))
    if name not in _LOADED:
        _LOADED[name] = sources.load(data, symbol, benchmark)  # type: ignore[arg-type]
    return _LOADED[name]


@cache
def composed(overrides: tuple[str, ...]) -> DictConfig:
    """The configuration of a job, composed once."""
    return compose_config(overrides)


def with_one_other(config: DictConfig, override: str) -> Plan:
    """The plan with one other value."""
    other, parsed = config.copy(), OverridesParser.create().parse_override(override)
    OmegaConf.update(other, parsed.key_or_group, parsed.value(), force_add=True)
    return build(other)


def base_of(base: tuple[str, ...], effect: Change, files: Path) -> tuple[str, ...]:
    """The overrides under which the setting matters; a later choice of a group replaces one."""
    chosen: dict[str, str] = {}
    for override in (*(effect.instead or base), *effect.given):
        chosen[override.partition("=")[0]] = override.replace(FILES, str(files))
    return tuple(chosen.values())


def override_of(key: str, effect: Change, files: Path) -> str:
    return f"++{key}={effect.value.replace(FILES, str(files))}"


def listed(key: str) -> bool:
    """Whether the presentation list has the key, or the part it belongs to."""
    return any(key == one or key.startswith(f"{one}.") for one in PRESENTATION)


def test_every_setting_of_every_part_has_a_line_that_says_what_it_does():
    leaves = list(every_leaf())
    assert len(leaves) > 150  # the walk did reach the parts
    assert set(leaves) - set(EFFECTS) == set(), "say in every_setting.py what these change"
    assert set(EFFECTS) - set(leaves) == set(), "every_setting.py speaks of what is no setting"


@pytest.mark.slow("identity")
@pytest.mark.parametrize(("base", "effect", "key"), named(CHANGES))
def test_a_setting_changes_the_fold_keys_unless_it_is_presentation(
    base, effect, key, files, keys_of
):
    config = composed(base_of(base, effect, files))
    plan, other = build(config), with_one_other(config, override_of(key, effect, files))
    assert other != plan, "the value is the one it had"
    before, after = keys_of(plan), keys_of(other)
    assert isinstance(before, list), before
    if not effect.decides:
        assert before == after
        assert listed(key)
        return
    assert not listed(key)
    if isinstance(after, str) or key.partition(".")[0] in BY_FOLD:
        assert before != after  # refused; or some folds are others, the rest stay
    else:
        assert not set(before) & set(after)


@pytest.mark.slow("identity")
@pytest.mark.parametrize(
    "choices",
    [
        ("reward=dsr", "reward=downside", "reward=net_return", "reward=log_return"),
        ("agent=hold", "agent=flat", "agent=random"),
        ("env/action=target", "env/action=long_flat"),
    ],
)
def test_choosing_another_part_changes_the_fold_keys(choices, files, keys_of):
    found = [
        keys_of(build(composed(base_of(SECTIONS[one].base, Change(""), files)))) for one in choices
    ]
    assert len({key for keys in found for key in keys}) == sum(map(len, found))


def test_where_a_job_is_recorded_changes_no_key(keys_of):
    recorded = [text for text in SECTIONS["tracking=mlflow"].base if "tracking" not in text]
    plans = [build(composed((*recorded, f"tracking={one}"))) for one in ("mlflow", "none")]
    assert keys_of(plans[0]) == keys_of(plans[1])


@pytest.mark.slow("identity")
@pytest.mark.parametrize(
    "described",
    [
        ("data=csv", f"data.path={FILES}/bars.csv"),
        (f"data.path={FILES}/naive.parquet", "data.timezone=America/New_York"),
        (f"data.path={FILES}/ends.parquet", "data.bar_label=end"),
        (f"data.path={FILES}/renamed.parquet", "++data.columns={open: first}"),
        ("data.adjusted_through=2021-10-08",),
        ("data.on_bad_session=drop", "data.max_missing_bars=10"),
    ],
)
def test_the_same_bars_from_another_file_are_the_same_work(described, files, keys_of):
    base = SECTIONS["data=file"].base
    one = keys_of(build(composed(base_of(base, Change(""), files))))
    assert keys_of(build(composed(base_of(base, Change("", described), files)))) == one


def test_an_option_of_a_task_without_folds_has_a_test_of_its_own():
    for (part, key), (_, effect) in EFFECTS.items():
        if isinstance(effect, OfTask):
            assert key in (ROOT / effect.test).read_text("utf-8"), f"{part} {key}: {effect.test}"


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """What a job of these overrides came to; the same overrides are run once."""
    done: dict[tuple[str, ...], dict[str, Any]] = {}

    def run(overrides: tuple[str, ...]) -> dict[str, Any]:
        if overrides not in done:
            placed = any("paths.outputs=" in text for text in overrides)
            own = () if placed else (f"paths.outputs={tmp_path_factory.mktemp('outputs')}",)
            try:
                _, folder = run_alone(*overrides, *own)
            except IntradayRLError as refusal:
                done[overrides] = {"refused": str(refusal)}
            else:
                done[overrides] = numbers_of(folder)
        return done[overrides]

    return run


def numbers_of(folder: RunFolder) -> dict[str, Any]:
    """Every number of a run by file, without what only repeats its settings, names and keys."""
    numbers: dict[str, Any] = {}
    for path in sorted(folder.path.rglob("*")):
        name = str(path.relative_to(folder.path))
        if path.name in ("window.json", "verdict.json", "result.json"):
            numbers[name] = _without_names(read_json(path))
        elif path.suffix == ".parquet":
            table = pd.read_parquet(path).astype(object)
            numbers[name] = table.where(table.notna(), None).to_dict("list")
        elif path.name == "actor.npz":
            with np.load(path, allow_pickle=False) as actor:
                numbers[name] = {layer: actor[layer].tolist() for layer in actor.files}
    assert numbers, f"nothing in {folder.path}"
    return numbers


def _without_names(content: Any) -> Any:
    if isinstance(content, dict):
        left_out = {*SAID_OF_A_RUN, "key"}
        return {k: _without_names(v) for k, v in content.items() if k not in left_out}
    return content


def beyond_rounding(one: Any, other: Any) -> bool:
    """Whether two results differ in more than the last digits of a sum."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() != other.keys() or any(beyond_rounding(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) != len(other) or any(map(beyond_rounding, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return not math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return bool(one != other)


@pytest.mark.slow("identity")
@pytest.mark.parametrize(
    ("base", "effect", "key"),
    named({name: found for name, found in DECISIVE.items() if name[0] != "agent=sac_jax"}),
)
def test_a_setting_that_changes_the_keys_changes_a_number(base, effect, key, files, ran):
    overrides = base_of(base, effect, files)
    before = ran(overrides)
    assert "refused" not in before, before
    after = ran(
        (*(o for o in overrides if o.partition("=")[0] != key), override_of(key, effect, files))
    )
    assert before != after
    # Compiled updates are the same updates, rounded elsewhere.
    assert beyond_rounding(before, after) or key == "agent.compile"


@pytest.mark.slow("identity")
@pytest.mark.parametrize(("base", "effect", "key"), named(SHOWN))
def test_presentation_changes_no_number(base, effect, key, files, ran, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overrides = base_of(base, effect, files)
    before = ran(overrides)
    assert "refused" not in before, before
    after = ran(
        (*(o for o in overrides if o.partition("=")[0] != key), override_of(key, effect, files))
    )
    assert before == after


@pytest.mark.slow("identity")
def test_two_tickers_without_splits_are_two_names_for_the_same_numbers(ran):
    base = SECTIONS[""].base
    assert ran((*base, "symbol=AAA")) == ran((*base, "symbol=BBB"))
