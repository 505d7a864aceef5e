"""Stable-Baselines3's SAC with its updates compiled; everything else, and the zip, is stock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import SAC
from torch import Tensor, nn
from torch.optim import Optimizer

from intraday_rl.agents.graph_cache import TensorLists, compiled
from intraday_rl.agents.sac_update import BETA_1, BETA_2, sac_update
from intraday_rl.agents.seeded_replay import PARTS, SeededReplayBuffer
from intraday_rl.errors import ModelError

# Well above the rounding of float32 in a product, well below that of bfloat16.
EXACT_WITHIN = 1e-5
# How oneDNN multiplies float32 matrices.
_ONEDNN = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # made at run time


class CompiledSac(SAC):
    """SAC whose `train()` runs `sac_update` as machine code: the same updates in the same order.

    policy          MlpPolicy with ReLU, two critics and one action; Adam as torch makes it
    replay buffer   a `SeededReplayBuffer`: the batches of one `train()` are drawn at once
    noise           torch's global generator; the very numbers that stock SAC draws, if the batch
                    size is a multiple of 16 (torch fills in blocks)

    Weights and Adam's moments stay where SB3 keeps them. Those of the two critics are views into
    common tensors, so that one product serves both; stock code may read, save, load and even
    train them in between. Results differ from stock SAC's by the rounding of float32 alone.
    """

    _bound: _Bound | None = None

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Make `gradient_steps` updates, a fresh batch each; log the means that SB3 logs.

        Beside them `train/squared_weights`, which is finite only if all weights are.
        """
        optimizers = [self.actor.optimizer, self.critic.optimizer]
        if self.ent_coef_optimizer is not None:
            optimizers.append(self.ent_coef_optimizer)
        self._update_learning_rate(optimizers)
        bound = self._bound
        if bound is None or bound.is_stale(optimizers, batch_size):
            self._bound = bound = _bind(self, optimizers, batch_size)

        buffer = self.replay_buffer
        if not isinstance(buffer, SeededReplayBuffer):
            raise ModelError(f"replay buffer {type(buffer).__name__}: need a SeededReplayBuffer")
        drawn = buffer.sample_many(gradient_steps, batch_size)
        noise = torch.randn(gradient_steps, 2, batch_size, 1)
        settings = self._settings(optimizers, bound.steps, gradient_steps)
        parts = [*(getattr(drawn, part) for part in PARTS), noise, settings]
        with _fastest_exact_products():
            losses = [bound.update((*bound.state, batch)) for batch in zip(*parts, strict=True)]

        for steps in bound.steps:
            steps += gradient_steps
        self._n_updates += gradient_steps
        self._log(torch.stack(losses).numpy().mean(axis=0, dtype=np.float64))

    def _settings(
        self, optimizers: Sequence[Optimizer], steps: Sequence[Tensor], n_updates: int
    ) -> Tensor:
        """One row an update, as `sac_update` wants it; rounded to float32 last, as torch does."""
        rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
        done = [float(counts[0]) for counts in steps]
        rows = []
        for number in range(n_updates):
            row = [0.0] * 6
            for column, (rate, before) in enumerate(zip(rates, done, strict=True)):
                t = before + number + 1.0
                row[2 * column] = rate / (1.0 - BETA_1**t)
                row[2 * column + 1] = math.sqrt(1.0 - BETA_2**t)
            tau = self.tau if number % self.target_update_interval == 0 else 0.0
            rows.append([*row, self.gamma, tau, self.target_entropy])
        return torch.tensor(rows)

    def _log(self, means: NDArray[np.float64]) -> None:
        names = ("actor_loss", "critic_loss", "ent_coef", "ent_coef_loss", "squared_weights")
        for name, mean in zip(names, means.tolist(), strict=True):
            if name != "ent_coef_loss" or self.ent_coef_optimizer is not None:
                self.logger.record(f"train/{name}", mean)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def _excluded_save_params(self) -> list[str]:
        """Without what only this class knows, the zip is a stock SAC's."""
        return [*super()._excluded_save_params(), "_bound"]


@dataclass(frozen=True, slots=True)
class _Bound:
    """A learner's tensors in the order of `sac_update`, for as long as they stay in their place.

    steps       per optimiser Adam's counts, one a parameter; the optimiser has views of them
    addresses   of all parameters and optimiser states when they were bound
    """

    state: TensorLists
    steps: list[Tensor]
    addresses: list[int]
    batch_size: int
    update: Callable[[TensorLists], Tensor]

    def is_stale(self, optimizers: Sequence[Optimizer], batch_size: int) -> bool:
        """True if a saved state has been loaded, which gives the optimisers other tensors."""
        return batch_size != self.batch_size or _addresses(optimizers) != self.addresses


