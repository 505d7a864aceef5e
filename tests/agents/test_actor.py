"""The numpy actor: exact, finite, one observation at a time."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.errors import ModelError


def _actor(seed: int = 0, widths: tuple[int, ...] = (6, 16, 16, 1)) -> ActorPolicy:
    draws = np.random.default_rng(seed)
    pairs = list(itertools.pairwise(widths))
    return ActorPolicy(
        [(draws.normal(size=(to, at)) / math.sqrt(at)).astype(np.float32) for at, to in pairs],
        [draws.normal(size=to).astype(np.float32) for _, to in pairs],
    )


@given(st.lists(st.floats(-10, 10, width=32), min_size=6, max_size=6))
def test_an_action_is_the_network_s_mean_squashed(values: list[float]) -> None:
    actor = _actor()
    arrays = actor.as_arrays()
    hidden = np.array(values, dtype=np.float64)
    for layer in range(3):
        hidden = arrays[f"weight_{layer}"].astype(np.float64) @ hidden + arrays[f"bias_{layer}"]
        hidden = np.maximum(hidden, 0.0) if layer < 2 else hidden
    action = actor.predict(np.array(values, dtype=np.float32))
    assert -1.0 <= action <= 1.0
    assert action == pytest.approx(math.tanh(hidden[0]), abs=1e-4)


def test_the_arrays_rebuild_the_same_actor() -> None:
    actor = _actor()
    observation = np.linspace(-1, 1, 6, dtype=np.float32)
    again = ActorPolicy.from_arrays(actor.as_arrays())
    assert again.predict(observation) == actor.predict(observation)


def test_a_strided_view_gives_the_bits_of_its_copy() -> None:
    table = np.random.default_rng(0).normal(size=(6, 50)).astype(np.float32)
    actor = _actor()
    for column in range(50):
        view = table[:, column]
        assert actor.predict(view) == actor.predict(np.ascontiguousarray(view))


def test_actions_do_not_depend_on_the_number_of_threads() -> None:
    program = (
        "import numpy as np; from intraday_rl.agents.actor import ActorPolicy as A\n"
        "r = np.random.default_rng(0); w = [(24, 256), (256, 256), (256, 1)]\n"
        "a = A([r.normal(size=(o, i)).astype('f4') / 16 for i, o in w],"
        " [np.zeros(o, 'f4') for _, o in w])\n"
        "print([a.predict(r.normal(size=24).astype('f4')).hex() for _ in range(200)])"
    )
    printed = []
    for threads in ("1", "2"):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        printed.append(
            subprocess.run(
                [sys.executable, "-c", program],
                env=environment,
                capture_output=True,
                check=True,
                text=True,
            ).stdout
        )
    assert printed[0] == printed[1]
    assert printed[0].count("0x") == 200


@pytest.mark.parametrize(
    ("observation", "words"),
    [
        (np.zeros(5, dtype=np.float32), "6 values"),
        (np.zeros((1, 6), dtype=np.float32), "one float32 observation"),
        (np.zeros(6), "float64"),
        (np.array([0, 0, np.nan, 0, 0, 0], dtype=np.float32), r"observation\[2\]"),
        (np.array([0, 0, 0, 0, 0, np.inf], dtype=np.float32), r"observation\[5\]"),
    ],
)
def test_an_observation_that_does_not_fit_is_refused(observation: NDArray[Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        _actor().predict(observation)


def _broken(**changes: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    arrays: dict[str, Any] = _actor().as_arrays() | changes
    return {name: value for name, value in arrays.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bias_1": None}, "named"),
        ({"weight_9": np.zeros((1, 1), dtype=np.float32)}, "named"),
        ({"weight_1": np.zeros((16, 15), dtype=np.float32)}, "layer 1"),
        ({"weight_1": np.zeros((16, 16))}, "float32"),
        ({"bias_0": np.full(16, np.nan, dtype=np.float32)}, "finite"),
        (
            {
                "weight_2": np.zeros((2, 16), dtype=np.float32),
                "bias_2": np.zeros(2, dtype=np.float32),
            },
            "2 actions",
        ),
    ],
)
def test_layers_that_do_not_fit_are_refused(
    changes: dict[str, NDArray[Any] | None], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        ActorPolicy.from_arrays(_broken(**changes))


def test_no_layers_at_all_are_refused() -> None:
    with pytest.raises(ModelError):
        ActorPolicy.from_arrays({})
