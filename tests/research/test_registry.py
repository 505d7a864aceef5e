"""Registered models in a real MLflow store: what jobs register, who is champion, what kills do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from intraday_rl.agents.bundle import load_bundle
from intraday_rl.config import compose_plan, reload, saved
from intraday_rl.errors import ConfigError, ModelError
from intraday_rl.model_choice import choose_model
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.records import read_json
from intraday_rl.research import final_fit, promote, walk_forward
from intraday_rl.tracking import MlflowTracking, open_tracker
from intraday_rl.tracking.registry import rebuilt
from intraday_rl.tracking.registry_file import read_registry, registered_name, registry_file

pytestmark = pytest.mark.slow("registry")
ROOT = Path(__file__).parents[2]
NAME = registered_name("TQQQ", "sac", synthetic=True)
SMALL = [
    "data.start=2021-01-04", "data.end=2022-01-31", "windows=auto", "windows.train_size=6 months",
    "windows.test_size=3 months", "windows.validation_sessions=40", "parallel.workers=1",
    "agent.net_arch=[8]", "agent.batch_size=32", "agent.total_timesteps=320",
    "agent.learning_starts=64", "agent.eval_freq=160", "agent.n_envs=8", "selection.abstain=false",
]  # fmt: skip
FINAL = "task=final_fit"

# Dies, as if killed, right before or right after the named step of the registry or of MLflow.
DYING = """
import os, sys
from mlflow import MlflowClient
from intraday_rl.entry import main
from intraday_rl.tracking import registry

owner, step, when = sys.argv.pop(1).split(".")
place = {"client": MlflowClient, "registry": registry.MlflowRegistry}[owner]
real = getattr(place, step)

def dying(*args, **kwargs):
    if when == "after":
        real(*args, **kwargs)
    os._exit(9)

setattr(place, step, dying)
main()
"""


def planned(outputs: Path, *overrides: str) -> Plan:
    return compose_plan([*SMALL, f"paths.outputs={outputs}", *overrides])


def run(task: Callable[[Plan, Context], Outcome], plan: Plan) -> Outcome:
    return task(plan, Context(saved(plan), ["intraday-rl"], reload))


def fitted(outputs: Path, until: str, *overrides: str) -> Outcome:
    return run(final_fit.run, planned(outputs, FINAL, f"task.until={until}", *overrides))


def promoted(outputs: Path, model: str, *overrides: str) -> Outcome:
    chosen = ["task=promote", f"task.model='{model}'"]
    return run(promote.run, planned(outputs, *chosen, *overrides))


def model(outputs: Path):
    """The registered model by the file, which says what MLflow says."""
    part = MlflowTracking()
    registry = read_registry(part, outputs)
    assert registry == rebuilt(part, outputs, keep=False)
    return registry.models[NAME]


@pytest.fixture(autouse=True)
def nothing_beside_outputs(tmp_path, monkeypatch):
    """MLflow makes a database in the working folder of whoever asks its global client."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///of_the_shell.db")
    yield
    assert os.environ["MLFLOW_TRACKING_URI"] == "sqlite:///of_the_shell.db"
    assert list((tmp_path / "here").iterdir()) == []


