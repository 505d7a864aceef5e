"""Acting between updates: the numbers of Stable-Baselines3 without its generality."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from stable_baselines3.sac.policies import LOG_STD_MAX, LOG_STD_MIN, SACPolicy
from torch.nn import functional


def quicken(policy: SACPolicy) -> None:
    """Give this one policy object cheaper ways to do what SB3 does at each vector step.

    | method | stock | here |
    |---|---|---|
    | set_training_mode | walks all modules, twice a step | nothing: none of them heeds the mode |
    | predict, exploring | checks for images, dictionaries, gSDE; builds and checks a Normal |
      tanh(μ + σ ε), bit for bit the same action from the same draw |

    Once compiled updates have filled the processor's caches, the stock methods take several times
    as long as stepping all accounts. The class stays SB3's, and with it the saved zip.
    """
    policy.set_training_mode(False)
    quick: Any = policy  # methods are replaced on this object, which no type checker allows
    quick.set_training_mode = lambda mode: None
    actor: Any = policy.actor
    layers = [layer for layer in actor.latent_pi if isinstance(layer, torch.nn.Linear)]
    # Parameters stay the same objects when weights are loaded; a module looks them up each time.
    hidden_layers = [(layer.weight, layer.bias) for layer in layers]
    mean_layer = (actor.mu.weight, actor.mu.bias)
    log_std_layer = (actor.log_std.weight, actor.log_std.bias)
    stock_predict = policy.predict

    def predict(
        observation: NDArray[Any],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[Any], Any]:
        if deterministic or observation.ndim != 2:
            predicted: tuple[NDArray[Any], Any] = stock_predict(
                observation, state, episode_start, deterministic
            )
            return predicted
        with torch.no_grad():
            hidden = torch.from_numpy(observation)
            for layer in hidden_layers:
                hidden = functional.linear(hidden, *layer).relu_()
            mean = functional.linear(hidden, *mean_layer)
            log_std = functional.linear(hidden, *log_std_layer)
            deviation = log_std.clamp_(LOG_STD_MIN, LOG_STD_MAX).exp_()
            noise = torch.randn(mean.shape)
            action = torch.tanh(mean + noise * deviation)
        return policy.unscale_action(action.numpy()), state

    quick.predict = predict
