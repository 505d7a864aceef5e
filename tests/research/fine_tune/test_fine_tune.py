"""Whole fine-tunes, small: what is in the replay memory, what goes on, what a kill leaves."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

from intraday_rl.agents.bundle import load_bundle
from intraday_rl.agents.learner import Learner
from intraday_rl.agents.seeded_replay import SeededReplayBuffer
from intraday_rl.events import VARIABLE
from intraday_rl.interruption import Interrupted, listening
from intraday_rl.records import read_json
from intraday_rl.research.checkpoints import Checkpoints
from intraday_rl.research.fine_tune import study, tuning
from intraday_rl.research.fine_tune import task as fine_tune
from intraday_rl.trading.ledger import read_ledger

DOCS = Path(__file__).parents[3] / "docs"
pytestmark = pytest.mark.slow("fine_tune")


def seed_folder(run):
    return next(run.path.glob("folds/*/seed=0"))


def bundle_bytes(run):
    """The agent, byte by byte; a zip carries the time of day."""
    bundle = seed_folder(run) / "bundle"
    return {p.name: p.read_bytes() for p in sorted(bundle.iterdir()) if p.name != "sb3.zip"}


def test_zero_steps_act_as_the_parent_does(model):
    outcome, run = model.tune("task.timesteps=0")
    assert outcome.code == 0
    before, after = load_bundle(model.bundle), load_bundle(seed_folder(run) / "bundle")
    for name, layer in before.policy.as_arrays().items():
        np.testing.assert_array_equal(after.policy.as_arrays()[name], layer)
    returns = read_json(seed_folder(run) / "result.json")["daily_returns"]
    assert returns["parent"] == returns["challenger"]
    challenger, parent = (
        read_ledger(seed_folder(run) / name) for name in ("ledger.parquet", "parent.parquet")
    )
    pd.testing.assert_frame_equal(challenger, parent)
    assert after.scaler == before.scaler
    assert (after.card.a0, after.card.b0) == (before.card.a0, before.card.b0)


def test_the_memory_holds_exactly_the_decisions_of_the_sessions_named(model, monkeypatch):
    filled = []
    prefill = SeededReplayBuffer.prefill

    def note(self, transitions):
        prefill(self, transitions)
        filled.append((self, transitions, self.n_stored))

    monkeypatch.setattr(SeededReplayBuffer, "prefill", note)
    _, run = model.tune("task.days=null", "task.sessions=11")
    ((buffer, transitions, stored),) = filled
    content = read_json(run.fine_tune)
    refill = read_ledger(seed_folder(run) / "refill.parquet")
    decisions = refill[~refill["forced_exit"]]
    days = sorted({str(day.date()) for day in refill["session"]})
    assert len(days) == content["tuning"]["sessions"] == 11
    assert (days[0], days[-1]) == (
        content["tuning"]["first_session"],
        content["tuning"]["last_session"],
    )
    assert stored == len(decisions) == content["training"]["refilled"]
    assert stored == content["tuning"]["decisions"]
    np.testing.assert_array_equal(transitions["actions"], decisions["action"].to_numpy(np.float32))
    # The agent's reward is dimensionless: it is stored as the ledger has it.
    np.testing.assert_allclose(transitions["rewards"], decisions["reward"], rtol=1e-6)
    assert transitions["dones"].sum() == 11
    held_out = {
        str(day.date()) for day in read_ledger(seed_folder(run) / "ledger.parquet")["session"]
    }
    assert not held_out & set(days)
    assert min(held_out) > max(days)
    assert buffer.n_stored == stored + 160


def test_training_sees_the_tuning_sessions_alone(model, monkeypatch):
    problems = []
    vector_env = tuning.TradingVectorEnv

    def note(problem, accounts):
        problems.append(problem)
        return vector_env(problem, accounts)

    monkeypatch.setattr(tuning, "TradingVectorEnv", note)
    _, run = model.tune()
    (problem,) = problems
    played = {str(problem.tape.dates[one]) for one in problem.eligible}
    refill = read_ledger(seed_folder(run) / "refill.parquet")
    assert played == {str(day.date()) for day in refill["session"]}


def test_counters_go_on_and_no_action_is_random_and_no_batch_is_short(model, monkeypatch):
    sizes, random_actions = [], []
    sample = SeededReplayBuffer.sample_many

    def note(self, n_batches, batch_size):
        sizes.append(self.n_stored)
        return sample(self, n_batches, batch_size)

    learn = Learner.learn

    def watched(self, *arguments, **named):
        space = self.model.action_space
        drawn = type(space).sample
        monkeypatch.setattr(
            type(space), "sample", lambda one: random_actions.append(1) or drawn(one)
        )
        return learn(self, *arguments, **named)

    monkeypatch.setattr(SeededReplayBuffer, "sample_many", note)
    monkeypatch.setattr(Learner, "learn", watched)
    _, run = model.tune("task.timesteps=160", "task.learning_rate=0.003")
    training = read_json(run.fine_tune)["training"]
    assert training["decisions_before"] in (160, 320)
    assert training["decisions_after"] == training["decisions_before"] + 160
    # 20 vector steps of 8 accounts with 4 updates each: learning starts with the first.
    assert training["updates_after"] == training["updates_before"] + 80
    assert training["learning_rate"] == 0.003
    assert training["learning_rate_schedule"] == "constant"
    assert min(sizes) >= 32
    assert not random_actions


def test_a_fine_tune_tells_as_many_decisions_as_it_makes_and_that_it_is_over(
    model, monkeypatch, tmp_path
):
    """100 decisions asked of 8 accounts are 104."""
    events = tmp_path / "events.jsonl"
    monkeypatch.setenv(VARIABLE, str(events))
    for _ in range(2):  # trained, and found again
        model.tune("task.timesteps=100")
        told = [json.loads(line) for line in events.read_text().splitlines()]
        events.unlink()
        shares = [(one["done"], one["total"]) for one in told if one["event"] == "progress"]
        assert all(done <= total == 104 for done, total in shares)
        assert not shares or shares[-1] == (104, 104)
        assert [one["status"] for one in told if one["event"] == "fold"] == ["finished"]


def test_resetting_optimiser_or_entropy_changes_what_is_learned(model):
    runs = [model.tune(*words)[1] for words in
            ([], ["task.reset_optimiser=true"], ["task.reset_entropy=true"])]  # fmt: skip
    agents = [bundle_bytes(run)["training_state.pt"] for run in runs]
    assert len(set(agents)) == 3


def test_a_fine_tune_is_the_same_to_the_last_bit_and_done_once(model, monkeypatch):
    _, run = model.tune()
    first = bundle_bytes(run)
    monkeypatch.setattr(fine_tune, "carry_out", lambda *_: pytest.fail("done before"))
    assert bundle_bytes(model.tune()[1]) == first
    monkeypatch.undo()
    assert bundle_bytes(model.tune("force=true")[1]) == first


def test_the_document_follows_its_schema(model):
    _, run = model.tune()
    schema = json.loads((DOCS / "fine_tune.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    content = read_json(run.fine_tune)
    jsonschema.validate(content, schema)
    assert {one["name"] for one in content["drift"]} >= {"symbol_atr", "return_to_next_fill"}
    assert content["outcome"] == "kept"
    assert content["registry"]["not_registered"] == "tracking=none"


def interrupt_after_a_checkpoint(monkeypatch):
    write = Checkpoints.write

    def write_then_interrupt(self, step, files):
        write(self, step, files)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Checkpoints, "write", write_then_interrupt)


def registered(model):
    file = model.outputs / "registry.json"
    return json.loads(file.read_text())["models"] if file.is_file() else {}


def test_one_that_is_killed_leaves_the_aliases_and_goes_on_to_the_same_last_bit(model, monkeypatch):
    always = ["tracking=mlflow", "task.promote=always", "checkpoints.every=40"]
    with monkeypatch.context() as patch:
        interrupt_after_a_checkpoint(patch)
        with listening(), pytest.raises(Interrupted):
            model.tune(*always)
    assert registered(model) == {}
    _, run = model.tune(*always)
    (one,) = registered(model).values()
    assert one["aliases"] == {"champion": 1}
    content = read_json(run.fine_tune)
    assert (content["outcome"], content["registry"]["version"]) == ("promoted", 1)
    resumed = bundle_bytes(run)
    assert resumed == bundle_bytes(model.tune("force=true", *always)[1])


def test_a_kill_between_version_and_alias_leaves_the_alias_and_is_made_up_for(model, monkeypatch):
    always = ["tracking=mlflow", "task.promote=always"]
    with monkeypatch.context() as patch:
        patch.setattr(
            fine_tune.Recorded, "promote", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            model.tune(*always)
    (one,) = registered(model).values()
    assert one["aliases"] == {}
    assert one["versions"][0]["tags"]["outcome"] == "pending"
    model.tune(*always)
    (one,) = registered(model).values()
    assert one["aliases"] == {"champion": 1}
    assert one["versions"][0]["tags"]["outcome"] == "promoted"
    assert len(one["versions"]) == 1


STUDY = ["task=fine_tune_study", "task.start=2021-11-15", "task.end=2021-12-10",
         "task.days=null", "task.sessions=5", "task.margin_bps_per_day=500"]  # fmt: skip


def studied(model, *overrides):
    plan, context = model.composed("data.end=2021-12-31", *STUDY, *overrides)
    outcome = study.run(plan, context)
    return Path(plan.paths.outputs) / "runs" / str(outcome.run_key)


def test_a_study_tunes_every_week_and_compares_two_whole_accounts(model):
    folder = studied(model)
    content = read_json(folder / "fine_tune_study.json")
    jsonschema.validate(content, json.loads((DOCS / "fine_tune_study.schema.json").read_text()))
    assert (folder / "fine_tune_study.png").stat().st_size > 10_000
    assert [one["first_session"] for one in content["rounds"]] == [
        "2021-11-15", "2021-11-22", "2021-11-29", "2021-12-06",
    ]  # fmt: skip
    assert content["finding"] in ("helped", "hurt", "not_proven", "never_adapted")
    frozen, adapted = (read_ledger(folder / f"{name}.parquet") for name in ("frozen", "adapted"))
    assert list(frozen["session"].unique()) == list(adapted["session"].unique())
    assert len(content["dates"]) == content["test"]["sessions"]
    assert any(one["adapted"] for one in content["rounds"])
    for one in content["rounds"]:
        refill = read_ledger(folder / "folds" / one["place"] / "refill.parquet")
        held_out = read_ledger(folder / "folds" / one["place"] / "ledger.parquet")
        first = pd.Timestamp(one["first_session"])
        assert refill["session"].max() < held_out["session"].min()
        assert held_out["session"].max() < first


def test_no_later_bar_reaches_a_round_of_a_study(model, monkeypatch):
    from intraday_rl.research.audit.knowledge import at_close
    from intraday_rl.research.audit.perturb import scrambled_market
    from intraday_rl.research.fine_tune import checks

    before = studied(model)
    rounds = read_json(before / "fine_tune_study.json")["rounds"]
    third = rounds[2]["first_session"]
    load = checks.load_market

    def scrambled(plan):
        market = load(plan)
        frame = market.symbol.frame
        earlier = frame[frame["session"] < third]["bar_end"]
        instant = int(at_close(earlier.astype("int64").to_numpy()[-1:])[0])
        return scrambled_market(market, instant, seed=1)

    monkeypatch.setattr(checks, "load_market", scrambled)
    after = studied(model, f"paths.outputs={model.outputs}_scrambled")
    assert after.name != before.name
    for one in rounds[:3]:
        for name in ("refill.parquet", "ledger.parquet", "parent.parquet", "bundle/actor.npz",
                     "bundle/training_state.pt"):  # fmt: skip
            path = Path("folds") / one["place"] / name
            assert (before / path).read_bytes() == (after / path).read_bytes(), path
    last = read_json(after / "fine_tune_study.json")["rounds"][3]["place"]
    judged = [folder / "folds" / last / "ledger.parquet" for folder in (before, after)]
    assert judged[0].read_bytes() != judged[1].read_bytes()  # its held-out days were scrambled
    early = [day for day in read_json(before / "fine_tune_study.json")["dates"] if day < third]
    for name in ("frozen", "adapted"):
        ours, theirs = (read_ledger(folder / f"{name}.parquet") for folder in (before, after))
        known = [frame[frame["session"] <= early[-1]] for frame in (ours, theirs)]
        pd.testing.assert_frame_equal(*known)
        assert len(ours) > len(known[0])


@pytest.mark.slow("fine_tune")
def test_another_seed_explores_and_learns_otherwise(model):
    (_, one), (_, other) = (model.tune(f"task.seed={seed}") for seed in (0, 1))
    actors = [next(run.path.glob("folds/*/seed=*/bundle/actor.npz")) for run in (one, other)]
    assert one.key != other.key
    assert actors[0].read_bytes() != actors[1].read_bytes()
