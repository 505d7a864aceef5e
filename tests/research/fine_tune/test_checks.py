"""Nothing is trained unless model and data fit: each refusal by its name, before any step."""

from __future__ import annotations

import json
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from intraday_rl.config import compose_plan
from intraday_rl.entry.job import context_of, dry_run
from intraday_rl.errors import IntradayRLError
from intraday_rl.research.fine_tune.checking import Checks
from intraday_rl.research.fine_tune.checks import prepare

pytestmark = pytest.mark.slow("fine_tune")  # they share a model that is trained first


def failures(model, *overrides: str) -> dict[str, str]:
    """Names and details of what fails in a dry run."""
    plan, context = model.composed("dry_run=true", *overrides)
    checks = Checks(lenient=True)
    with suppress(IntradayRLError):
        prepare(plan, context, checks)
    return {check.name: check.detail for check in checks.done if not check.passed}


def test_a_hold_out_too_short_to_prove_anything_is_said_before_training(model):
    plan, context = model.composed("dry_run=true", "task.holdout_sessions=19")
    checks = Checks(lenient=True)
    prepare(plan, context, checks)
    (found,) = [check for check in checks.done if check.name == "sessions"]
    assert "19 held out: fewer than 20 prove nothing" in found.detail


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.edge=0.25", "data.seed=3"],
         "data.seed=3 (in training 0), data.edge=0.25 (in training 0.0)"),
        (["data.start=2020-01-02"], "data.start=2020-01-02 (in training 2021-01-04)"),
        (["data.end=2022-03-31"], None),
    ],
)  # fmt: skip
def test_other_synthetic_bars_than_those_of_training_are_said(model, capsys, overrides, said):
    plan, context = model.composed("dry_run=true", "format=json", *overrides)
    assert dry_run([("", context.command[1:], plan)]) == 0
    content = json.loads(capsys.readouterr().out)
    (source,) = [one["detail"] for one in content["checks"] if one["name"] == "source"]
    if said is None:
        assert (source, content["notes"]) == ("synthetic, as in training", [])
    else:
        assert source == f"synthetic, but not the bars of training: {said}"
        assert content["notes"] == [f"Not the bars that the model was trained on: {said}"]


def rewritten(path: Path, change) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_model_and_data_that_fit_pass_every_check(model):
    assert failures(model) == {}


@pytest.mark.parametrize(
    ("name", "overrides", "says"),
    [
        ("bar length", ["data.bar_minutes=30"], "data.bar_minutes=30"),
        ("settings", ["agent.gamma=0.5"], "agent.gamma=0.5: the model has 0.99"),
        ("settings", ["reward=net_return"], "reward=net_return: the model has dsr"),
        ("settings", ["features.rsi_bars=20"], "features.rsi_bars=20"),
        ("cost book", ["env/slippage=bps"], "env.slippage.bps=1.0"),
        ("cost book", ["env.commission.usd_per_share=0.5"], "env.commission"),
        ("fill rule", ["env.fill=close"], "env.fill=close: the model has next_open"),
        ("symbol", ["symbol=SPY"], "symbol=SPY: the model was trained on TQQQ"),
        ("benchmark", ["benchmark=IWM"], "the model was trained with QQQ"),
        ("batch", ["task.days=1"], "task.days=1"),
        ("held-out days", ["data.end=2021-09-15"], "2021-08-31"),
        ("sessions", ["task.days=null", "task.sessions=900"], "task.sessions=900"),
    ],
)
def test_what_does_not_fit_fails_by_its_name(model, name, overrides, says):
    found = failures(model, *overrides)
    assert list(found) == [name]
    assert says in found[name]


def test_what_agrees_with_the_model_may_be_said(model):
    assert failures(model, "agent.net_arch=[8]", "env.fill=next_open", "reward=dsr") == {}


def test_a_missing_scaler_is_refused_by_name(model):
    rewritten(model.bundle / "schema.json", lambda content: content.pop("scaler"))
    found = failures(model)
    assert list(found) == ["model"]
    assert "scaler is missing" in found["model"]


def test_another_feature_order_is_refused_by_the_column(model):
    from intraday_rl.market.scaling import FeatureSchema

    def swap(content):
        names = content["observation_names"]
        names[0], names[1] = names[1], names[0]
        schema = FeatureSchema(tuple(names), content["settings"])
        content["hash"] = schema.hash()

    rewritten(model.bundle / "schema.json", swap)
    found = failures(model)
    assert list(found) == ["features"]
    assert "column 0 is benchmark_trend, expected benchmark_macd" in found["features"]


class Acts:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def crafted(model, witness: Path) -> None:
    """The bundle's own training state, with a pickle that acts in its place."""
    state = model.bundle / "training_state.pt"
    with zipfile.ZipFile(state) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    inside = next(name for name in files if name.endswith("data.pkl"))
    files[inside] = pickle.dumps({"parameters": Acts(witness)}, protocol=2)
    with zipfile.ZipFile(state, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_a_bundle_whose_pickle_would_run_code_is_refused_and_nothing_runs(model, tmp_path):
    witness = tmp_path / "it ran"
    crafted(model, witness)
    found = failures(model)
    assert list(found) == ["model"]
    assert "would call" in found["model"]
    with pytest.raises(IntradayRLError, match="would call"):
        model.tune()
    assert not witness.exists()
    assert not (model.outputs / "runs").exists()


def test_the_stock_zip_is_never_opened(model):
    (model.bundle / "sb3.zip").write_bytes(b"not even a zip")
    assert failures(model) == {}


def test_a_dry_run_writes_nothing_and_names_every_check(model, capsys):
    given = [
        "dry_run=true", "task=fine_tune", "data.start=2021-01-04", "data.end=2021-12-31",
        "tracking=none", f"task.model={model.bundle}", f"paths.outputs={model.outputs}",
    ]  # fmt: skip
    assert dry_run([("", given, compose_plan(given))]) == 0
    text = capsys.readouterr().out
    for words in ("lineage:", "tuning:", "held out:", "coverage:", "planned:", "held-out days:"):
        assert words in text
    for name in ("model", "features", "scaler", "bar length", "cost book", "fill rule", "symbol"):
        assert f"passed  {name}:" in text
    assert not model.outputs.exists()
    failing = [*given, "agent.gamma=0.5", "format=json"]
    assert dry_run([("", failing, compose_plan(failing))]) == 2
    content = json.loads(capsys.readouterr().out)
    failed = [check["name"] for check in content["checks"] if not check["passed"]]
    assert failed == ["settings"]
    assert content["planned"]["learning_rate_schedule"] == "constant"
    assert not model.outputs.exists()
    assert context_of(compose_plan(given), given).defaults is not None
