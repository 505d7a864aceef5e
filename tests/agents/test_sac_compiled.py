"""Compiled updates are stock SAC's updates, in weights, optimisers, zip and determinism."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import SAC
from stable_baselines3.sac.policies import SACPolicy

from intraday_rl.agents import graph_cache, sac_compiled, sac_torch
from intraday_rl.agents.sac import UPDATES_WORTH_COMPILING, Compile, Sac
from intraday_rl.agents.sac_compiled import CompiledSac
from intraday_rl.errors import ConfigError, ModelError, TrainingDiverged

MakeLearner = Callable[..., Any]

needs_compiler = pytest.mark.skipif(
    not graph_cache.has_compiler(), reason="no C++ compiler: nothing can be compiled"
)
LEARNING_RATE = 3e-4
# Float32 after one, ten and a hundred updates of this small network: of one Adam step, of the
# largest moment in a tensor, and of a logged value. (In large networks slopes near zero, which Adam
# divides by their own size, turn rounding into whole steps after a hundred updates.)
WEIGHTS_WITHIN, MOMENTS_WITHIN, LOSSES_WITHIN = 0.01 * LEARNING_RATE, 1e-4, 1e-5


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the update as torch finds it: its formulas need no compiler."""
    monkeypatch.setattr(
        sac_compiled, "compiled", lambda function, _: lambda lists: function(*lists)
    )


@pytest.fixture
def make_twins(make_learner: MakeLearner) -> Callable[..., tuple[Any, Any]]:
    """A stock and a compiled learner alike in weights, memory and random numbers to come."""

    def make(**changes: Any) -> tuple[Any, Any]:
        pair = []
        for algorithm in (SAC, CompiledSac):
            learner = make_learner(algorithm=algorithm, learning_rate=LEARNING_RATE, **changes)
            fill(learner)
            pair.append(learner)
        return pair[0], pair[1]

    return make


def fill(learner: Any) -> None:
    memory, draws = learner.model.replay_buffer, np.random.default_rng(1)
    memory.observations[:] = draws.normal(size=memory.observations.shape)
    memory.next_observations[:] = draws.normal(size=memory.observations.shape)
    memory.actions[:] = draws.uniform(-1, 1, memory.actions.shape)
    memory.rewards[:] = draws.normal(size=memory.rewards.shape)
    memory.dones[:] = draws.random(memory.dones.shape) < 0.2
    memory.full = True