def test_from_walk_forward_to_champion_and_back(tmp_path, capsys):
    outputs = tmp_path / "outputs"
    walked = run(walk_forward.run, planned(outputs, "seeds=[0,1]"))
    tags = [one.tags for one in model(outputs).versions]
    starts = [(one["window"], one["seed"]) for one in tags]
    assert starts == sorted(starts)
    assert len(starts) == 4
    assert {(one["kind"], one["run_key"]) for one in tags} == {("walk_forward", walked.run_key)}
    assert model(outputs).aliases == {}, "a walk-forward makes no champion"
    with pytest.raises(ModelError, match="no champion among the registered models of TQQQ"):
        choose_model(planned(outputs), "champion")

    first = fitted(outputs, "2021-12-31", "seeds=[0,1]")
    five, six = model(outputs).versions[4:]
    best = max(five, six, key=lambda one: float(one.tags["validation_score"]))
    assert {one.tags["kind"] for one in (five, six)} == {"final_fit"}
    assert model(outputs).aliases == {"champion": best.number}
    fitted(outputs, "2022-01-31")
    assert len(model(outputs).versions) == 7
    assert model(outputs).aliases == {"champion": best.number}, "only the first final fit"
    assert choose_model(planned(outputs), "latest").version == 7
    assert choose_model(planned(outputs), str(first.run_key)).version == best.number

    before = registry_file(outputs).read_bytes()
    fitted(outputs, "2022-01-31")
    run(walk_forward.run, planned(outputs, "seeds=[0,1]"))
    assert registry_file(outputs).read_bytes() == before, "typed again nothing is registered twice"

    capsys.readouterr()
    promoted(outputs, "latest", "task.reason=looks better")
    assert choose_model(planned(outputs), "champion").version == 7
    told = capsys.readouterr().out
    assert f"champion of {NAME}: version {best.number} -> 7" in told
    assert f"back with: task=promote task.model={NAME}:{best.number} task.alias=champion" in told
    changed = registry_file(outputs).read_bytes()
    promoted(outputs, "7")
    assert "nothing was changed" in capsys.readouterr().out
    assert registry_file(outputs).read_bytes() == changed
    promoted(outputs, f"{NAME}:{best.number}")
    changes = [(one.before, one.version, one.reason) for one in model(outputs).changes]
    assert changes == [
        (None, best.number, f"first final fit, run {first.run_key}"),
        (best.number, 7, "looks better"),
        (7, best.number, "by hand"),
    ]

    with pytest.raises(ConfigError, match=r"symbol=SPY: .* trades TQQQ"):
        promoted(outputs, f"{NAME}:7", "symbol=SPY")
    damaged = choose_model(planned(outputs), "7").bundle / "actor.npz"
    damaged.write_bytes(b"half")
    with pytest.raises(ModelError, match=r"actor\.npz cannot be read"):
        promoted(outputs, "7")
    assert model(outputs).aliases == {"champion": best.number}


def test_the_version_leads_to_its_run_its_model_and_the_same_actions(tmp_path):
    from mlflow import MlflowClient
    from mlflow.pyfunc import load_model

    outputs = tmp_path / "outputs"
    fitted(outputs, "2021-12-31")
    (version,) = model(outputs).versions
    client = MlflowClient(MlflowTracking().store_uri(outputs))
    found = client.get_model_version(NAME, "1")
    run_of_it = client.get_run(found.run_id)
    assert run_of_it.data.tags["fold_key"] == version.tags["fold_key"]
    assert found.source == version.source
    logged = client.get_logged_model(version.source.removeprefix("models:/"))
    assert f'"name": "{NAME}"' in logged.tags["mlflow.modelVersions"]
    bundle = client.get_model_version_download_uri(NAME, "1")
    assert load_model(bundle).metadata.model_id == logged.model_id
    registry_file(outputs).unlink()
    assert choose_model(planned(outputs), "latest").version == 1
    assert registry_file(outputs).is_file()
    shutil.rmtree(outputs / "runs")
    copy = choose_model(planned(outputs), "latest").bundle
    assert load_bundle(copy).card.facts["fold_key"] == version.tags["fold_key"]


def test_an_agent_that_abstained_is_registered_and_never_champion(tmp_path, caplog):
    outputs = tmp_path / "outputs"
    caplog.set_level("INFO")
    fitted(outputs, "2021-12-31", "selection.abstain=true")
    (version,) = model(outputs).versions
    assert version.tags["abstained"] == "true"
    assert model(outputs).aliases == {}
    assert "every seed abstained" in caplog.text
    with pytest.raises(ModelError, match="abstained"):
        promoted(outputs, "1")
    assert choose_model(planned(outputs), "latest").version == 1
    fitted(outputs, "2022-01-31")
    assert model(outputs).aliases == {"champion": 2}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("tracking=none", "tracking=none"),
        ("registry.register=false", "registry.register=false"),
        ("tracking.log_models=false", "tracking.log_models=false"),
    ],
)
def test_what_registers_nothing_says_so(tmp_path, caplog, override, said):
    outputs = tmp_path / "outputs"
    caplog.set_level("INFO")
    outcome = fitted(outputs, "2021-12-31", override)
    assert f"not registered: {said}" in caplog.text
    assert not registry_file(outputs).exists()
    chosen = choose_model(planned(outputs, override), str(outcome.run_key))
    assert (chosen.name, chosen.version) == (None, None)
    refused = ConfigError if override == "tracking=none" else ModelError
    with pytest.raises(refused, match=r"registers nothing|is not registered"):
        promoted(outputs, str(outcome.run_key), override)


