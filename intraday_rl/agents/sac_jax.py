"""The learner of the part `sac_jax`: SBX's SAC in JAX, seeded by hand and cheap to act with.

Imported by `learner.learner_class`, which sets up XLA before.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from numpy.typing import NDArray
from sbx import SAC

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.agents.learner import Forgotten, Learner, draw_seed
from intraday_rl.agents.sac import SacJax
from intraday_rl.agents.seeded_replay import SeededReplayBuffer
from intraday_rl.errors import ModelError


class SeededJaxSac(SAC):
    """SBX's SAC with three methods of its own; mathematics, networks and saved zip are SBX's.

    | method | stock | here |
    |---|---|---|
    | set_random_seed | reseeds python, numpy and torch for the whole process | its own key alone |
    | predict, exploring | several calls into JAX, each dispatched for itself | one |
    | train | logs the last update; a target step at every update | logs the mean and the squared
      weights; a target step every `target_update_interval` updates |
    """

    target_update_interval = 1
    ent_coef_state: Any

    def set_random_seed(self, seed: int | None = None) -> None:
        """Make the one key that initial weights, exploration and updates draw from."""
        if seed is None:
            raise ModelError("SeededJaxSac needs a seed")
        self.key = jax.random.PRNGKey(seed)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[Any], Any]:
        """A draw from the policy for the accounts of one vector step; all else is SBX's."""
        if deterministic or observation.ndim != 2:
            predicted: tuple[NDArray[Any], Any] = super().predict(
                observation, state, episode_start, deterministic
            )
            return predicted
        actor = self.policy.actor_state
        actions, self.key = _explore(actor.apply_fn, actor.params, observation, self.key)
        return np.clip(np.asarray(actions), -1.0, 1.0), state

    def train(self, gradient_steps: int, batch_size: int) -> None:
        """Make `gradient_steps` updates, a fresh batch each, in one call into JAX."""
        buffer = self.replay_buffer
        if not isinstance(buffer, SeededReplayBuffer):
            raise ModelError(f"replay buffer {type(buffer).__name__}: need a SeededReplayBuffer")
        policy, rate = self.policy, self.lr_schedule(self._current_progress_remaining)
        self._update_learning_rate([policy.actor_state.opt_state, policy.qf_state.opt_state], rate)
        batches = [part.numpy() for part in buffer.sample_many(gradient_steps, batch_size)[:5]]
        steps = np.arange(gradient_steps) % self.target_update_interval == 0
        states = (policy.actor_state, policy.qf_state, self.ent_coef_state, self.key)
        states, logged, squared_weights = _updates(
            isinstance(self.ent_coef_init, str),
            states,
            (*batches, np.where(steps, np.float32(self.tau), np.float32(0.0))),
            self.gamma,
            self.target_entropy,
        )
        policy.actor_state, policy.qf_state, self.ent_coef_state, self.key = states
        self._n_updates += gradient_steps
        for name, values in logged.items():
            self.logger.record(f"train/{name}", float(np.asarray(values).mean(dtype=np.float64)))
        self.logger.record("train/squared_weights", float(squared_weights))
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def _excluded_save_params(self) -> list[str]:
        """Without what only this class knows, the zip is a stock one of SBX."""
        return [*super()._excluded_save_params(), "target_update_interval"]


