"""One update of Soft Actor-Critic as a function of tensors alone, so that it compiles whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import vjp
from torch.nn import functional

Tensors = Sequence[Tensor]

# The bounds Stable-Baselines3 puts on log σ, its guard of log(1 − a²), and torch's Adam.
LOG_STD_LOW, LOG_STD_HIGH = -20.0, 2.0
SQUASH_EPSILON = 1e-6
BETA_1, BETA_2, ADAM_EPSILON = 0.9, 0.999, 1e-8
HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)


def sac_update(
    actor: Tensors,
    actor_mean: Tensors,
    actor_square: Tensors,
    critic: Tensors,
    critic_mean: Tensors,
    critic_square: Tensors,
    target: Tensors,
    entropy: Tensors,
    batch: Tensors,
) -> Tensor:
    """Everything `SAC.train` of Stable-Baselines3 2.9 does for one batch, in its order.

    | argument | tensors |
    |---|---|
    | actor | weight (out, in) and bias (out,) of each hidden layer, of the mean and of log σ |
    | critic, target | the same of both critics at once, a leading axis of two: W (2, out, in) |
    | *_mean, *_square | Adam's moments m and v of each of these |
    | entropy | log α and its m and v, (1,) each, if α is learned; else α alone |
    | batch | observations, actions, next observations, dones, rewards, noise (2, batch, 1),
      settings: step and root of actor, critics and α; γ; τ; target entropy (H) |

    State is changed in place; returned are actor loss, critic loss, α, α's loss (0 if fixed) and
    the sum of all squared weights, which is finite only if all of them are.

        a, log π   = π(s), a′, log π′ = π(s′)                 both by the actor as it came
        α          = exp(log α)                               before its own step
        log α      ← Adam, loss −log α · mean(log π + H)
        y          = r + (1 − done) γ (min Q_target(s′, a′) − α log π′)
        Q₁, Q₂     ← Adam, loss ½ Σ mean (Q_i(s, action) − y)²
        π          ← Adam, loss mean(α log π − min Q_i(s, a))  by the critics just updated
        Q_target   ← (1 − τ) Q_target + τ Q                    τ is 0 between target updates

    Source: Haarnoja et al. 2018 (arXiv 1812.05905) as in stable_baselines3/sac/sac.py. A product
    over both critics is one call, which on small networks is most of the cost.
    """
    observations, actions, next_observations, dones, rewards, noise, settings = batch
    gamma, tau, target_entropy = settings[6], settings[7], settings[8]

    (action, log_prob), to_actor = _reversible(
        lambda *now: _act(now, observations, noise[0]), *actor
    )
    alpha, alpha_loss = entropy[0], torch.zeros_like(rewards[0])
    if len(entropy) > 1:
        log_alpha, mean, square = entropy
        alpha = log_alpha.exp()
        slope = -(log_prob + target_entropy).mean().reshape(1)
        alpha_loss = log_alpha * slope
        _adam(log_alpha, slope, mean, square, settings[4], settings[5])

    next_action, next_log_prob = _act(actor, next_observations, noise[1])
    next_value = _values(target, next_observations, next_action).min(0).values
    aim = rewards + (1.0 - dones) * gamma * (next_value - alpha * next_log_prob)
    critic_loss, to_critic = _reversible(
        lambda *now: _critic_loss(_values(now, observations, actions), aim), *critic
    )
    slopes = to_critic(torch.ones_like(critic_loss))
    for parts in zip(critic, slopes, critic_mean, critic_square, strict=True):
        _adam(*parts, settings[2], settings[3])

    value, to_action = _reversible(
        lambda now: _values(critic, observations, now).min(0).values, action
    )
    actor_loss = (alpha * log_prob - value).mean()
    share = torch.full_like(value, 1.0 / len(value))
    (by_action,) = to_action(-share)
    slopes = to_actor((by_action, alpha * share))
    for parts in zip(actor, slopes, actor_mean, actor_square, strict=True):
        _adam(*parts, settings[0], settings[1])

    for behind, ahead in zip(target, critic, strict=True):
        behind.mul_(1.0 - tau).add_(tau * ahead)
    weights = torch.stack([weight.square().sum() for weight in (*actor, *critic)]).sum()
    losses = torch.stack([actor_loss, critic_loss])
    return torch.cat([losses, alpha, alpha_loss, weights.reshape(1)])


def _reversible(
    function: Callable[..., Any], *inputs: Tensor
) -> tuple[Any, Callable[[Any], tuple[Tensor, ...]]]:
    """The function's value, and what turns slopes by that value into slopes by the inputs."""
    value, backward = vjp(function, *inputs)[:2]
    return value, backward


def _act(actor: Tensors, observations: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Squashed Gaussian: a = tanh(u), u = μ + σ ε, log π = log N(u; μ, σ) − log(1 − a²).

    As u − μ is σ ε, log N is −½ ε² − log σ − ½ log 2π; Stable-Baselines3 gets ε back from u.
    """
    hidden = observations
    *layers, mean_weight, mean_bias, log_std_weight, log_std_bias = actor
    for weight, bias in zip(layers[::2], layers[1::2], strict=True):
        hidden = functional.linear(hidden, weight, bias).relu()
    mean = _one_output(hidden, mean_weight, mean_bias)
    log_std = _one_output(hidden, log_std_weight, log_std_bias).clamp(LOG_STD_LOW, LOG_STD_HIGH)
    action = torch.tanh(mean + noise * log_std.exp())
    log_prob = -0.5 * noise.square() - log_std - HALF_LOG_2_PI
    return action, log_prob - torch.log(1.0 - action.square() + SQUASH_EPSILON)


def _values(critic: Tensors, observations: Tensor, actions: Tensor) -> Tensor:
    """Both critics' values, (2, batch, 1)."""
    inputs = torch.cat([observations, actions], 1)
    first_weight, first_bias, *layers, last_weight, last_bias = critic
    # The first layers see the same input, so they are one wide layer; the copy keeps both
    # critics contiguous, which batched products need.
    hidden = inputs.mm(first_weight.flatten(0, 1).t()).view(len(inputs), 2, -1).transpose(0, 1)
    hidden = (hidden + first_bias.unsqueeze(1)).contiguous().relu()
    for weight, bias in zip(layers[::2], layers[1::2], strict=True):
        hidden = (torch.bmm(hidden, weight.transpose(1, 2)) + bias.unsqueeze(1)).relu()
    return _one_output(hidden, last_weight, last_bias.unsqueeze(1))


def _critic_loss(values: Tensor, aim: Tensor) -> Tensor:
    return 0.5 * (values - aim).square().mean((1, 2)).sum()


def _one_output(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A layer of one unit; as a sum it is fused with its neighbours, as a product it is not."""
    return (hidden * weight).sum(-1, keepdim=True) + bias


def _adam(
    parameter: Tensor, slope: Tensor, mean: Tensor, square: Tensor, step: Tensor, root: Tensor
) -> None:
    """torch.optim.Adam; step = rate ÷ (1 − β₁ᵗ), root = √(1 − β₂ᵗ), t counting this update."""
    mean.lerp_(slope, 1.0 - BETA_1)
    square.mul_(BETA_2).addcmul_(slope, slope, value=1.0 - BETA_2)
    parameter.sub_(step * mean / (square.sqrt() / root + ADAM_EPSILON))
