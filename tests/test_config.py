"""The configuration tree: composing, validating, saving; values in YAML, types in Python."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import fields
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, ListConfig, OmegaConf

from intraday_rl.agents.sac import Sac, SacJax
from intraday_rl.config import (
    PARTS,
    build,
    compose_config,
    compose_plan,
    composing,
    conf_folder,
    reload,
    saved,
)
from intraday_rl.config.parts import part_at
from intraday_rl.config.saving import saved_config
from intraday_rl.errors import IntradayRLError
from intraday_rl.plan import Plan

CONF = Path(__file__).parent.parent / "conf"
# Groups whose files are one part each; presets, experiments and debug set parts of others.
PART_GROUPS = (
    *sorted({*PARTS, "features"}),
    *(f"env/{part}" for part in ("slippage", "impact", "commission", "fees", "financing")),
    "env/cutoff",
)
# Choices that together reach every part: group options and the values they cannot do without.
CHOICES = (
    [],
    ["agent=flat", "windows=auto", "reward=downside", "env/action=long_flat", "tracking=none"],
    ["data=csv", "data.path=bars.csv", "data.bar_label=start", "windows=explicit"],
    ["task=final_fit", "task.until='2020-12-31'", "reward=log_return", "agent=random"],
)


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def needed(option: str) -> list[str]:
    """Values without a default that the option cannot do without."""
    return {
        "csv": ["data.path=bars.csv", "data.bar_label=end"],
        "parquet": ["data.path=bars.parquet", "data.bar_label=end"],
        "final_fit": ["task.until='2020-12-31'"],
        "promote": ["task.model=3"],
        "fine_tune_study": ["task.start='2022-01-03'", "task.end='2022-12-30'"],
        "download": ["task.start='2018-01-01'"],
        "import": ["task.path=bars"],
        "paper": ["task.model=abc", "task.day='2022-03-14'"],
        "cost_surface": ["task.run=abc"],
        "audit": ["task.run=abc"],
    }.get(option, [])


def leaves(node: Any, path: str = "") -> list[str]:
    if isinstance(node, DictConfig) and len(node):
        return [
            leaf for key in node for leaf in leaves(node[key], f"{path}.{key}" if path else key)
        ]
    return [path]


def written(path: Path) -> dict[str, Any]:
    return {
        key: value
        for key, value in (yaml.safe_load(path.read_text()) or {}).items()
        if key != "defaults"
    }


CONFIGS = [compose_config(choice) for choice in CHOICES]
PLANS = [build(config) for config in CONFIGS]
SAVED = [saved(plan).text for plan in PLANS]
LEAVES = [leaves(config) for config in CONFIGS]


# --- what the files may say ---------------------------------------------------------------------


@pytest.mark.parametrize("number", range(max(len(options(group)) for group in PART_GROUPS)))
def test_every_option_composes_and_writes_down_nothing_that_is_the_default_anyway(number):
    chosen = {group: options(group)[number % len(options(group))] for group in PART_GROUPS}
    values = [value for option in chosen.values() for value in needed(option)]
    plan = compose_plan([*(f"{group}={option}" for group, option in chosen.items()), *values])
    for group, option in chosen.items():
        if (group, option) in (("agent", "sac"), ("agent", "sac_jax")):
            continue
        part = part_at(plan, group)
        defaults = {entry.name: entry.default for entry in fields(part)}
        for key in written(CONF / group / f"{option}.yaml"):
            now = getattr(part, key)
            assert now != defaults[key], f"conf/{group}/{option}.yaml repeats {key}={now}"


@pytest.mark.parametrize(("name", "part"), [("sac", Sac), ("sac_jax", SacJax)])
def test_the_file_of_a_learner_lists_every_hyper_parameter_with_its_default(name, part):
    listed = written(CONF / f"agent/{name}.yaml")
    assert list(listed) == [entry.name for entry in fields(part)]
    assert OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(part), listed)) == part()


def test_presets_go_with_either_learner():
    plan = compose_plan(["preset=balanced", "agent=sac_jax"])
    assert isinstance(plan.agent, SacJax)
    assert plan.agent.ent_coef == "0.2"


def test_no_comment_repeats_a_number_of_its_file():
    number = re.compile(r"\d+(?:[._:]\d+)*")
    for path in CONF.rglob("*.yaml"):
        lines = [line.partition("#") for line in path.read_text().splitlines()]
        values = {found for code, _, _ in lines for found in number.findall(code)}
        comments = {found for _, _, comment in lines for found in number.findall(comment)}
        assert not values & comments, path


def test_presets_set_the_same_keys_and_only_those_of_the_agent_differ_in_kind():
    keys = {
        name: leaves(OmegaConf.load(CONF / f"preset/{name}.yaml")) for name in options("preset")
    }
    assert sorted(keys) == ["aggressive", "balanced", "conservative"]
    assert len(set(map(tuple, keys.values()))) == 1
    plans = [
        compose_plan([f"preset={name}"]) for name in ("conservative", "balanced", "aggressive")
    ]
    assert [plan.agent.learning_rate for plan in plans] == [1e-4, 3e-4, 5e-4]
    assert [plan.agent.gamma for plan in plans] == [0.99, 0.99, 0.95]
    assert [plan.agent.batch_size for plan in plans] == [512, 256, 128]
    assert [plan.agent.tau for plan in plans] == [0.005, 0.005, 0.01]
    assert [plan.agent.ent_coef for plan in plans] == ["0.1", "0.2", "0.3"]
    assert [plan.agent.buffer_size for plan in plans] == [100_000, 100_000, 50_000]
    assert [plan.env.action.max_position for plan in plans] == [0.7, 0.85, 1.0]


@pytest.mark.parametrize(
    ("agent", "data"), list(zip(options("agent"), cycle(options("data")), strict=False))
)
def test_debug_tiny_goes_with_every_agent_and_every_source(agent, data):
    plan = compose_plan([f"agent={agent}", f"data={data}", *needed(data), "debug=tiny"])
    assert getattr(plan.agent, "total_timesteps", 0) < 1_000


# --- where the files are ------------------------------------------------------------------------


def test_settings_of_one_machine_lie_in_conf_local_and_need_not_exist(tmp_path, monkeypatch):
    shutil.copytree(CONF, tmp_path / "conf", ignore=shutil.ignore_patterns("local"))
    monkeypatch.setattr(composing, "conf_folder", lambda: tmp_path / "conf")
    local = tmp_path / "conf" / "local" / "default.yaml"
    local.parent.mkdir()
    local.write_text("# @package _global_\nsymbol: SPY\nparallel:\n  workers: 3\n")
    plan = compose_plan(["parallel.workers=2"])
    assert (plan.symbol, plan.parallel.workers) == ("SPY", 2)
    local.write_text("# @package _global_\nsymbl: SPY\n")
    with pytest.raises(IntradayRLError, match="symbl"):
        compose_plan([])
    local.write_text("symbol: [\n")
    with pytest.raises(IntradayRLError, match=r"default\.yaml"):
        compose_plan([])


def test_an_installed_package_finds_the_conf_folder_inside_itself(tmp_path, monkeypatch):
    module = tmp_path / "intraday_rl" / "config" / "composing.py"
    (tmp_path / "intraday_rl" / "conf").mkdir(parents=True)
    (tmp_path / "intraday_rl" / "conf" / "config.yaml").touch()
    monkeypatch.setattr(composing, "__file__", str(module))
    conf_folder.cache_clear()
    try:
        assert conf_folder() == tmp_path / "intraday_rl" / "conf"
    finally:
        conf_folder.cache_clear()


def test_a_callers_own_hydra_application_is_left_as_it_was(tmp_path):
    (tmp_path / "own.yaml").write_text("answer: 42\n")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        compose_plan([])
        assert compose("own").answer == 42
    assert not GlobalHydra.instance().is_initialized()


# --- saving -------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: type(plan.agent).__name__)
def test_a_saved_plan_reloads_to_an_equal_plan(plan):
    assert reload(saved(plan).text) == plan
    assert saved(reload(saved(plan).text)) == saved(plan)


def test_interpolations_are_resolved_before_saving_and_never_after(monkeypatch):
    monkeypatch.setenv("WHERE", "there")
    plan = compose_plan(["tracking.experiment=${oc.env:WHERE}-${symbol}"])
    assert plan.tracking.experiment == "there-TQQQ"
    literal = compose_plan([r"tracking.experiment='\${oc.env:WHERE}'"])
    assert literal.tracking.experiment == "${oc.env:WHERE}"
    assert reload(saved(literal).text) == literal


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda plan: plan | {"symbl": "SPY"}, "symbl"),
        (lambda plan: plan | {"env": {"slippage": {"nope": 1}}}, "nope"),
        (lambda plan: plan | {"kinds": plan["kinds"] | {"agent": "dqn"}}, "kinds.agent=dqn"),
        (lambda plan: plan | {"kinds": plan["kinds"] | {"planet": "x"}}, "kinds.planet=x"),
        (lambda plan: plan | {"kinds": {}}, "task"),
        (lambda plan: plan | {"seeds": [0, 0]}, "seeds"),
        (lambda plan: {"symbol": "SPY"}, "kinds"),
        (lambda plan: [1], "kinds"),
        (lambda plan: plan | {"data": {"_target_": "os.system"}}, "_target_"),
    ],
)
def test_a_plan_file_this_version_does_not_understand_is_refused_in_one_line(change, complaint):
    plan = yaml.safe_load(SAVED[0])
    with pytest.raises(IntradayRLError, match=re.escape(complaint)) as refused:
        reload(yaml.safe_dump(change(plan)))
    assert refused.value.exit_code == 2
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "kinds: [", "!!python/object/apply:os.system [ls]", "\0"])
def test_a_plan_file_that_is_no_yaml_is_refused(text):
    with pytest.raises(IntradayRLError, match=r"plan\.yaml"):
        reload(text)


# --- whatever is typed, no traceback ------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
SCALARS = st.one_of(
    st.integers(-3, 400).map(str),
    st.integers().map(str),
    st.floats().map(repr),
    st.sampled_from(["null", "true", "''", "???", "1e400", "-0.0", "2019-02-30", "15:45", "auto"]),
    st.sampled_from(["${symbol}", "${nope}", "${oc.env:NOPE}", "${env}", "'\\${x}'", "{a: 1}"]),
    TEXT.map(lambda text: "'" + text.replace("\\", "/").replace("'", "\\'") + "'"),
    TEXT,
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3).map(lambda one: f"[{','.join(one)}]"))


@st.composite
def overrides(draw: st.DrawFn) -> tuple[int, list[str]]:
    choice = draw(st.integers(0, len(CHOICES) - 1))
    keys = draw(st.lists(st.sampled_from(LEAVES[choice]), min_size=1, max_size=2, unique=True))
    return choice, [f"{key}={draw(VALUES)}" for key in keys]


def check(make: Callable[[], Plan]) -> None:
    """A plan that reloads to an equal one, or one message; anything else is a traceback."""
    try:
        plan = make()
    except IntradayRLError as error:
        complaint = error
    else:
        assert reload(saved(plan).text) == plan
        return
    assert complaint.exit_code == 2
    assert str(complaint)


@settings(max_examples=40, deadline=None)
@given(overrides())
def test_any_value_gives_a_plan_that_reloads_equal_or_one_message(case):
    choice, typed = case
    check(lambda: build(saved_config(SAVED[choice], typed)))


@pytest.mark.slow("input")
@settings(max_examples=8, deadline=None)
@given(overrides())
def test_hydra_adds_no_traceback_of_its_own(case):
    choice, typed = case
    check(lambda: compose_plan([*CHOICES[choice], *typed]))


def test_a_list_stays_a_list_and_a_part_stays_its_class():
    plan = compose_plan(["agent.net_arch=[4,5]"])
    assert type(plan.agent.net_arch) is list
    assert not isinstance(plan.seeds, ListConfig)