@partial(jax.jit, static_argnums=0)
def _explore(
    apply: Callable[..., Any], params: Any, observations: Any, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    key, own = jax.random.split(key)
    return apply(params, observations).sample(seed=own), key


@partial(jax.jit, static_argnums=0)
def _updates(
    learns_entropy: bool, states: Any, batches: Any, gamma: float, target_entropy: float
) -> tuple[Any, dict[str, jax.Array], jax.Array]:
    """SBX's own steps in SBX's own order, batch after batch: critics, targets, actor, α."""

    def update(states: Any, batch: Any) -> tuple[Any, dict[str, jax.Array]]:
        actor, critics, entropy, key = states
        observations, actions, next_observations, dones, rewards, tau = batch
        discounts = jnp.full_like(rewards[:, 0], gamma)
        critics, (critic_loss, alpha), key = SAC.update_critic(
            actor, critics, entropy, observations, actions, next_observations,
            rewards[:, 0], dones[:, 0], discounts, key,
        )  # fmt: skip
        critics = SAC.soft_update(tau, critics)
        actor, critics, actor_loss, key, drawn_entropy = SAC.update_actor(
            actor, critics, entropy, observations, key
        )
        logged = {"actor_loss": actor_loss, "critic_loss": critic_loss, "ent_coef": alpha}
        if learns_entropy:
            entropy, loss = SAC.update_temperature(target_entropy, entropy, drawn_entropy)
            logged["ent_coef_loss"] = loss
        return (actor, critics, entropy, key), {
            name: jnp.asarray(value) for name, value in logged.items()
        }

    states, logged = jax.lax.scan(update, states, batches)
    weights = jax.tree.leaves([state.params for state in states[:3]])
    return states, logged, sum((jnp.square(weight).sum() for weight in weights), jnp.zeros(()))


class SacJaxLearner(Learner):
    """Trains one SAC agent on a VectorEnv in JAX; the arguments are those of `Learner`."""

    sac: SacJax

    def _make_model(self, settings: dict[str, Any], random: np.random.Generator) -> SAC:
        coefficient = self.sac.ent_coef
        model = SeededJaxSac(
            **settings,
            ent_coef=coefficient if coefficient.startswith("auto") else float(coefficient),
            seed=draw_seed(random),
        )
        model.target_update_interval = self.sac.target_update_interval
        return model

    def _own_randomness(self) -> AbstractContextManager[None]:
        return nullcontext()  # a key is no global state

    def policy(self) -> ActorPolicy:
        """The present actor; flax numbers its layers: the hidden ones, the mean, log σ."""
        layers = self.model.policy.actor_state.params["params"]
        used = [layers[f"Dense_{number}"] for number in range(len(self.sac.net_arch) + 1)]
        return ActorPolicy(
            [np.asarray(layer["kernel"]).T for layer in used],
            [np.asarray(layer["bias"]) for layer in used],
        )

    def fresh_state(self) -> dict[str, Any]:
        """States of the networks, immutable, as training starts with them."""
        return self._tree()

    def forget(self, forgotten: Forgotten, fresh: dict[str, Any]) -> None:
        """Weights stay; the moments of Adam, or the whole temperature, are the fresh ones."""
        policy = self.model.policy
        if forgotten.optimiser:
            for name in ("actor_state", "qf_state"):
                started = fresh["actor" if name == "actor_state" else "critics"].opt_state
                setattr(policy, name, getattr(policy, name).replace(opt_state=started))
        if forgotten.entropy:
            self.model.ent_coef_state = fresh["entropy"]

    def random_state(self) -> bytes:
        """None: the key is part of the training state."""
        return b""

    def load_random_state(self, state: bytes) -> None:
        """Nothing to do."""

    def squared_weights(self) -> float:
        """Left by the last updates; 0 before the first."""
        return float(self.model.logger.name_to_value.get("train/squared_weights", 0.0))

    def training_state(self) -> bytes:
        """Named arrays: weights, Adam's moments, α, the key and counters."""
        names, leaves, _ = _flat(self._tree())
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **dict(zip(names, leaves, strict=True)))
        return file.getvalue()

    def load_training_state(self, path: Path) -> None:
        """Pour saved networks, optimisers and key into this learner; executes no pickle."""
        saved = _read_arrays(path)
        names, leaves, structure = _flat(self._tree())
        fits = set(names) == set(saved) and all(
            saved[name].shape == leaf.shape and saved[name].dtype == leaf.dtype
            for name, leaf in zip(names, leaves, strict=True)
        )
        if not fits:
            raise ModelError(
                f"{path} is no training state of this agent: "
                "use the agent.net_arch, agent.ent_coef and features it was trained with"
            )
        tree = jax.tree.unflatten(structure, [jnp.asarray(saved[name]) for name in names])
        model = self.model
        model.policy.actor_state, model.policy.qf_state = tree["actor"], tree["critics"]
        model.ent_coef_state, model.key = tree["entropy"], tree["key"]
        model._n_updates = int(tree["n_updates"])
        model.num_timesteps = int(tree["num_timesteps"])

    def _tree(self) -> dict[str, Any]:
        model = self.model
        return {
            "actor": model.policy.actor_state,
            "critics": model.policy.qf_state,
            "entropy": model.ent_coef_state,
            "key": model.key,
            "n_updates": self.n_updates,
            "num_timesteps": model.num_timesteps,
        }


def _flat(tree: dict[str, Any]) -> tuple[list[str], list[NDArray[Any]], Any]:
    """Names and arrays of a tree's leaves, and what puts them together again."""
    found, structure = jax.tree_util.tree_flatten_with_path(tree)
    names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in found]
    return names, [np.asarray(jnp.asarray(leaf)) for _, leaf in found], structure


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as saved:
            return {name: saved[name] for name in saved.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"{path} cannot be read as arrays ({type(error).__name__}): "
            "restore the bundle from its run"
        ) from error