def train(learner: Any, n_updates: int) -> None:
    """In trainings of several lengths, from torch's own generator in a known state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(learner.n_updates)
        while n_updates:
            now = min(n_updates, 4)
            learner.model.train(now, batch_size=64)
            n_updates -= now


def optimizers(learner: Any) -> dict[str, Any]:
    found = {"actor": learner.model.actor.optimizer, "critic": learner.model.critic.optimizer}
    if learner.model.ent_coef_optimizer is not None:
        found["entropy"] = learner.model.ent_coef_optimizer
    return found


def check_equal(stock: Any, other: Any, n_updates: int) -> None:
    assert stock.n_updates == other.n_updates == n_updates
    weights = stock.model.policy.state_dict()
    for name, value in other.model.policy.state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=0.0, atol=WEIGHTS_WITHIN, msg=name)
    if stock.model.log_ent_coef is not None:
        assert other.model.log_ent_coef.item() == pytest.approx(
            stock.model.log_ent_coef.item(), rel=0.0, abs=WEIGHTS_WITHIN
        )
    for name, optimizer in optimizers(other).items():
        expected = optimizers(stock)[name].state_dict()["state"]
        states = optimizer.state_dict()["state"]
        assert states.keys() == expected.keys()
        for index, state in states.items():
            assert state["step"] == expected[index]["step"] == n_updates
            for moment in ("exp_avg", "exp_avg_sq"):
                scale = float(expected[index][moment].abs().max())
                torch.testing.assert_close(
                    state[moment],
                    expected[index][moment],
                    rtol=0.0,
                    atol=MOMENTS_WITHIN * scale,
                    msg=f"{name} {index} {moment}",
                )
    logged = stock.model.logger.name_to_value
    for name, value in logged.items():
        assert other.model.logger.name_to_value[name] == pytest.approx(
            value, rel=LOSSES_WITHIN, abs=LOSSES_WITHIN
        )


@pytest.mark.slow("agents")
@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"net_arch": [24]},
        {"net_arch": [24, 16, 8]},
        {"ent_coef": "auto_0.1", "target_entropy": "-0.3"},
        {"ent_coef": "0.02"},
        {"ent_coef": "0"},
        {"tau": 0.5, "gamma": 1.0, "target_update_interval": 3},
    ],
)
def test_the_update_is_the_one_of_stable_baselines(
    make_twins: Callable[..., tuple[Any, Any]], changes: dict[str, Any]
) -> None:
    stock, compiled = make_twins(**changes)
    done = 0
    for n_updates in (1, 10, 100):
        for learner in (stock, compiled):
            train(learner, n_updates - done)
        done = n_updates
        check_equal(stock, compiled, n_updates)


@pytest.mark.slow("agents")
@needs_compiler
def test_compiled_it_still_is(make_twins: Callable[..., tuple[Any, Any]]) -> None:
    stock, compiled = make_twins()
    done = 0
    for n_updates in (1, 10, 100):
        for learner in (stock, compiled):
            train(learner, n_updates - done)
        done = n_updates
        check_equal(stock, compiled, n_updates)


@pytest.mark.usefixtures("uncompiled")
def test_stock_and_compiled_updates_take_turns(
    make_twins: Callable[..., tuple[Any, Any]],
) -> None:
    stock, compiled = make_twins()
    train(stock, 10)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for _ in range(2):
            SAC.train(compiled.model, 2, batch_size=64)
            compiled.model.train(2, batch_size=64)
        SAC.train(compiled.model, 2, batch_size=64)
    check_equal(stock, compiled, 10)


@pytest.mark.usefixtures("uncompiled")
def test_a_loaded_training_state_is_continued(
    make_twins: Callable[..., tuple[Any, Any]], make_learner: MakeLearner, tmp_path: Path
) -> None:
    stock, compiled = make_twins()
    saved = tmp_path / "training_state.pt"
    train(compiled, 5)
    saved.write_bytes(compiled.state().training_state)
    train(compiled, 3)  # its tensors must not be used any more
    compiled.model.replay_buffer.random = np.random.default_rng(4)
    fresh = make_learner(algorithm=CompiledSac, seed=9, learning_rate=LEARNING_RATE)
    fill(fresh)
    train(fresh, 1)
    for learner in (stock, compiled, fresh):
        learner.load_training_state(saved)
        learner.model.replay_buffer.random = np.random.default_rng(4)
        train(learner, 5)
    check_equal(stock, compiled, 10)
    check_equal(stock, fresh, 10)


@pytest.mark.usefixtures("uncompiled")
def test_the_zip_is_a_stock_one_with_its_optimisers(
    make_twins: Callable[..., tuple[Any, Any]],
) -> None:
    _, compiled = make_twins()
    train(compiled, 10)
    content = compiled.state().sb3_zip
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        data = json.loads(archive.read("data"))
    assert "intraday_rl" not in json.dumps({**data, "env": None})
    assert not {"_bound", "train"} & data.keys()
    loaded = SAC.load(io.BytesIO(content), device="cpu")
    assert type(loaded) is SAC
    for name, value in loaded.policy.state_dict().items():
        assert torch.equal(value, compiled.model.policy.state_dict()[name])
    for left, right in (
        (loaded.actor.optimizer, compiled.model.actor.optimizer),
        (loaded.critic.optimizer, compiled.model.critic.optimizer),
        (loaded.ent_coef_optimizer, compiled.model.ent_coef_optimizer),
    ):
        expected = right.state_dict()["state"]
        for index, state in left.state_dict()["state"].items():
            for name in ("step", "exp_avg", "exp_avg_sq"):
                assert torch.equal(state[name], expected[index][name])


@pytest.mark.slow("agents")  # it compiles, half a minute on a machine that never did
@needs_compiler
def test_it_learns_twice_the_same_and_moves_no_global_state(make_learner: MakeLearner) -> None:
    before = torch.get_rng_state(), torch.backends.mkldnn.matmul.fp32_precision
    first, second = (make_learner(seed=3, compile=Compile.always) for _ in range(2))
    assert type(first.model) is CompiledSac
    assert first.learn() == second.learn()
    assert weights_hash(first) == weights_hash(second)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.backends.mkldnn.matmul.fp32_precision == before[1]


def weights_hash(learner: Any) -> str:
    arrays = [value.numpy().tobytes() for value in learner.model.policy.state_dict().values()]
    return hashlib.sha256(b"".join(arrays)).hexdigest()


IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, {tests!r})
from conftest import SignEnvironment
from test_sac_compiled import weights_hash
from intraday_rl.agents.sac import Compile, Sac
from intraday_rl.agents.sac_torch import SacLearner
sac = Sac(learning_rate=3e-3, buffer_size=4_000, batch_size=64, gamma=0.5, learning_starts=160,
          net_arch=[32, 32], total_timesteps=400, eval_freq=200, n_envs=8, compile=Compile.always)
learner = SacLearner(sac, SignEnvironment(8), np.random.default_rng(3),
                     failure_folder=Path("failure"), reward_scale=1.0)
learner.learn()
print(weights_hash(learner))
"""