def test_a_baseline_is_no_model(tmp_path):
    outputs = tmp_path / "outputs"
    plan = compose_plan([*SMALL[:7], f"paths.outputs={outputs}", "agent=hold", FINAL,
                         "task.until=2021-12-31"])  # fmt: skip
    run(final_fit.run, plan)
    assert not registry_file(outputs).exists()


def test_a_fit_that_two_runs_share_is_one_version_and_follows_what_is_left(tmp_path):

    outputs = tmp_path / "outputs"
    first = fitted(outputs, "2021-12-31")
    second = fitted(outputs, "2021-12-31", "seeds=[0,1]")
    assert [one.tags["run_key"] for one in model(outputs).versions] == [
        first.run_key, second.run_key
    ]  # fmt: skip
    shutil.rmtree(outputs / "runs" / str(first.run_key))
    fitted(outputs, "2021-12-31", "seeds=[0,1]")
    one = model(outputs).versions[0]
    assert one.tags["bundle"].startswith(f"runs/{second.run_key}/")
    assert choose_model(planned(outputs), "1").bundle == outputs / one.tags["bundle"]


def command(outputs: Path, *overrides: str) -> list[str]:
    return [*SMALL, f"paths.outputs={outputs}", FINAL, "task.until=2021-12-31", *overrides]


def test_a_job_killed_between_any_two_steps_has_each_version_once(tmp_path):
    outputs = tmp_path / "outputs"
    steps = [
        "client.create_registered_model.after", "client.create_model_version.after",
        "registry._add_to_file.before", "client.set_registered_model_tag.after",
        "client.set_registered_model_alias.after", "registry.write_file.before",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for step in steps:
        killed = subprocess.run(
            [sys.executable, "-c", DYING, step, *command(outputs)],
            env=environment, cwd=tmp_path / "here", capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
        assert killed.returncode == 9, (step, killed.stderr)
    fitted(outputs, "2021-12-31")
    found = model(outputs)
    assert [one.number for one in found.versions] == [1]
    assert found.aliases == {"champion": 1}
    assert [(one.before, one.version) for one in found.changes] == [(None, 1)]
    content = read_json(registry_file(outputs))
    assert len(content["models"][NAME]["alias_changes"]) == 1


def test_four_jobs_at_once_have_four_versions_and_one_champion(tmp_path):
    outputs = tmp_path / "outputs"
    jobs = [
        subprocess.Popen(
            [sys.executable, str(ROOT / "experiments/run.py"),
             *command(outputs, f"seeds=[{seed}]")],
            cwd=tmp_path / "here", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for seed in range(4)
    ]  # fmt: skip
    errors = [job.communicate(timeout=500)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0] * 4, errors
    found = model(outputs)
    assert [one.number for one in found.versions] == [1, 2, 3, 4]
    assert sorted(one.tags["seed"] for one in found.versions) == ["0", "1", "2", "3"]
    assert len(found.aliases) == len(found.changes) == 1


def test_a_change_that_was_noted_and_never_made_is_replaced_by_the_next(tmp_path, monkeypatch):
    from mlflow import MlflowClient

    outputs = tmp_path / "outputs"
    fitted(outputs, "2021-12-31", "seeds=[0,1,2]")
    champion = model(outputs).aliases["champion"]
    other, third = (number for number in (1, 2, 3) if number != champion)
    tracker = open_tracker(MlflowTracking(), outputs)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", die)
        with pytest.raises(KeyboardInterrupt):
            tracker.set_alias(NAME, other, "never made")
    assert model(outputs).aliases == {"champion": champion}
    tracker.set_alias(NAME, third, "made")
    assert [(one.before, one.version) for one in model(outputs).changes] == [
        (None, champion), (champion, third)
    ]  # fmt: skip
    with pytest.raises(ModelError, match="has no version 9"):
        tracker.set_alias(NAME, 9, "no such version")
