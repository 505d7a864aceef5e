"""Which bundle a `task.model` means, told from a registry.json written by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from intraday_rl.agents.card import Card
from intraday_rl.config import compose_plan, saved
from intraday_rl.errors import ConfigError, ModelError
from intraday_rl.identity import decisive
from intraday_rl.model_choice import choose_model
from intraday_rl.plan import Plan
from intraday_rl.records import write_json
from intraday_rl.tracking.parts import MlflowTracking, NoTracking
from intraday_rl.tracking.registry_file import (
    AliasChange,
    ModelVersion,
    RegisteredModel,
    Registry,
    read_registry,
    registered_name,
    write_registry,
)

SAC = registered_name("TQQQ", "sac", synthetic=True)
JAX = registered_name("TQQQ", "sac_jax", synthetic=True)
REAL = registered_name("TQQQ", "sac", synthetic=False)
CARD = Card(
    agent="sac", fold="w", seed=0, a0=0.0, b0=1.0, data_fingerprint="d", code_hash="c",
    facts={"fold_key": "none", "train_end": "2020-12-31", "validation_score": 0.0,
           "abstained": False},
)  # fmt: skip


def bundle(outputs: Path, run: str, window: str, seed: int, **facts: object) -> Path:
    """A finished seed of a run, with no more of its bundle than its card."""
    folder = outputs / "runs" / run / "folds" / window / f"seed={seed}"
    card = replace(CARD, fold=window, seed=seed, facts={**CARD.facts, **facts})
    write_json(folder / "bundle" / "card.json", card.as_dict())
    (folder / "result.json").touch()
    (outputs / "runs" / run / "plan.yaml").touch()
    return folder / "bundle"


def version(outputs: Path, name: str, number: int, **tags: str) -> ModelVersion:
    """A version with a bundle of its own, in a run of its own."""
    key = f"{name}-{number}".replace(".", "-")
    end = tags.get("train_end", "2020-12-31")
    abstained = tags.get("abstained") == "true"
    folder = bundle(outputs, key, "w", 0, fold_key=key, train_end=end, abstained=abstained)
    standing = {
        "symbol": "TQQQ", "data_source": "parquet" if name == REAL else "synthetic",
        "train_end": end, "fold_key": key, "run_key": key,
        "bundle": folder.relative_to(outputs).as_posix(),
    }  # fmt: skip
    return ModelVersion(name, number, 1000 + number, "run", "models:/m-1", {**standing, **tags})


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """Three versions of sac (the second knows most, the third abstained), one of real bars."""
    versions = (
        version(tmp_path, SAC, 1, train_end="2021-12-31"),
        version(tmp_path, SAC, 2, train_end="2022-12-31"),
        version(tmp_path, SAC, 3, train_end="2020-12-31", abstained="true"),
    )
    real = version(tmp_path, REAL, 1, train_end="2025-12-31")
    change = AliasChange("champion", 1, None, "2026-01-01T00:00:00+00:00", "first final fit")
    models = {
        SAC: RegisteredModel(SAC, versions, {"champion": 1, "old": 3}, (change,)),
        REAL: RegisteredModel(REAL, (real,), {}),
    }
    write_registry(tmp_path, Registry(None, models))
    return tmp_path


def plan_of(outputs: Path, *overrides: str) -> Plan:
    return compose_plan([f"paths.outputs={outputs}", *overrides])


def with_model(outputs: Path, model: RegisteredModel) -> None:
    registry = read_registry(NoTracking(), outputs)
    write_registry(outputs, replace(registry, models={**registry.models, model.name: model}))


def test_the_file_reads_back_as_it_was_written(outputs):
    first = read_registry(MlflowTracking(), outputs)
    write_registry(outputs, first)
    assert read_registry(MlflowTracking(), outputs) == first
    assert first.models[SAC].changes[0].before is None
    assert [one.number for one in first.models[SAC].versions] == [1, 2, 3]


@pytest.mark.slow("registry")
@pytest.mark.parametrize(
    ("spec", "name", "number"),
    [
        ("latest", SAC, 2),
        ("champion", SAC, 1),
        ("3", SAC, 3),
        ("old", SAC, 3),
        ("sac:latest", SAC, 2),
        ("sac:1", SAC, 1),
        (f"{REAL}:1", REAL, 1),
        (f"{REAL}:latest", REAL, 1),
        ("intraday_rl-synthetic-TQQQ-sac-2", SAC, 2),
        ("intraday_rl-synthetic-TQQQ-sac-2/w/seed=0", SAC, 2),
    ],
)
def test_every_way_to_name_a_version_gives_its_bundle(outputs, spec, name, number):
    chosen = choose_model(plan_of(outputs), spec)
    assert (chosen.name, chosen.version, chosen.spec) == (name, number, spec)
    assert chosen.tags["fold_key"] == f"{name}-{number}".replace(".", "-")
    assert (
        json.loads((chosen.bundle / "card.json").read_text())["facts"]["fold_key"]
        == (chosen.tags["fold_key"])
    )


def test_a_bundle_folder_is_what_it_is_registered_as(outputs):
    folder = outputs / "runs" / "intraday_rl-synthetic-TQQQ-sac-1" / "folds" / "w/seed=0/bundle"
    chosen = choose_model(plan_of(outputs), str(folder))
    assert (chosen.bundle, chosen.name, chosen.version) == (folder, SAC, 1)


def test_of_equal_train_ends_the_one_registered_last_is_latest(outputs):
    model = read_registry(NoTracking(), outputs).models[SAC]
    later = version(outputs, SAC, 4, train_end="2022-12-31")
    with_model(outputs, replace(model, versions=(*model.versions, later)))
    assert choose_model(plan_of(outputs), "latest").version == 4


def test_a_fine_tune_that_has_not_come_to_its_end_is_not_latest(outputs):
    registry = read_registry(MlflowTracking(), outputs)
    pending = version(outputs, SAC, 4, train_end="2023-12-31", outcome="pending")
    models = {
        SAC: replace(registry.models[SAC], versions=(*registry.models[SAC].versions, pending))
    }
    write_registry(outputs, Registry(None, {**registry.models, **models}))
    assert choose_model(plan_of(outputs), "latest").version == 2
    assert choose_model(plan_of(outputs), "4").version == 4


def test_latest_is_of_the_same_symbol_and_source_of_bars(outputs):
    real = plan_of(outputs, "data=parquet", "data.path=x.parquet", "data.bar_label=end")
    assert choose_model(real, "latest").name == REAL
    csv = plan_of(outputs, "data=csv", "data.path=x.csv", "data.bar_label=end")
    with pytest.raises(ModelError, match="no version among the registered models of TQQQ from csv"):
        choose_model(csv, "latest")
    with pytest.raises(ModelError, match="no version among the registered models of SPY"):
        choose_model(plan_of(outputs, "symbol=SPY"), "latest")


def test_a_symbol_with_a_dot_is_another_symbol(outputs):
    name = registered_name("TQQQ.B", "sac", synthetic=True)
    with_model(outputs, RegisteredModel(name, (version(outputs, name, 9, train_end="2030-01-01"),)))
    assert choose_model(plan_of(outputs), "latest").name == SAC


def test_what_two_kinds_of_agents_have_must_be_named_and_latest_is_over_both(outputs):
    model = RegisteredModel(JAX, (version(outputs, JAX, 1, train_end="2023-01-31"),))
    with_model(outputs, replace(model, aliases={"champion": 1}))
    plan = plan_of(outputs)
    assert choose_model(plan, "latest").name == JAX
    assert choose_model(plan, "sac_jax:champion").name == JAX
    assert choose_model(plan, "sac:champion").name == SAC
    with pytest.raises(ModelError, match="name it, as sac:champion or sac_jax:champion"):
        choose_model(plan, "champion")


def test_a_run_gives_its_greatest_train_end_then_its_best_validation(outputs):
    bundle(outputs, "1a2b3c", "2021", 0, train_end="2021-12-31", validation_score=9.0)
    bundle(outputs, "1a2b3c", "2022", 0, train_end="2022-12-31", validation_score=-1.0)
    best = bundle(outputs, "1a2b3c", "2022", 1, train_end="2022-12-31", validation_score=0.5)
    chosen = choose_model(plan_of(outputs, "tracking=none"), "1a2b")
    assert chosen.bundle == best
    assert (chosen.name, chosen.version, dict(chosen.tags)) == (None, None, {})
    assert choose_model(plan_of(outputs), "1a2b3c/2021/seed=0").bundle.parts[-3] == "2021"


def test_a_seed_that_is_not_finished_is_not_chosen(outputs):
    unfinished = bundle(outputs, "1a2b3c", "2022", 0)
    (unfinished.parent / "result.json").unlink()
    with pytest.raises(ModelError, match="run 1a2b3c has no finished bundle there"):
        choose_model(plan_of(outputs), "1a2b3c")


def test_an_agent_that_abstained_is_no_champion_and_trades_nowhere(outputs):
    model = read_registry(NoTracking(), outputs).models[SAC]
    with_model(outputs, replace(model, aliases={"champion": 3}))
    plan = plan_of(outputs)
    with pytest.raises(ModelError, match="version 3 abstained"):
        choose_model(plan, "champion")
    with pytest.raises(ModelError, match="version 3 abstained"):
        choose_model(plan, "3", refuse_abstained=True)
    folder = str(choose_model(plan, "3").bundle)
    with pytest.raises(ModelError, match="abstained"):
        choose_model(plan_of(outputs, "tracking=none"), folder, refuse_abstained=True)


def test_latest_may_be_an_agent_that_abstained(outputs):
    model = read_registry(NoTracking(), outputs).models[SAC]
    newest = version(outputs, SAC, 4, train_end="2024-12-31", abstained="true")
    with_model(outputs, replace(model, versions=(*model.versions, newest)))
    assert choose_model(plan_of(outputs), "latest").version == 4


def test_an_expired_model_is_used_with_a_warning(outputs, caplog):
    model = read_registry(NoTracking(), outputs).models[SAC]
    now = datetime.now(UTC)
    old, fresh = ((now + timedelta(days=days)).isoformat() for days in (-1, 1))
    versions = [
        replace(one, tags={**one.tags, "expires_at": old if one.number == 1 else fresh})
        for one in model.versions
    ]
    with_model(outputs, replace(model, versions=tuple(versions)))
    choose_model(plan_of(outputs), "2")
    assert "expired" not in caplog.text
    choose_model(plan_of(outputs), "1")
    assert f"{SAC} version 1 expired at {old}" in caplog.text


@pytest.mark.parametrize("spec", ["nonsense", "7", "", "sac:7", "no.such.model:1", "ppo:latest"])
def test_a_refusal_lists_what_there_is_and_how_to_make_one(outputs, spec):
    with pytest.raises(ModelError) as refused:
        choose_model(plan_of(outputs), spec)
    said = str(refused.value)
    assert said.startswith(f"task.model={spec}: ")
    assert f"{SAC} (1-3, champion 1, old 3)" in said
    assert f"{REAL} (1)" in said
    assert "intraday_rl-TQQQ-sac-1" in said
    assert "task=final_fit task.until=<date> symbol=TQQQ" in said
    assert "\n" not in said


def test_without_a_registry_the_refusal_says_why_it_is_empty(tmp_path):
    with pytest.raises(ModelError, match=r"registered: nothing; runs under .*: nothing"):
        choose_model(plan_of(tmp_path), "latest")
    with pytest.raises(ModelError, match="tracking=none registers nothing"):
        choose_model(plan_of(tmp_path, "tracking=none"), "champion")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_bundle_is_said_to_be_one(outputs):
    with pytest.raises(ModelError, match="is a folder without a bundle"):
        choose_model(plan_of(outputs), str(outputs / "runs"))


@pytest.mark.slow("registry")
@pytest.mark.parametrize("experiment", ["", "1"])
def test_a_bundle_that_was_deleted_is_taken_from_the_stores_artifacts(outputs, experiment):
    bundle_of_two = choose_model(plan_of(outputs), "2").bundle
    copy = (
        outputs / "artifacts" / experiment / "models" / "m-1" / "artifacts" / "artifacts" / "bundle"
    )
    copy.parent.mkdir(parents=True)
    bundle_of_two.rename(copy)
    assert choose_model(plan_of(outputs), "2").bundle == copy
    copy.rename(outputs / "elsewhere")
    with pytest.raises(ModelError, match=r"bundle .* is gone; run .* again"):
        choose_model(plan_of(outputs), "2")


@pytest.mark.parametrize("alias", ["latest", "Latest", "v3", "3", "a b", ""])
def test_an_alias_that_would_mean_something_else_is_refused(alias):
    with pytest.raises(ConfigError, match=r"task\.alias="):
        compose_plan(["task=promote", "task.model=1", f"task.alias='{alias}'"])


def test_a_number_and_a_quoted_path_reach_the_task_as_they_are():
    plan = compose_plan(["task=promote", "task.model='1a2b3c/until_2023-12-31/seed=0'"])
    assert plan.task.model == "1a2b3c/until_2023-12-31/seed=0"
    assert compose_plan(["task=promote", "task.model=3"]).task.model == "3"


def test_registering_changes_no_key():
    plan = compose_plan([])
    other = compose_plan(["registry.register=false", "registry.expires_after_days=null"])
    keys = [decisive(one.kinds, one.values) for one in map(saved, (plan, other))]
    assert keys[0] == keys[1]
    assert "registry" not in keys[0]


def test_debug_runs_never_register():
    assert compose_plan([]).registry.register
    assert not compose_plan(["debug=tiny"]).registry.register