@pytest.mark.slow("agents")
@needs_compiler
def test_processes_side_by_side_get_the_same_weights(make_learner: MakeLearner) -> None:
    here = make_learner(seed=3, compile=Compile.always)
    here.learn()
    script = IN_ANOTHER_PROCESS.format(tests=str(Path(__file__).parent))
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    hashes = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert hashes == [weights_hash(here)] * 2


@pytest.mark.slow("agents")
@needs_compiler
def test_code_made_here_and_code_found_here_learn_the_same(
    make_learner: MakeLearner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = make_learner(seed=3, compile=Compile.always)
    found.learn()
    monkeypatch.setenv("INTRADAY_RL_CACHE", str(tmp_path))
    made = make_learner(seed=3, compile=Compile.always)
    made.learn()
    assert weights_hash(made) == weights_hash(found)
    kept = sorted(path.suffix for path in (tmp_path / "graphs").iterdir())
    assert set(kept) <= {".lock", ".pt2"}
    assert kept.count(".pt2") == 1


@needs_compiler
def test_a_loss_that_is_no_number_stops_compiled_training_too(make_learner: MakeLearner) -> None:
    learner = make_learner(compile=Compile.always)
    learner.learn(total_timesteps=240)
    learner.model.replay_buffer.rewards[:] = np.nan
    with pytest.raises(
        TrainingDiverged,
        match=r"^actor_loss, critic_loss, .*weights, batch rewards: .* at step 248; ",
    ):
        learner.learn(reset_num_timesteps=False)


def test_auto_looks_at_the_budget_alone() -> None:
    def sac(updates: int, **changes: Any) -> Sac:
        budget = {"learning_starts": 100, "total_timesteps": 100 + updates * 16}
        return Sac(**(budget | {"n_envs": 16, "gradient_steps": 1} | changes))

    assert sac(UPDATES_WORTH_COMPILING).total_updates == UPDATES_WORTH_COMPILING
    assert sac(UPDATES_WORTH_COMPILING).compiles
    assert not sac(UPDATES_WORTH_COMPILING - 1).compiles
    assert sac(UPDATES_WORTH_COMPILING // 4 + 1, gradient_steps=4).compiles
    assert sac(10, compile=Compile.always).compiles
    assert not sac(UPDATES_WORTH_COMPILING, compile=Compile.never).compiles


def test_without_a_compiler_auto_says_so_once_and_always_is_refused(
    make_sac: Callable[..., Sac],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("CXX", "a-compiler-nobody-has")
    earning = {"learning_starts": 160, "total_timesteps": 10_000_000}
    with caplog.at_level(logging.INFO, logger="intraday_rl"):
        assert sac_torch.algorithm_of(make_sac(**earning)) is SAC
    assert [record.getMessage() for record in caplog.records] == [
        "no C++ compiler (g++, or CXX): updates are not compiled and take longer"
    ]
    with pytest.raises(ConfigError, match=r"compile=always: .*install g\+\+") as caught:
        sac_torch.algorithm_of(make_sac(compile=Compile.always))
    assert caught.value.key == "compile"


@pytest.mark.slow("agents")
def test_a_compiler_that_fails_is_named_and_leaves_nothing(
    make_learner: MakeLearner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise torch._inductor.exc.InductorError(RuntimeError("C++ compile error"), None)

    monkeypatch.setattr(torch._inductor, "aoti_compile_and_package", fail)
    monkeypatch.setenv("CXX", sys.executable)
    monkeypatch.setenv("INTRADAY_RL_CACHE", str(tmp_path))
    learner = make_learner(compile=Compile.always)
    with pytest.raises(
        ConfigError, match=rf"CXX={sys.executable}: .*C\+\+ compile error.*compile=never"
    ):
        learner.learn()
    assert not [kept for kept in (tmp_path / "graphs").iterdir() if kept.suffix != ".lock"]


@pytest.mark.usefixtures("uncompiled")
def test_products_that_would_be_rounded_are_left_to_the_exact_library(
    make_twins: Callable[..., tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, learner = make_twins()
    seen = []
    monkeypatch.setattr(
        sac_compiled,
        "compiled",
        lambda function, _: (
            lambda lists: (
                seen.append(torch.backends.mkldnn.matmul.fp32_precision),
                function(*lists),
            )[1]
        ),
    )
    before = torch.backends.mkldnn.matmul.fp32_precision
    monkeypatch.setattr(sac_compiled, "_onednn_is_exact", lambda: False)
    train(learner, 1)
    monkeypatch.setattr(sac_compiled, "_onednn_is_exact", lambda: True)
    train(learner, 1)
    assert seen == [before, "bf16"]
    assert torch.backends.mkldnn.matmul.fp32_precision == before


def test_a_policy_it_was_not_written_for_is_refused(
    make_twins: Callable[..., tuple[Any, Any]],
) -> None:
    _, learner = make_twins()
    learner.model.critic.qf1[1] = torch.nn.ELU()
    with pytest.raises(ModelError, match=r"MlpPolicy with ReLU.*agent\.compile=never"):
        learner.model.train(1, batch_size=64)


def test_batches_drawn_together_are_those_drawn_one_by_one(make_learner: MakeLearner) -> None:
    together, alone = make_learner(), make_learner()
    for learner in (together, alone):
        fill(learner)
    many = together.model.replay_buffer.sample_many(5, 32)
    for number in range(5):
        one = alone.model.replay_buffer.sample(32)
        for part in ("observations", "actions", "next_observations", "dones", "rewards"):
            assert torch.equal(getattr(many, part)[number], getattr(one, part))
    last = [learner.model.replay_buffer.last_batches() for learner in (together, alone)]
    for part, kept in last[0].items():
        assert kept.shape[0] == 4  # the updates of one training
        np.testing.assert_array_equal(kept, last[1][part])


@pytest.mark.parametrize("n_envs", [1, 3, 16, 33])
def test_exploring_draws_and_acts_as_stable_baselines_does(
    make_learner: MakeLearner, n_envs: int
) -> None:
    policy = make_learner().model.policy
    observations = np.random.default_rng(0).normal(size=(n_envs, 4)).astype(np.float32)
    actions, next_draws = [], []
    for predict in (policy.predict, lambda seen: SACPolicy.predict(policy, seen)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            actions.append(predict(observations)[0])
            next_draws.append(torch.rand(1))
    assert next_draws[0] == next_draws[1]
    assert actions[0].dtype == actions[1].dtype == np.float32
    np.testing.assert_array_equal(actions[0], actions[1])
