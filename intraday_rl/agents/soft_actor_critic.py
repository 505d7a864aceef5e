"""What every learner of Soft Actor-Critic is told, whichever library makes its updates."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from intraday_rl.errors import ConfigError, check_range

# More fits into no machine's memory, or into nobody's lifetime: a typing error, refused here and
# not by a machine that stands still.
LARGEST = {
    "buffer_size": 100_000_000,
    "batch_size": 1_000_000,
    "n_envs": 100_000,
    "train_freq": 1_000_000,
    "target_update_interval": 1_000_000_000,
    "total_timesteps": 10_000_000_000,
    "eval_freq": 10_000_000_000,
}
MOST_UPDATES_AT_ONCE = 1_000_000
MOST_UNITS, MOST_LAYERS = 16_384, 16


@dataclass(slots=True, kw_only=True)
class SoftActorCritic:
    """Soft Actor-Critic (Haarnoja et al. 2018) under Stable-Baselines3's own names.

    | field | unit | meaning |
    |---|---|---|
    | learning_rate | per update | Adam step of actor, critics and entropy coefficient |
    | buffer_size | decisions | replay memory over all accounts |
    | batch_size | decisions | drawn with replacement for each update |
    | tau | share per target update | Polyak step of the target critics |
    | gamma | per decision | discount |
    | ent_coef | reward units | `auto` learns it from 1, `auto_0.1` from 0.1, a number fixes it |
    | target_entropy | nats | `auto` is minus the number of actions |
    | train_freq | vector steps | decisions of every account between two trainings |
    | gradient_steps | updates | per training; -1 makes one per decision taken since the last |
    | target_update_interval | updates | between two Polyak steps |
    | learning_starts | decisions | taken at random before the first update |
    | net_arch | units | hidden layers, the same for actor and critics |
    | total_timesteps | decisions | of all accounts together; rounded up to whole vector steps |
    | eval_freq | decisions | between two looks at the validation span, and one at the end |
    | n_envs | accounts | stepped together in training |
    | reward_scale | factor | on the training reward only; null = 1, or 1 / volatility of the hold \
for rewards in return units |

    Updates per decision are gradient_steps / (train_freq * n_envs). Rewards are scaled because the
    entropy bonus is of order one, and a few basis points would drown in it.
    """

    learning_rate: float = 1e-4
    buffer_size: int = 200_000
    batch_size: int = 256
    tau: float = 0.005
    gamma: float = 0.99
    ent_coef: str = "auto"
    target_entropy: str = "auto"
    train_freq: int = 1
    gradient_steps: int = 4
    target_update_interval: int = 1
    learning_starts: int = 2_000
    net_arch: list[int] = field(default_factory=lambda: [256, 256])
    total_timesteps: int = 200_000
    eval_freq: int = 5_000
    n_envs: int = 16
    reward_scale: float | None = None

    def __post_init__(self) -> None:
        self.ent_coef, self.target_entropy = str(self.ent_coef), str(self.target_entropy)
        check_range("learning_rate", self.learning_rate, 0.0, 1.0, low_open=True)
        check_range("tau", self.tau, 0.0, 1.0, low_open=True)
        check_range("gamma", self.gamma, 0.0, 1.0)
        for key, largest in LARGEST.items():
            check_range(key, getattr(self, key), 1, largest)
        check_range("learning_starts", self.learning_starts, 0)
        if self.gradient_steps != -1:
            check_range("gradient_steps", self.gradient_steps, 1, MOST_UPDATES_AT_ONCE)
        sizes = self.net_arch
        if not 1 <= len(sizes) <= MOST_LAYERS or not 1 <= min(sizes) <= max(sizes) <= MOST_UNITS:
            remedy = f"needs 1 to {MOST_LAYERS} layers of 1 to {MOST_UNITS} units"
            raise ConfigError("net_arch", sizes, remedy)
        if self.reward_scale is not None:
            check_range("reward_scale", self.reward_scale, 0.0, low_open=True)
        _check_ent_coef(self.ent_coef)
        if self.target_entropy != "auto" and not math.isfinite(_number(self.target_entropy)):
            raise ConfigError("target_entropy", self.target_entropy, "must be auto or a number")
        self._check_together()

    def _check_together(self) -> None:
        if self.learning_starts >= self.total_timesteps:
            raise ConfigError(
                "learning_starts",
                self.learning_starts,
                f"must be below total_timesteps ({self.total_timesteps}), else nothing is learned",
            )
        smallest = max(self.batch_size, self.n_envs)
        if self.buffer_size < smallest:
            raise ConfigError(
                "buffer_size", self.buffer_size, f"must hold batch_size and n_envs ({smallest})"
            )

    @property
    def updates_per_training(self) -> int:
        """Gradient updates that follow each `train_freq` vector steps."""
        if self.gradient_steps == -1:
            return self.train_freq * self.n_envs
        return self.gradient_steps

    @property
    def updates_per_decision(self) -> float:
        """Gradient updates per decision of one account, once learning has started."""
        return self.updates_per_training / (self.train_freq * self.n_envs)

    @property
    def total_updates(self) -> int:
        """Gradient updates of the whole budget."""
        return round((self.total_timesteps - self.learning_starts) * self.updates_per_decision)


def _check_ent_coef(value: str) -> None:
    start = value.removeprefix("auto_")
    automatic = value == "auto" or (start != value and _number(start) > 0.0)
    fixed = start == value and _number(value) >= 0.0
    if not (automatic or fixed) or math.isinf(_number(start)):
        raise ConfigError(
            "ent_coef", value, "must be auto, auto_<start above 0> or a number of 0 or more"
        )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