@dataclass(frozen=True, slots=True)
class _Adopted:
    """What one optimiser looks after; `lists` are its parameters and their two moments."""

    steps: Tensor
    lists: list[list[Tensor]]


def _bind(model: SAC, optimizers: Sequence[Optimizer], batch_size: int) -> _Bound:
    _check_policy(model)
    actor = _adopt(optimizers[0], [[parameter] for parameter in model.actor.parameters()])
    critic = _adopt(optimizers[1], _pairs(model.critic.q_networks))
    target = [_join_weights(pair) for pair in _pairs(model.critic_target.q_networks)]
    steps = [actor.steps, critic.steps]
    if model.log_ent_coef is None:
        entropy = [model.ent_coef_tensor.reshape(1)]
    else:
        learned = _adopt(optimizers[2], [[model.log_ent_coef]])
        entropy = [tensor for (tensor,) in learned.lists]
        steps.append(learned.steps)
    state = (*actor.lists, *critic.lists, target, entropy)
    n_obs, n = actor.lists[0][0].shape[1], batch_size
    shapes = [(n, n_obs), (n, 1), (n, n_obs), (n, 1), (n, 1), (2, n, 1), (9,)]
    update = compiled(sac_update, (*state, [torch.zeros(shape) for shape in shapes]))
    return _Bound(state, steps, _addresses(optimizers), batch_size, update)


def _check_policy(model: SAC) -> None:
    networks = [model.actor.latent_pi, *model.critic.q_networks]
    layers = {type(layer) for network in networks for layer in network.children()}
    if (
        len(model.critic.q_networks) != 2
        or model.actor.use_sde
        or model.actor.mu.out_features != 1
        or layers != {nn.Linear, nn.ReLU}
    ):
        raise ModelError(
            "the compiled update needs an MlpPolicy with ReLU, two critics, one action and no "
            "state-dependent exploration: use agent.compile=never"
        )


def _adopt(optimizer: Optimizer, groups: Sequence[Sequence[Tensor]]) -> _Adopted:
    """Join the tensors of each group; the optimiser's state becomes views of them."""
    states = [optimizer.state[parameter] for group in groups for parameter in group]
    steps = torch.tensor([float(state.get("step", 0.0)) for state in states])
    for state, step in zip(states, steps.unbind(), strict=True):
        state["step"] = step
    moments: list[list[Tensor]] = []
    for name in ("exp_avg", "exp_avg_sq"):
        moments.append([])
        for group in groups:
            held = [optimizer.state[p].get(name, torch.zeros_like(p)) for p in group]
            joined, parts = _join(held)
            moments[-1].append(joined)
            for parameter, part in zip(group, parts, strict=True):
                optimizer.state[parameter][name] = part
    return _Adopted(steps, [[_join_weights(group) for group in groups], *moments])


def _join_weights(group: Sequence[Tensor]) -> Tensor:
    joined, parts = _join([parameter.detach() for parameter in group])
    for parameter, part in zip(group, parts, strict=True):
        parameter.data = part
    return joined


def _join(tensors: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor]]:
    """All of them in one tensor, and its parts; a single one stays what it is."""
    if len(tensors) == 1:
        return tensors[0], tensors
    joined = torch.stack(list(tensors))
    return joined, joined.unbind()


def _pairs(networks: Sequence[nn.Module]) -> list[Sequence[nn.Parameter]]:
    """The weights of the two critics, layer by layer."""
    return list(zip(*(network.parameters() for network in networks), strict=True))


def _addresses(optimizers: Sequence[Optimizer]) -> list[int]:
    return [
        tensor.data_ptr()
        for optimizer in optimizers
        for parameter in optimizer.param_groups[0]["params"]
        for tensor in (parameter, *optimizer.state[parameter].values())
    ]


@contextmanager
def _fastest_exact_products() -> Iterator[None]:
    """Let oneDNN multiply float32 matrices where it is as exact as MKL.

    MKL is slow on processors of other makers than its own. torch takes oneDNN in its place only
    if it may round to bfloat16, which oneDNN does where the processor has matrix units for that
    (AMX), and nowhere else. No other code sees the setting.
    """
    before = _ONEDNN.fp32_precision
    if _onednn_is_exact():
        _ONEDNN.fp32_precision = "bf16"
    try:
        yield
    finally:
        _ONEDNN.fp32_precision = before


@cache
def _onednn_is_exact() -> bool:
    """Ask the machine: one product of numbers that bfloat16 cannot hold."""
    factor = torch.linspace(1.0, 2.0, 256 * 256).reshape(256, 256)
    exact = factor.double() @ factor.double()
    before = _ONEDNN.fp32_precision
    _ONEDNN.fp32_precision = "bf16"
    try:
        product = factor @ factor
    finally:
        _ONEDNN.fp32_precision = before
    return bool((product / exact - 1.0).abs().max() < EXACT_WITHIN)
