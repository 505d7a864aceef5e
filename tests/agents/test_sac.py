"""The part `sac` refuses what cannot work, by name."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import OmegaConf

from intraday_rl.agents.sac import Sac
from intraday_rl.errors import ConfigError


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("tau", 1.5),
        ("gamma", -0.1),
        ("batch_size", 0),
        ("buffer_size", 100),
        ("train_freq", 0),
        ("gradient_steps", 0),
        ("gradient_steps", -2),
        ("learning_starts", 200_000),
        ("net_arch", []),
        ("net_arch", [64, 0]),
        ("ent_coef", "automatic"),
        ("ent_coef", "auto_0"),
        ("ent_coef", "auto_inf"),
        ("ent_coef", "-1"),
        ("ent_coef", "nan"),
        ("ent_coef", "inf"),
        ("target_entropy", "low"),
        ("reward_scale", 0.0),
        ("n_envs", 0),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_its_key(key: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Sac(**{key: value})
    assert caught.value.key == key


@pytest.mark.parametrize("value", ["auto", "auto_0.1", "0", "0.02", "1e-3"])
def test_entropy_coefficients_stable_baselines_takes_are_taken(value: str) -> None:
    assert Sac(ent_coef=value).ent_coef == value


def test_a_number_and_its_text_are_the_same_setting() -> None:
    schema = OmegaConf.structured(Sac)
    number = OmegaConf.to_object(OmegaConf.merge(schema, {"ent_coef": 0.02, "target_entropy": -2}))
    text = OmegaConf.to_object(
        OmegaConf.merge(schema, {"ent_coef": "0.02", "target_entropy": "-2"})
    )
    assert number == text == Sac(ent_coef="0.02", target_entropy="-2")


def test_updates_per_decision_count_vector_steps() -> None:
    assert Sac(n_envs=16, train_freq=2, gradient_steps=8).updates_per_decision == 0.25
    assert Sac(n_envs=16, train_freq=2, gradient_steps=-1).updates_per_training == 32
