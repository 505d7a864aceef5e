"""The learner of the part `sac`: Stable-Baselines3's SAC on one thread."""

from __future__ import annotations

import io
import logging
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import SAC

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.agents.exploration import quicken
from intraday_rl.agents.graph_cache import has_compiler
from intraday_rl.agents.learner import Forgotten, Learner, draw_seed
from intraday_rl.agents.sac import Compile, Sac
from intraday_rl.agents.sac_compiled import CompiledSac
from intraday_rl.errors import ConfigError, ModelError

logger = logging.getLogger(__name__)


class SacLearner(Learner):
    """Trains one SAC agent on a VectorEnv in torch; the arguments are those of `Learner`, and

    algorithm       SB3's SAC, or a subclass with another `train()`; attributes it adds belong in
                    its `_excluded_save_params`, so that the stock class opens the zip; by default
                    the one that `Sac.compile` asks for

    A learner sets torch to one thread for the process: small networks get slower with more, and
    the order of summation, hence the last bits of the weights, depends on the number.
    """

    sac: Sac

    def __init__(
        self, sac: Sac, *arguments: Any, algorithm: type[SAC] | None = None, **named: Any
    ) -> None:
        torch.set_num_threads(1)
        self._algorithm = algorithm or algorithm_of(sac)
        super().__init__(sac, *arguments, **named)
        quicken(self.model.policy)
        self._weights = [*self.model.actor.parameters(), *self.model.critic.parameters()]
        if self.model.log_ent_coef is not None:
            self._weights.append(self.model.log_ent_coef)

    def _make_model(self, settings: dict[str, Any], random: np.random.Generator) -> SAC:
        self._torch_state = torch.Generator().manual_seed(draw_seed(random)).get_state()
        with self._own_randomness():
            return self._algorithm(
                **settings,
                ent_coef=self.sac.ent_coef,
                target_update_interval=self.sac.target_update_interval,
                seed=None,  # a number here would reseed the global generators
            )

    def policy(self) -> ActorPolicy:
        """The present actor, as numpy arrays of its own."""
        layers = [*self.model.actor.latent_pi, self.model.actor.mu]
        linear = [layer for layer in layers if isinstance(layer, torch.nn.Linear)]
        return ActorPolicy(
            [layer.weight.detach().numpy() for layer in linear],
            [layer.bias.detach().numpy() for layer in linear],
        )

    def training_state(self) -> bytes:
        """Networks, optimisers, entropy coefficient (in no policy's state_dict) and counters."""
        learned = self.model.log_ent_coef
        content = {
            "parameters": self.model.get_parameters(),
            "log_ent_coef": None if learned is None else learned.detach(),
            "n_updates": self.n_updates,
            "num_timesteps": self.model.num_timesteps,
        }
        file = io.BytesIO()
        torch.save(content, file)
        return file.getvalue()

    def load_training_state(self, path: Path) -> None:
        """Pour saved networks and optimisers into this learner; executes no pickle."""
        saved = _read_training_state(path)
        try:
            self.model.set_parameters(saved["parameters"], exact_match=True, device="cpu")
            if self.model.log_ent_coef is not None:  # a fixed coefficient comes from the part
                self.model.log_ent_coef.data.copy_(saved["log_ent_coef"])
            self.model._n_updates = int(saved["n_updates"])
            self.model.num_timesteps = int(saved["num_timesteps"])
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{path} is no training state of this agent ({type(error).__name__}: {error}): "
                "use the agent.net_arch, agent.ent_coef and features it was trained with"
            ) from error

    def fresh_state(self) -> torch.Tensor | None:
        """The temperature that training starts with; optimisers start empty."""
        learned = self.model.log_ent_coef
        return None if learned is None else learned.detach().clone()

    def forget(self, forgotten: Forgotten, fresh: torch.Tensor | None) -> None:
        """An Adam without state begins anew at its next step."""
        if forgotten.optimiser:
            self.model.actor.optimizer.state.clear()
            self.model.critic.optimizer.state.clear()
        if forgotten.entropy and fresh is not None:
            self.model.log_ent_coef.data.copy_(fresh)
            self.model.ent_coef_optimizer.state.clear()

    def random_state(self) -> bytes:
        """torch's generator as it stands within `learn`."""
        return torch.get_rng_state().numpy().tobytes()

    def load_random_state(self, state: bytes) -> None:
        """Lent to torch when `learn` begins."""
        self._torch_state = torch.frombuffer(bytearray(state), dtype=torch.uint8)

    def squared_weights(self) -> float:
        """Their sum, if the updates left it; else it takes a while longer."""
        left: float | None = self.model.logger.name_to_value.get("train/squared_weights")
        if left is not None:
            return left
        with torch.no_grad():
            return float(torch.nn.utils.get_total_norm(self._weights)) ** 2

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """SB3 draws from torch's global generator: lend it ours, then put the old one back."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._torch_state)
            try:
                yield
            finally:
                self._torch_state = torch.get_rng_state()


def algorithm_of(sac: Sac) -> type[SAC]:
    """The class that makes the updates; both make the same ones."""
    if not sac.compiles:
        return SAC
    if has_compiler():
        return CompiledSac
    if sac.compile is Compile.always:
        raise ConfigError(
            "compile",
            sac.compile.name,
            "needs a C++ compiler: install g++ or name another in CXX, or set agent.compile=auto",
        )
    logger.info("no C++ compiler (g++, or CXX): updates are not compiled and take longer")
    return SAC


def _read_training_state(path: Path) -> dict[str, Any]:
    """The saved tensors; whatever would need more than tensors and plain values is refused."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Detected pickle protocol")  # not ours
            saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, UserWarning) as error:
        raise ModelError(
            f"{path} cannot be read as tensors ({type(error).__name__}): "
            "restore the bundle from its run"
        ) from error
    return saved
