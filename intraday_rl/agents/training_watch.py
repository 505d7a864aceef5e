"""After every training: stop at what is no number, keep the curve, tell the listeners."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.agents.divergence import diverged
from intraday_rl.agents.seeded_replay import SeededReplayBuffer
from intraday_rl.agents.training_record import TrainingRecord

CURVES = ("actor_loss", "critic_loss", "ent_coef")
LOSSES = (*CURVES, "ent_coef_loss")


class TrainingWatch(BaseCallback):
    """Looks after every training: finite values, learning curve, progress, evaluation.

    It acts at the start of a rollout and at the end of all, which is right after `train()`,
    whoever wrote that method; per decision it does nothing.
    """

    def __init__(
        self,
        record: TrainingRecord,
        policy: Callable[[], ActorPolicy],
        failure_folder: Path,
    ) -> None:
        super().__init__()
        self._record, self._policy, self._failure_folder = record, policy, failure_folder

    def _init_callback(self) -> None:
        sac = self._sac()
        self._n_updates_seen = sac._n_updates
        self._weights: list[torch.Tensor] = [*sac.actor.parameters(), *sac.critic.parameters()]
        if sac.log_ent_coef is not None:
            self._weights.append(sac.log_ent_coef)

    def _on_training_start(self) -> None:
        self._record.start(self.model.num_timesteps)

    def _sac(self) -> SAC:
        if not isinstance(self.model, SAC):
            raise TypeError(f"watches SAC, not {type(self.model).__name__}")
        return self.model

    def _on_rollout_start(self) -> None:
        self._look(last=False)

    def _on_training_end(self) -> None:
        self._look(last=True)

    def _on_step(self) -> bool:
        return True

    def _look(self, last: bool) -> None:
        if self.model._n_updates > self._n_updates_seen:
            self._n_updates_seen = self.model._n_updates
            self.refuse_non_finite()
            logged = self.logger.name_to_value
            self._record.add({name: logged[f"train/{name}"] for name in CURVES})
        self._record.look(self.model.num_timesteps, self._policy, last=last)

    def refuse_non_finite(self) -> None:
        """Stop at a loss or weight that is no number; SB3 has the losses at hand already."""
        logged = self.logger.name_to_value
        bad = [
            name for name in LOSSES if not math.isfinite(float(logged.get(f"train/{name}", 0.0)))
        ]
        if not math.isfinite(self._squared_weights()):
            bad.append("weights")
        if not bad:
            return
        buffer = self._sac().replay_buffer
        batches = buffer.last_batches() if isinstance(buffer, SeededReplayBuffer) else {}
        bad += [f"batch {part}" for part, kept in batches.items() if not np.isfinite(kept).all()]
        raise diverged(self._failure_folder, self.model.num_timesteps, ", ".join(bad), batches)

    def _squared_weights(self) -> float:
        """Their sum, if the updates left it; else it takes a while longer."""
        left: float | None = self.logger.name_to_value.get("train/squared_weights")
        if left is not None:
            return left
        with torch.no_grad():
            return float(torch.nn.utils.get_total_norm(self._weights)) ** 2
